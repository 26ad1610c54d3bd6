"""Outputs and offsets in one Kafka transaction per step, by a producer of its own for every owned partition.

Starting such a producer takes back what a former owner of the partition left open, and from then on the broker
takes nothing more of that one. The offset carries what a committed offset has no room for, as its metadata.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    IllegalGenerationError,
    MessageSizeTooLargeError,
    NoError,
    ProducerFenced,
    RebalanceInProgressError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    UnknownMemberIdError,
    for_code,
)
from aiokafka.producer import sender
from aiokafka.protocol.group import HeartbeatRequest
from aiokafka.structs import OffsetAndMetadata

from stream.broker.group import counted
from stream.broker.port import Committed
from stream.broker.sending import Sending, answering
from stream.broker.topics import Topics
from stream.errors import BrokerError, NotAMemberError, ProducerSpentError, RefusedError
from stream.partition.ledger import Position
from stream.partition.outputs import Output
from stream.partition.step import DeadLetter

_FOR_GOOD: Final = (
    GroupAuthorizationFailedError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
"""What another producer would meet as well; everything else ends this one, and the partition gets a new one."""
_PATIENCE: Final = 2.0
"""Seconds in which a producer that is given up may end by itself."""
_GONE: Final = "Kafka: the partition went to another worker"
_METADATA: Final = re.compile(r"(\d+):(\d+)(?: of \d+)?")

# The broker ends a transaction after it has answered; until then it refuses the next one, and the client waits
# for 20 ms before it asks again. Measured, with 5 ms: 16 ms a transaction instead of 35.
sender.BACKOFF_OVERRIDE = 0.005

MakeProducer = Callable[[int], AIOKafkaProducer]
"""An unstarted transactional producer for a partition."""


class KafkaTransactions:
    """A `Transactions` over the worker's consumer, inside `open()`."""

    def __init__(
        self, consumer: AIOKafkaConsumer, topics: Topics, make: MakeProducer, partitions: int = 0
    ) -> None:
        """`partitions`: how many the topic has, to be noted beside C; 0 notes nothing."""
        self.beside = counted(partitions) if partitions else ""
        self._consumer = consumer
        self._topics = topics
        self._make = make
        self._at_work: dict[int, AIOKafkaProducer] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def _tp(self, partition: int) -> TopicPartition:
        return TopicPartition(self._topics.touchpoints, partition)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[KafkaTransactions]:
        """Let go of all producers at the end."""
        try:
            yield self
        finally:
            for partition in list(self._at_work):
                self.give_up(partition)
            await asyncio.gather(*self._ending)

    async def confirm(self, partition: int) -> None:
        # No commit, as elsewhere: it could put C back where another owner's transaction has moved it on.
        coordinator = self._consumer._coordinator  # noqa: SLF001
        member = coordinator.generation, coordinator.member_id
        if self._tp(partition) not in self._consumer.assignment():
            raise NotAMemberError(_GONE)
        with answering():
            answer = await coordinator._send_req(  # noqa: SLF001
                HeartbeatRequest(coordinator.group_id, *member)
            )
        error = for_code(answer.error_code)
        if error in {IllegalGenerationError, UnknownMemberIdError}:
            raise NotAMemberError(_GONE)
        if error not in {NoError, RebalanceInProgressError}:
            raise BrokerError(f"Kafka: expected an answer, got {error.__name__}")

    async def fence(self, partition: int) -> KafkaTransactor:
        self.give_up(partition)
        for former in self._at_work.keys() - {tp.partition for tp in self._consumer.assignment()}:
            self.give_up(former)
        made = self._at_work[partition] = self._make(partition)
        try:
            with _transacting(partition):
                await made.start()
        except BaseException:
            self.give_up(partition)
            raise
        return KafkaTransactor(self, made, self._topics, partition)

    async def committed(self, partition: int) -> Committed | None:
        tp = self._tp(partition)
        with answering():
            found = await self._consumer._coordinator.fetch_committed_offsets([tp])  # noqa: SLF001
        offset, metadata = found.get(tp, (-1, ""))
        return None if offset < 0 else parse(offset, metadata)

    async def next(self, partition: int) -> int:
        with answering():
            return int(await self._consumer.position(self._tp(partition)))

    def give_up(self, partition: int, only: AIOKafkaProducer | None = None) -> None:
        """Let go of a partition's producer, whatever it is doing; with `only`, if it is still this one."""
        made = self._at_work.get(partition)
        if made is not None and only in {None, made}:
            del self._at_work[partition]
            ending = asyncio.create_task(_end(made))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)


