"""The real shop's log, its calendar moved: history up to now, and what is held back to be played live."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from stream.broker.rows import Row, attributes, moment
from stream.embedded.shop import ShopTouchpoint

DAY_MS: Final = 86_400_000
_WEEK_MS: Final = 7 * DAY_MS
HELD_BACK_MS: Final = 4 * _WEEK_MS
"""At least so much is held back; the calendar moves by whole weeks, so it is up to five."""
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Shop:
    """The log in two parts. Times in ms since 1970."""

    history: Sequence[ShopTouchpoint]
    held_back: Sequence[ShopTouchpoint]
    moved: int
    """What is added to the log's own times."""
    cut: bool
    """Whether an earlier part of the history was left out."""

    @property
    def weeks(self) -> int:
        """By how many weeks the calendar is moved."""
        return self.moved // _WEEK_MS

    @property
    def begin(self) -> int:
        """When the history begins, by the moved calendar."""
        return _at(self.history[0]) + self.moved


def divide(rows: Sequence[ShopTouchpoint], now: int, days: float | None = None) -> Shop:
    """Move the log so that it passes `now` (ms) at least four weeks before its end.

    Moved by whole weeks, every touchpoint keeps its weekday and its hour. Of the part before `now`, the
    history, only the last `days` are kept if they are given.
    """
    # The greatest multiple of a week that leaves four weeks of the log behind `now`, or up to five.
    moved = (now - _at(rows[-1]) + HELD_BACK_MS + _WEEK_MS - 1) // _WEEK_MS * _WEEK_MS
    end = bisect_left(rows, now - moved, key=_at)
    begin = 0 if days is None else bisect_left(rows, now - moved - int(days * DAY_MS), key=_at)
    begin = min(begin, end - 1)
    return Shop(rows[begin:end], rows[end:], moved, cut=begin > 0)


def _at(row: ShopTouchpoint) -> int:
    return moment(row.occurred_at) or 0


def past(shop: Shop) -> Iterator[Row]:
    """The history as rows to import, each at its own time by the moved calendar."""
    for line, row in enumerate(shop.history, 1):
        at = _at(row) + shop.moved
        yield Row(line, row.customer_id, at, body(row, at))


def body(row: ShopTouchpoint, at: int, **other: str) -> bytes:
    """The touchpoint as plain JSON, as if it happened at `at` (ms); `other` replaces fields."""
    fields: dict[str, Any] = {
        "event_id": row.event_id,
        "customer_id": row.customer_id,
        "type": row.type,
        "channel": row.channel,
        "occurred_at": datetime.fromtimestamp(at / 1000, UTC),
    }
    if row.value:
        fields["value"] = float(row.value)
        fields["currency"] = "USD"
    if row.attrs:
        fields["attributes"] = attributes(row.attrs)
    return _encode(fields | other)


def again(rows: Iterable[ShopTouchpoint]) -> Iterator[ShopTouchpoint]:
    """The same touchpoints over and over, each time of new customers, with ids of their own."""
    kept = list(rows)
    for lap in itertools.count(2):
        for row in kept:
            yield row._replace(
                event_id=f"{row.event_id}-{lap}", customer_id=f"{row.customer_id}-{lap}"
            )
