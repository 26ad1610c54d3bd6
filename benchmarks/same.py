"""Whether contestants have decided the same: every customer's band changes, in order."""

from __future__ import annotations

from itertools import zip_longest
from typing import Final, NamedTuple

import msgspec

from benchmarks.ground import PARTITIONS
from stream.broker import client
from stream.broker.reading import bounds, span
from stream.errors import BandshiftError
from stream.settings import Settings


class DifferentError(BandshiftError):
    """Two contestants did not decide the same, so their speed cannot be compared."""


class Change(NamedTuple):
    """What two band changes must have in common; ids and places in the log may differ."""

    outcome: str
    came_from: str
    came_to: str
    probability: float
    decided_at: str


class _Data(msgspec.Struct, rename={"came_from": "from", "came_to": "to"}):
    customer_id: str
    outcome: str
    came_from: str
    came_to: str
    probability: float
    decided_at: str


class _Body(msgspec.Struct):
    data: _Data


_decode: Final = msgspec.json.Decoder(_Body).decode
Changes = dict[str, list[Change]]


async def changes(settings: Settings, topic: str) -> Changes:
    """By customer, the band changes in a topic."""
    found: Changes = {}
    async with client.reader(settings.kafka) as consumer:
        spans = dict(enumerate(await bounds(consumer, topic, PARTITIONS)))
        async for _, records in span(consumer, topic, spans):
            for record in records:
                data = _decode(record.value).data
                change = Change(
                    data.outcome, data.came_from, data.came_to, data.probability, data.decided_at
                )
                found.setdefault(data.customer_id, []).append(change)
    return found


def compare(name: str, expected: Changes, found: Changes) -> None:
    """Raise DifferentError at the first customer whose band changes differ."""
    for customer in sorted(expected.keys() | found.keys()):
        theirs, ours = found.get(customer, []), expected.get(customer, [])
        if theirs != ours:
            pairs = zip_longest(ours, theirs)
            at = next(number for number, (our, their) in enumerate(pairs) if our != their)
            raise DifferentError(
                f"{name} has decided otherwise: customer {customer}, band change {at} of {len(ours)}: "
                f"expected {ours[at : at + 1]}, got {theirs[at : at + 1]}"
            )
