"""What transactions of a log promise: those in memory and those in Kafka, held to the same tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import NamedTuple

import pytest
from aiokafka import AIOKafkaConsumer

from schemas.rejections import Reason, Rejection
from stream.broker import client
from stream.broker.memory import DEAD_LETTERS, MemoryLog, MemoryRecord, MemoryTransactions
from stream.broker.port import Committed, Transactions
from stream.broker.reading import bounds, span
from stream.broker.topics import Topics
from stream.broker.transactions import KafkaTransactions
from stream.errors import RefusedError
from stream.partition.control import Signer
from stream.partition.ledger import Position
from stream.partition.outputs import SCORES, TOUCHPOINTS, Output
from stream.partition.step import DeadLetter
from stream.settings import Settings
from tests.engines import MakeSettings
from tests.support.world import KEY


class Made(NamedTuple):
    """Transactions over a log of one partition, and what readers of a kind of topic see."""

    transactions: Transactions
    others: Transactions
    """Another worker's."""
    seen: Callable[[str], Awaitable[list[bytes | None]]]


async def _kafka(settings: Settings, stack: AsyncExitStack) -> Made:
    topics = Topics(settings.namespace)
    member = AIOKafkaConsumer(
        topics.touchpoints, **client.options(settings.kafka), group_id=topics.group
    )
    await stack.enter_async_context(client.started(settings.kafka, member, member.stop))
    async with asyncio.timeout(30):
        while not member.assignment():  # noqa: ASYNC110 -- the client tells nobody
            await asyncio.sleep(0.05)
    both = [
        await stack.enter_async_context(
            KafkaTransactions(
                member,
                topics,
                lambda number: client.transactional(settings.kafka, topics.publisher(number), 30),
            ).open()
        )
        for _ in range(2)
    ]

    async def seen(kind: str) -> list[bytes | None]:
        async with client.reader(settings.kafka) as reader:
            topic = topics.name(kind)
            spans = dict(enumerate(await bounds(reader, topic, 1)))
            return [
                each.value async for _, records in span(reader, topic, spans) for each in records
            ]

    return Made(both[0], both[1], seen)


def _memory() -> Made:
    log = MemoryLog(Signer(KEY, TOUCHPOINTS))

    async def seen(kind: str) -> list[bytes | None]:
        return [record.value for record in log.topics[kind, 0]]

    return Made(MemoryTransactions(log), MemoryTransactions(log), seen)


@pytest.fixture(params=["memory", "kafka"])
async def made(request: pytest.FixtureRequest, live_settings: MakeSettings) -> AsyncIterator[Made]:
    """Each of them, over an empty log."""
    async with AsyncExitStack() as stack:
        if request.param == "kafka":
            yield await _kafka(await live_settings(partitions=1), stack)
        else:
            yield _memory()


def score(value: bytes) -> Output:
    """An output."""
    return Output(SCORES, 0, b"ann", value, ())


async def test_knows_nothing_at_first(made: Made) -> None:
    """Before the first transaction there is no C; a member may work."""
    await made.transactions.confirm(0)
    await made.transactions.fence(0)
    assert await made.transactions.committed(0) is None


async def test_outputs_and_c_come_together(made: Made) -> None:
    """What was sent can be read, and C is the position given, its cursor and what is buried included."""
    sender = await made.transactions.fence(0)
    reached = Committed(Position(7, 3), 5)
    await sender.send(reached, [score(b"1"), score(b"2")])
    sender = await made.transactions.fence(0)  # the broker ends a transaction after it has answered
    assert await made.transactions.committed(0) == reached
    assert await made.seen(SCORES) == [b"1", b"2"]
    await sender.send(Committed(Position(9)))
    await made.transactions.fence(0)
    assert await made.transactions.committed(0) == Committed(Position(9))


async def test_dead_letters_leave_c_where_it_is(made: Made) -> None:
    """They are published with the note up to where, before the step that they belong to."""
    sender = await made.transactions.fence(0)
    record = MemoryRecord(4, 1_000, b"ann", b"no touchpoint", ())
    dead = DeadLetter(record, Rejection(Reason.NOT_JSON, "record", "expected JSON"))
    await sender.send(Committed(Position(2), 5), dead=[dead])
    await made.transactions.fence(0)
    assert await made.transactions.committed(0) == Committed(Position(2), 5)
    assert await made.seen(DEAD_LETTERS) == [b"no touchpoint"]


async def test_a_former_owner_is_refused(made: Made) -> None:
    """Once another one has begun, nothing of it is published any more, and C does not move."""
    former = await made.transactions.fence(0)
    await former.send(Committed(Position(1)), [score(b"1")])
    newer = await made.others.fence(0)
    with pytest.raises(RefusedError):
        await former.send(Committed(Position(2)), [score(b"2")])
    assert await made.transactions.committed(0) == Committed(Position(1))
    await newer.send(Committed(Position(2)), [score(b"3")])
    await made.others.fence(0)
    assert await made.seen(SCORES) == [b"1", b"3"]
