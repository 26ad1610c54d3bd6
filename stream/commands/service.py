"""What the commands that run until told to stop have in common: log lines, signals, a heartbeat."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from stream.errors import SettingsError

_HEARTBEAT_SECONDS: Final = 5.0
_QUIET: Final = ("faust", "mode", "aiokafka", "kafka", "asyncio", "stream")


def log_to_stderr() -> None:
    """Log time (UTC), level and message; libraries only from warnings on."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    handler.addFilter(_worth_saying)
    handler.addFilter(Seldom())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def hush(level: int = logging.CRITICAL) -> None:
    """Let Kafka's client say only what is worth `level`: that it cannot connect is said better by a check."""
    logging.getLogger("aiokafka").setLevel(level)


def _worth_saying(record: logging.LogRecord) -> bool:
    message = record.getMessage()
    # Said at each connection of SASL_PLAINTEXT; `bandshift doctor` shows the setting.
    # Said as an error while a new Kafka makes room for its first group, which takes a second.
    return not ("in the clear" in message or "GroupCoordinatorNotAvailableError" in message)


class Seldom(logging.Filter):
    """Says what a library says again and again once in ten seconds: a broker that is away made 45 lines a second."""

    def __init__(self, seconds: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds."""
        super().__init__()
        self._seconds = seconds
        self._clock = clock
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is to be said: all of ours, and of others what was not said lately."""
        if record.name.startswith("bandshift"):
            return True
        kind, now = (record.name, str(record.msg)), self._clock()
        if now - self._said.get(kind, -self._seconds) < self._seconds:
            return False
        self._said[kind] = now
        return True


def until_stopped(serve: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run a service; the first SIGTERM or SIGINT asks it to stop, a second one ends it at once."""

    async def run() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()

        def ask() -> None:
            stop.set()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ask)
        await serve(stop)

    asyncio.run(run())


async def beating(file: Path | None, stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Do a service's work, and touch its heartbeat file every few seconds, for as long as the event loop lives.

    Raises SettingsError where the file cannot be written: then `stop` is set, and the work has ended before.
    """
    working, beat = asyncio.create_task(work), asyncio.create_task(_beat(file))
    try:
        await asyncio.wait({working, beat}, return_when=asyncio.FIRST_COMPLETED)
        if beat.done() and not working.done():
            stop.set()
        await working
        if beat.done():
            await beat
    finally:
        beat.cancel()
        working.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(beat, working, return_exceptions=True)


async def _beat(file: Path | None) -> None:
    while True:
        if file is not None:
            try:
                await asyncio.to_thread(file.touch)
            except OSError as error:
                raise SettingsError(
                    f"worker.heartbeat_file: expected a file that can be written, {file}: {error.strerror}"
                ) from None
        await asyncio.sleep(_HEARTBEAT_SECONDS)
