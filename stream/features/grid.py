"""Tiles of time, on a grid of the customer's own.

Every time in this room is *local*: whole seconds since 1970 plus the customer's shift, a number below one
day that a hash of the id gives. So day edges differ between customers, and not everybody falls due at
midnight. Tiles are 5 minutes wide within the last 65 minutes, 1 hour within 7 days (and one hour), 1 day
beyond; what is older than 90 days (and one day) is dropped.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from zlib import crc32

FINE: Final = 300
HOUR: Final = 3_600
DAY: Final = 86_400
NEVER: Final = 1 << 62

LATEST: Final = (1 << 23) * FINE - DAY
"""Tile numbers have 23 bits: no local time from here (2049) on can be kept."""


class Window(NamedTuple):
    """A span of time that features look back over; its tail is rounded up to one whole tile."""

    name: str
    seconds: int
    tile: int

    @property
    def reach(self) -> int:
        """Seconds from a tile's start until it has left the window."""
        return self.seconds + self.tile


WINDOWS: Final = (
    Window("1h", HOUR, FINE),
    Window("1d", DAY, HOUR),
    Window("7d", 7 * DAY, HOUR),
    Window("30d", 30 * DAY, DAY),
    Window("90d", 90 * DAY, DAY),
)
KEPT: Final = 90 * DAY
"""A touchpoint older than this, by the log's clock, comes too late to be counted."""


def shift(customer_id: str) -> int:
    """Seconds by which this customer's grid is moved, 0 to 86,399."""
    return crc32(customer_id.encode()) % DAY


# Ages grow in steps, so that a feature moves at few, known moments. Within two of the customer's days an
# age is counted in hours of the grid, later in days; each step is a lower bound of the true age.
_HOUR_STEPS = (0, 1, 2, 4, 8, 16)
_DAY_STEPS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 90)
HOURS_COUNTED: Final = 48
_DAYS_COUNTED = 92
MOST_AGE: Final = 90 * 24


def _floor(steps: tuple[int, ...], age: int) -> int:
    return max(step for step in steps if step <= age)


AGE_STEPS: Final[tuple[int, ...]] = (
    *(_floor(_HOUR_STEPS, age) for age in range(HOURS_COUNTED)),
    *(24 * _floor(_DAY_STEPS, max(1, age - 1)) for age in range(_DAYS_COUNTED + 1)),
)
"""Age in hours, by `age_index`: first by hours of the grid (0 to 47), then by days (0 to 92)."""


def age_index(hour: int, last_hour: int) -> int:
    """Where the age of something seen in `last_hour` stands in AGE_STEPS, in `hour`."""
    days = hour // 24 - last_hour // 24
    if days < 2:
        return max(0, hour - last_hour)
    return HOURS_COUNTED + min(days, _DAYS_COUNTED)


NEXT_HOUR_STEP: Final[tuple[int, ...]] = tuple(
    next(step for step in _HOUR_STEPS if step > age) for age in range(_HOUR_STEPS[-1])
)
"""By age in hours: the age at which the next hourly step is taken. Older ages move at day edges only."""
HOURLY: Final = len(NEXT_HOUR_STEP)
