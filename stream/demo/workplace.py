"""Where one run keeps its data: a directory of its own, which is gone afterwards."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from stream.errors import DemoError

_PREFIX: Final = "demo-"
_IN_USE: Final = ".in-use"


@contextmanager
def workplace(var: Path) -> Iterator[Path]:
    """A new directory in `var`, removed at the end; what runs that were killed have left there goes too.

    Raises DemoError where it cannot be made.
    """
    try:
        var.mkdir(parents=True, exist_ok=True)
        gate = os.open(var / ".demo-lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            # So that nobody takes a directory that is just being made for one that was left.
            fcntl.flock(gate, fcntl.LOCK_EX)
            _remove_left(var)
            directory = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=var)).absolute()
            hold = _held(directory)
        finally:
            os.close(gate)
    except OSError as error:
        raise DemoError(
            f"{var.absolute()}: expected a directory that can be written, got: {error.strerror}",
            hint="Run the demo in a directory of your own.",
        ) from error
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        if hold is not None:
            os.close(hold)


def _remove_left(var: Path) -> None:
    for left in var.glob(f"{_PREFIX}*/"):
        hold = _held(left)
        if hold is not None:
            shutil.rmtree(left, ignore_errors=True)
            os.close(hold)


def _held(directory: Path) -> int | None:
    """A hold on the directory for as long as this process lives; None if another run has it."""
    hold = os.open(directory / _IN_USE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(hold, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(hold)
        return None
    return hold
