"""Files of the embedded engines: the cache of this user, and files that hold a secret."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Protocol

from stream.errors import EmbeddedError


class Progress(Protocol):
    """Told how far a long preparation has come; never called by two threads at once."""

    def __call__(self, done: int, total: int, what: str, /) -> None:
        """`done` of `total` units (bytes of a download, or steps) of `what`."""


def no_progress(_done: int, _total: int, _what: str, /) -> None:
    """Tell nobody."""


def cache_directory() -> Path:
    """The directory where downloads are kept, for this user alone, made if it is missing.

    `BANDSHIFT_CACHE` names it; otherwise it is `bandshift` in the user's cache directory.
    Raises EmbeddedError where it cannot be made.
    """
    named = os.environ.get("BANDSHIFT_CACHE")
    if named:
        directory = Path(named).expanduser().absolute()
    else:
        base = os.environ.get("XDG_CACHE_HOME", "")
        # The XDG rules: a relative path there counts as unset.
        home = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
        directory = home / "bandshift"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedError(
            f"The directory {directory} for downloads cannot be made: {error.strerror}.",
            hint="Name another one with BANDSHIFT_CACHE.",
        ) from error
    return directory


def write_private(path: Path, text: str) -> None:
    """Write `text` to `path`, whole or not at all, readable by the owner only."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def tail(path: Path, lines: int = 15) -> str:
    """The last `lines` lines of a log; empty if there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 16_384))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
