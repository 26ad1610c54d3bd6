"""A contestant as a process of its own, watched from outside: its CPU time and memory, sample by sample."""

from __future__ import annotations

import asyncio
import subprocess
import time
from bisect import bisect_left
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

import psutil

from benchmarks.machine import Cores
from stream.errors import BandshiftError

_SAMPLE_SECONDS: Final = 0.02
_STOP_SECONDS: Final = 10


class ContestantError(BandshiftError):
    """A contestant ended, or did not get on."""


class Sample(NamedTuple):
    """CPU seconds that the process had used by a time (seconds since 1970), all its threads together.

    `memory`: bytes of it that lay in memory then.
    """

    at: float
    cpu: float
    memory: int


class Program:
    """A running contestant."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log
        self._watched = psutil.Process(process.pid)
        self.samples: list[Sample] = []
        self.peak_bytes = 0

    def sample(self) -> Sample:
        """Look at the process now."""
        try:
            with self._watched.oneshot():
                times = self._watched.cpu_times()
                memory = self._watched.memory_info().rss
                self.peak_bytes = max(self.peak_bytes, memory)
        except psutil.NoSuchProcess:
            raise self._ended() from None
        found = Sample(time.time(), times.user + times.system, memory)
        self.samples.append(found)
        return found

    def cpu_at(self, at: float) -> float:
        """CPU seconds used by a time within what was sampled, between two samples in proportion."""
        index = bisect_left(self.samples, at, key=lambda sample: sample.at)
        if index == 0:
            return self.samples[0].cpu
        if index == len(self.samples):
            return self.samples[-1].cpu
        before, after = self.samples[index - 1 : index + 1]
        share = (at - before.at) / (after.at - before.at)
        return before.cpu + share * (after.cpu - before.cpu)

    def check(self) -> None:
        """Raise ContestantError if it has ended."""
        if self._process.poll() is not None:
            raise self._ended()

    def _ended(self) -> ContestantError:
        return ContestantError(
            f"a contestant ended with status {self._process.poll()}", self.tail()
        )

    def tail(self) -> str:
        """The end of what it wrote."""
        return self._log.read_text(encoding="utf-8", errors="replace")[-2_000:]

    async def watch(self) -> None:
        """Sample until cancelled."""
        while True:
            self.sample()
            await asyncio.sleep(_SAMPLE_SECONDS)

    async def stop(self) -> None:
        """Ask it to end; kill it if it does not."""
        if self._process.poll() is None:
            self._process.terminate()
            for _ in range(_STOP_SECONDS * 20):
                if self._process.poll() is not None:
                    return
                await asyncio.sleep(0.05)
            self._process.kill()
        self._process.wait()


def _start(
    command: Sequence[str], environment: Mapping[str, str], log: Path
) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )


@asynccontextmanager
async def running(
    command: Sequence[str], environment: Mapping[str, str], cores: Cores, log: Path
) -> AsyncIterator[Program]:
    """The contestant, on its core and watched; it is ended whatever happens inside."""
    process = _start(command, environment, log)
    cores.hand_over(process.pid)  # at once: threads that it starts later keep to this core too
    program = Program(process, log)
    watching = asyncio.create_task(program.watch())
    try:
        yield program
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError, ContestantError):
            await watching
        await program.stop()