class KafkaTransactor:
    """A `Transactor` of one started producer."""

    def __init__(
        self, pool: KafkaTransactions, producer: AIOKafkaProducer, topics: Topics, partition: int
    ) -> None:
        self._pool = pool
        self._producer = producer
        self._sending = Sending(producer, topics)
        self._group = topics.group
        self._tp = TopicPartition(topics.touchpoints, partition)

    async def send(
        self,
        reached: Committed,
        outputs: Sequence[Output] = (),
        dead: Sequence[DeadLetter] = (),
    ) -> None:
        partition = self._tp.partition
        try:
            with _transacting(partition):
                await self._producer.begin_transaction()
                await self._sending.publish(outputs)
                if dead:
                    await self._sending.bury(partition, dead)
                # Not side by side: while the group joins the transaction the broker takes no records of it
                # (NotEnoughReplicas, its word for it to clients of this age), and they wait for 100 ms.
                beside = f"{write(reached)} {self._pool.beside}".rstrip()
                offsets = {self._tp: OffsetAndMetadata(reached.position.offset, beside)}
                await self._producer.send_offsets_to_transaction(offsets, self._group)
                await self._producer.commit_transaction()
        except BaseException:
            # Whether it was committed is not known, or it must not be: a new producer ends it, and then C tells.
            self._pool.give_up(partition, self._producer)
            raise


@contextmanager
def _transacting(partition: int) -> Iterator[None]:
    try:
        with answering():
            yield
    except BrokerError as error:
        cause = error.__cause__
        if isinstance(cause, ProducerFenced):
            raise RefusedError(f"partition {partition}: another worker publishes for it") from error
        if isinstance(cause, _FOR_GOOD) and not isinstance(error, ProducerSpentError):
            raise ProducerSpentError(
                f"Kafka: partition {partition}: the broker refused a transaction: {type(cause).__name__}",
                "put right what it names, then start the worker again; see: bandshift doctor",
            ) from cause
        if isinstance(error, ProducerSpentError) and not isinstance(cause, _FOR_GOOD):
            raise BrokerError(str(error)) from cause
        raise
    except AssertionError as error:  # the client's word for: not in the state that this needs
        raise BrokerError("Kafka: the producer's transaction has ended") from error


async def _end(producer: AIOKafkaProducer) -> None:
    """Stop a producer; one that waits for the broker is cut off. What it left open is taken back by the next."""
    stopping: asyncio.Task[Any] = asyncio.create_task(producer.stop())
    await asyncio.wait({stopping}, timeout=_PATIENCE)
    if not stopping.done():
        await producer.client.close()
        stopping.cancel()
    await asyncio.gather(stopping, return_exceptions=True)
    _hear(producer)


def _hear(producer: AIOKafkaProducer) -> None:
    """Look at errors that a fenced producer leaves on futures of its own: else each ends in the log, with a trace."""
    left = [producer._txn_manager.wait_for_transaction_end()]  # noqa: SLF001
    for batches in producer._message_accumulator._batches.values():  # noqa: SLF001
        left += [batch._drain_waiter for batch in batches]  # noqa: SLF001
    for future in left:
        if future is not None and future.done() and not future.cancelled():
            future.exception()


def write(reached: Committed) -> str:
    """What stands beside an offset: its cursor, and up to where dead letters are published."""
    return f"{reached.position.cursor}:{reached.buried}"


def parse(offset: int, metadata: str) -> Committed:
    """C and what stands beside it; whole records only where somebody else has committed it."""
    found = _METADATA.fullmatch(metadata or "")
    cursor, buried = (int(found[1]), int(found[2])) if found else (0, 0)
    return Committed(Position(offset, cursor), buried)
