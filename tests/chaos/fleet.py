"""Workers, learner and API as processes of their own, and a supervisor who starts again what has ended."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import stream
from stream.embedded.process import Child

_ROOT: Final = str(Path(stream.__file__).parent.parent)
_LOOK_SECONDS: Final = 0.1
_RESTART_SECONDS: Final = 1.0
STOP_SECONDS: Final = 20.0
_PARTITIONS: Final = re.compile(r"partitions: \[([\d, ]*)\]")


class Member:
    """One process."""

    def __init__(
        self, name: str, command: str, environment: Mapping[str, str], directory: Path
    ) -> None:
        self.name, self.command = name, command
        self.log = directory / f"{name}.log"
        self._said = self.log.stat().st_size if self.log.exists() else 0
        self.asked = False
        """Whether it was asked to end, or killed."""
        self.child = Child(
            [sys.executable, "-m", "tests.chaos.launcher", command],
            directory=directory,
            log=self.log,
            environment={**environment, "PYTHONPATH": _ROOT, "OPENBLAS_NUM_THREADS": "1"},
        )

    def text(self) -> str:
        """What it has said so far."""
        with self.log.open("rb") as file:
            file.seek(self._said)
            return file.read().decode("utf-8", "replace")

    def owned(self) -> set[int]:
        """The partitions that it owns, by its own account."""
        found = _PARTITIONS.findall(self.text())
        return {int(each) for each in found[-1].split(",") if each.strip()} if found else set()

    def began(self) -> bool:
        """Whether it has said anything itself, so that it answers signals."""
        return " INFO " in self.text() or "listening" in self.text()

    def signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.child.exit_status is None:
            os.kill(self.child.pid, number)


@dataclass
class Fleet:
    """All processes of a deployment."""

    environment: Mapping[str, str]
    directory: Path
    members: dict[str, Member] = field(default_factory=dict)
    surprises: list[dict[str, Any]] = field(default_factory=list)
    """Those that ended by themselves."""
    stops: list[dict[str, Any]] = field(default_factory=list)
    """Those that were asked to stop, and how long it took them."""
    _due: dict[str, tuple[float, str]] = field(default_factory=dict)

    def start(self, name: str, command: str = "worker") -> Member:
        """Start a process under a name."""
        self._due.pop(name, None)
        made = Member(name, command, self.environment, self.directory)
        self.members[name] = made
        return made

    def workers(self) -> list[Member]:
        """Those that run."""
        return [
            each
            for each in self.members.values()
            if each.command == "worker" and each.child.exit_status is None
        ]

    def kill(self, member: Member, *, back_in: float | None = _RESTART_SECONDS) -> None:
        """SIGKILL; started again after so many seconds, or never (None)."""
        member.asked = True
        member.child.kill()
        self._gone(member, back_in)

    async def stop(self, member: Member, *, back_in: float | None = None) -> None:
        """SIGTERM, and wait until it has ended."""
        member.asked = True
        up, began = member.began(), time.monotonic()
        member.signal(signal.SIGTERM)
        in_time = await asyncio.to_thread(member.child.wait, STOP_SECONDS)
        if not in_time:
            member.child.kill()
        self.stops.append(
            {
                "name": member.name,
                "seconds": time.monotonic() - began,
                "status": member.child.exit_status if in_time else None,
                "up": up,
            }
        )
        self._gone(member, back_in)

    def _gone(self, member: Member, back_in: float | None) -> None:
        if self.members.get(member.name) is member:
            del self.members[member.name]
        if back_in is not None:
            self._due[member.name] = time.monotonic() + back_in, member.command

    async def supervise(self) -> None:
        """Start again what has ended, until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(_LOOK_SECONDS)

    def look(self) -> None:
        """Note who has ended by itself; start whose time has come."""
        for member in list(self.members.values()):
            if member.child.exit_status is not None and not member.asked:
                self.surprises.append(
                    {
                        "at": time.time(),
                        "name": member.name,
                        "status": member.child.exit_status,
                        "said": member.text().splitlines()[-6:],
                    }
                )
                self._gone(member, _RESTART_SECONDS)
        for name, (when, command) in list(self._due.items()):
            if time.monotonic() >= when:
                self.start(name, command)

    async def end(self) -> None:
        """Stop all that may append to the log; the learner last, for it learns what came last."""
        self._due.clear()
        for member in list(self.members.values()):
            if not member.began():  # Python itself would answer the signal
                self.kill(member, back_in=None)
        workers = [each for each in self.members.values() if each.command != "learner"]
        await asyncio.gather(*(self.stop(each) for each in workers))

    def drop(self) -> None:
        """Kill whatever still runs."""
        for member in self.members.values():
            member.asked = True
            member.child.kill()
