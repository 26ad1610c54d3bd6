"""What careless producers do, in small doses: touchpoints sent twice, to the wrong partition, or unusable."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec

TWICE_ONE_IN: Final = 97
MISROUTED_ONE_IN: Final = 113
UNUSABLE_ONE_IN: Final = 149


class Sent(NamedTuple):
    """A record for one partition of touchpoints."""

    partition: int
    key: bytes
    value: bytes


class Doses(NamedTuple):
    """How many records were made so on purpose."""

    twice: int = 0
    misrouted: int = 0
    unusable: int = 0

    @classmethod
    def of(cls, played: int) -> Doses:
        """Among so many touchpoints."""
        return cls(played // TWICE_ONE_IN, played // MISROUTED_ONE_IN, played // UNUSABLE_ONE_IN)


def careless(number: int, good: Sent, partitions: int) -> Iterator[Sent]:
    """The records that are sent for the touchpoint of this number (1, 2, ...); none is lost for good."""
    if number % MISROUTED_ONE_IN == 0 and partitions > 1:
        yield good._replace(partition=(good.partition + 1) % partitions)
    else:
        yield good
    if number % TWICE_ONE_IN == 0:
        yield good
    if number % UNUSABLE_ONE_IN == 0:
        spoil = _SPOILS[number // UNUSABLE_ONE_IN % len(_SPOILS)]
        yield good._replace(value=spoil(good.value))


def _changed(**changes: Any) -> Callable[[bytes], bytes]:
    def change(value: bytes) -> bytes:
        fields = msgspec.json.decode(value) | changes
        fields["event_id"] += "-spoilt"
        return msgspec.json.encode(
            {name: field for name, field in fields.items() if field is not None}
        )

    return change


def _early(value: bytes) -> bytes:
    at = datetime.fromisoformat(msgspec.json.decode(value)["occurred_at"])
    return _changed(occurred_at=(at + timedelta(days=1)).astimezone(UTC).isoformat())(value)


_SPOILS: Final[tuple[Callable[[bytes], bytes], ...]] = (
    _changed(type="pigeon_post"),
    lambda value: value[: len(value) // 2],
    _changed(occurred_at=None),
    _changed(value="a lot"),
    _changed(occurred_at="yesterday"),
    _early,
    _changed(customer_id=""),
)
