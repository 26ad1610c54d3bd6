"""How things look on a terminal: bands in word, shape and colour, and no character that could act on it."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from typing import Final

from schemas.bands import BANDS, UNSCORED

SHAPES: Final = dict(zip([UNSCORED, *BANDS], "·○◔◑◕●", strict=True))
_COLOURS: Final = dict(zip([UNSCORED, *BANDS], (90, 31, 33, 36, 34, 32), strict=True))
_LEVELS: Final = {"ok": 32, "warning": 33, "error": 31}


def coloured() -> bool:
    """Whether standard output shows colours, and is allowed to."""
    return (
        sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    )


class Style:
    """Paints words if `colour`."""

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour

    def paint(self, text: str, code: int) -> str:
        """The text in a colour, by its number in ANSI's codes."""
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text

    def band(self, band: str, width: int = 0) -> str:
        """A band: shape and word, in colour; never by colour alone."""
        return self.paint(f"{SHAPES[band]} {band}".ljust(width + 2 if width else 0), _COLOURS[band])

    def dim(self, text: str) -> str:
        return self.paint(text, 90)

    def strong(self, text: str) -> str:
        return self.paint(text, 1)

    def level(self, level: str, text: str) -> str:
        """A text in the colour of how a check came out."""
        return self.paint(text, _LEVELS[level])


def printable(text: str) -> str:
    """The text without characters that act on a terminal or hide: they are shown as escapes."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def shown(value: bytes | None, most: int = 120) -> str:
    """Bytes on one line, printable and shortened."""
    if value is None:
        return "(null)"
    text = printable(value[: 4 * most].decode("utf-8", "backslashreplace"))
    return (
        text
        if len(text) <= most and len(value) <= 4 * most
        else f"{text[:most]}… ({len(value)} bytes)"
    )


def clock(at: datetime | int) -> str:
    """A time (or ms since 1970) in UTC, to the second."""
    moment = datetime.fromtimestamp(at / 1000, UTC) if isinstance(at, int) else at.astimezone(UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def percent(probability: float) -> str:
    """A probability as a share of a hundred, fine enough to tell small ones apart."""
    return f"{100 * probability:.1f} %"


def table(columns: list[str], rows: list[list[str]]) -> str:
    """Rows under their columns, plain; cells must not be painted."""
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    lines = [columns, *rows]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
