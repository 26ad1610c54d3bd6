"""`bandshift` as a process of its own, as a user calls it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stream.settings import Settings
from tests.engines import environment

BANDSHIFT = (sys.executable, "-W", "error", "-m", "stream.cli")
"""With warnings as errors: a coroutine or connection that was forgotten shows."""


@dataclass
class Cli:
    """Calls commands with the settings of one namespace."""

    settings: Settings
    directory: Path
    more: dict[str, str] = field(default_factory=dict)
    """More settings, as environment variables."""
    missing: tuple[str, ...] = ()
    """Environment variables that are not set."""

    @property
    def environment(self) -> dict[str, str]:
        whole = environment(self.settings) | self.more
        return {name: text for name, text in whole.items() if name not in self.missing}

    def call(
        self, *words: str, status: int = 0, given: bytes | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Call a command that ends by itself with this exit status."""
        done = subprocess.run(
            [*BANDSHIFT, *words],
            env=self.environment,
            cwd=self.directory,
            input=None if given is None else given.decode(),
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert done.returncode == status, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        assert "Warning" not in done.stderr, done.stderr
        return done

    def told(self, *words: str) -> str:
        """What a command prints."""
        return self.call(*words).stdout.strip()

    def data(self, *words: str) -> Any:
        """What a command prints as JSON."""
        return json.loads(self.call(*words, "--json").stdout)

    def refused(self, *words: str) -> str:
        """The one line of a command that ends with exit status 1."""
        lines = self.call(*words, status=1).stderr.splitlines()
        assert lines[0].startswith("bandshift: "), lines
        assert len(lines) <= 2, lines
        return lines[0].removeprefix("bandshift: ")

    @contextmanager
    def started(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """A command that runs on; killed at the end if it still does."""
        process = subprocess.Popen(
            [*BANDSHIFT, *words],
            env=self.environment,
            cwd=self.directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    @contextmanager
    def worker(self) -> Iterator[subprocess.Popen[str]]:
        """A worker, asked to stop at the end: it must end well."""
        with self.started("worker") as process:
            yield process
            ended(process, signal.SIGTERM, 0)


def ended(process: subprocess.Popen[str], number: int, status: int) -> str:
    """Send a signal, wait for that exit status, and return what stands on standard error."""
    process.send_signal(number)
    process.wait(timeout=60)  # before its input is closed, which might end it too
    _, said = process.communicate()
    assert process.returncode == status, said
    assert "Traceback" not in said, said
    assert "Warning" not in said, said
    return said
