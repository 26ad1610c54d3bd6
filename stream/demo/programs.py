"""The programs of one demo run: workers and the API, each a process as `bandshift` starts it."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import stream
from stream.demo.settings import DemoSettings, environment
from stream.embedded.files import tail
from stream.embedded.process import Child
from stream.errors import DemoError

_ROOT: Final = str(Path(stream.__file__).parent.parent)
_STOP_SECONDS: Final = 20.0
_ADDRESS: Final = re.compile(r"listening on (http://\S+)")


class Program:
    """One `bandshift` command as a child process; what it says goes to a log in `directory`."""

    def __init__(
        self, command: str, name: str, settings: DemoSettings, directory: Path, **more: str
    ) -> None:
        """`more` are further settings, as environment variables."""
        self.name = name
        self.log = directory / f"{name}.log"
        self._child = Child(
            [sys.executable, "-m", "stream.cli", command],
            directory=directory,
            log=self.log,
            environment=environment(settings) | {"PYTHONPATH": _ROOT} | more,
        )

    def check(self) -> None:
        """Raise DemoError if it has ended."""
        status = self._child.exit_status
        if status is not None:
            raise DemoError(
                f"The {self.name} ended with exit status {status}, though nobody had asked it to.",
                hint=f"The end of its log:\n{tail(self.log)}",
            )

    def ask_to_stop(self) -> None:
        """Once only: a second time means at once."""
        if self._child.exit_status is None:
            os.kill(self._child.pid, signal.SIGTERM)

    def wait(self) -> None:
        """Return when it has ended; DemoError if it had to be killed, or did not end well."""
        if not self._child.wait(_STOP_SECONDS):
            self._child.kill()
        status = self._child.exit_status
        if status != 0:
            raise DemoError(
                f"The {self.name} did not end in order: exit status {status}.",
                hint=f"The end of its log:\n{tail(self.log)}",
            )

    def kill(self) -> None:
        """Kill it at once."""
        self._child.kill()

    def address(self) -> str | None:
        """Where the API listens, once it does; DemoError if it has ended instead."""
        self.check()
        found = _ADDRESS.search(self.log.read_text(encoding="utf-8", errors="replace"))
        return found[1] if found else None


def stop(programs: Sequence[Program]) -> None:
    """Ask all of them at once to stop, so that no worker takes over what another one leaves; then wait."""
    for program in programs:
        program.ask_to_stop()
    for program in programs:
        program.wait()
