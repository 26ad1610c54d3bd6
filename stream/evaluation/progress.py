"""Telling how far an evaluation has come."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told how far a long computation has come."""

    def __call__(self, done: int, total: int, what: str, /) -> None:
        """`done` of `total` steps of `what`."""


def no_progress(_done: int, _total: int, _what: str, /) -> None:
    """Tell nobody."""
