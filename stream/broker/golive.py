"""From history to live: the broker's clock, and a *live* record in every partition. And what must never go live.

A replay's log says so itself: its first record in every partition adopts `replay`. It is signed like every
control record and lies in the only input there is, so it holds even where Redis was emptied.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from schemas.decisions import Decisions
from stream.broker import setup
from stream.broker.client import answering
from stream.broker.reading import first_records
from stream.broker.topics import LIVE_CLOCK, Topics
from stream.errors import BrokerError
from stream.partition.control import CONTROL, REPLAY, Kind, Signer
from stream.pipeline import SETTINGS

_BY_BROKER: Final = 1
"""Of a record's two kinds of timestamp, the broker's."""
_TRIES: Final = 50
_PAUSE_SECONDS: Final = 0.2


class Adopted(NamedTuple):
    """What an adopt record says."""

    what: str = ""
    version: int = 0
    body: str = ""


async def replays(
    consumer: AIOKafkaConsumer, topics: Topics, partitions: int, signer: Signer
) -> dict[int, bool]:
    """By partition that is not empty: whether its log is a replay."""
    found = {}
    for number, record in (await first_records(consumer, topics.touchpoints, partitions)).items():
        headers = [(name, text or b"") for name, text in record.headers]
        control = None
        if any(name == CONTROL for name, _ in headers):
            control = signer.read_control(number, headers, record.value)
        found[number] = control is not None and control.what == REPLAY
    return found


async def mark_replay(
    producer: AIOKafkaProducer, topics: Topics, partitions: Sequence[int], signer: Signer
) -> None:
    """Begin empty partitions with the record that makes them a replay."""
    for number in partitions:
        # At time 0: it must not turn the log's clock, which history is to set.
        await _append(producer, topics, signer, number, Kind.ADOPT, Adopted(REPLAY, 1), at=0)


async def adopt(
    producer: AIOKafkaProducer,
    topics: Topics,
    partitions: Sequence[int],
    signer: Signer,
    decisions: Decisions,
    version: int,
) -> None:
    """Let these decisions take effect from here on. A version not newer than the one in force is ignored."""
    for number in partitions:
        adopted = Adopted(SETTINGS, version, decisions.text)
        await _append(producer, topics, signer, number, Kind.ADOPT, adopted, at=0)


async def go_live(
    admin: AIOKafkaAdminClient,
    producer: AIOKafkaProducer,
    topics: Topics,
    partitions: int,
    signer: Signer,
) -> bool:
    """Switch the clock and append a *live* record to every partition; False if the clock was the broker's before.

    May be repeated: a second *live* record changes nothing.
    """
    switched = await setup.clock(admin, topics) != LIVE_CLOCK
    if switched:
        await setup.set_live_clock(admin, topics)
    for number in range(partitions):
        # The setting reaches the partitions' leaders a little later: first a tick that shows it has.
        await _stamped_by_broker(producer, topics, number, signer)
        await _append(producer, topics, signer, number, Kind.LIVE)
    return switched


async def _stamped_by_broker(
    producer: AIOKafkaProducer, topics: Topics, number: int, signer: Signer
) -> None:
    for _ in range(_TRIES):
        written = await _append(producer, topics, signer, number, Kind.TICK)
        if written.timestamp_type == _BY_BROKER:
            return
        await asyncio.sleep(_PAUSE_SECONDS)
    raise BrokerError(
        f"Kafka: {topics.touchpoints}, partition {number}: the broker still takes the producers' times",
        "run `bandshift live` again",
    )


async def _append(
    producer: AIOKafkaProducer,
    topics: Topics,
    signer: Signer,
    number: int,
    kind: Kind,
    adopted: Adopted = Adopted(),  # noqa: B008 -- immutable
    at: int | None = None,
) -> Any:
    value, headers = signer.control(number, kind, *adopted)
    with answering():
        return await producer.send_and_wait(
            topics.touchpoints,
            value,
            b"",
            partition=number,
            headers=list(headers),
            timestamp_ms=at,
        )
