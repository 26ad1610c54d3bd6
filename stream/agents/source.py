"""Whole polled batches of touchpoints, to the Faust agent `score`.

A service of the worker with a consumer of its own: a Faust topic stream costs 75 microseconds an event
before the agent does anything, a batch on a channel next to nothing (docs/adr/0001).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError, OffsetOutOfRangeError

from stream.agents.channel import Put
from stream.agents.collector import Collector
from stream.agents.owner import Owner
from stream.agents.watch import Watch
from stream.broker.port import Log
from stream.errors import (
    BandshiftError,
    BrokerError,
    LogLostError,
    ProducerSpentError,
    SettingsError,
    StuckError,
)
from stream.partition.intake import Record
from stream.settings import WorkerSettings

_IDLE_SECONDS: Final = 1.0
"""How often the owner of an idle partition looks whether it still is."""
_REST_SECONDS: Final = 0.5
"""How long a partition rests after a failure, before it is taken over again."""
_CHECK_SECONDS: Final = 5.0
_ANSWER_SECONDS: Final = 2.0
"""How long the loop waits for Kafka: its client itself would try for ever, and nobody look on meanwhile."""
_WAIT_SECONDS: Final = 0.1
_LOOK_MS: Final = 5
LAST_SECONDS: Final = 1.2
"""How long owners may take to finish when the worker is told to stop: it must be gone within 5 s."""
FINISH_SECONDS: Final = 10.0
"""How long an owner may take to finish before its partition goes to another worker."""

logger = logging.getLogger("bandshift.worker")


@dataclass
class Poll:
    """What one poll brought, by owner."""

    work: Sequence[tuple[Owner, Sequence[Record]]]
    begin_one: Callable[[Owner, Sequence[Record]], None]

    def begin(self) -> None:
        """Let every owner take in its records, side by side: while one waits for the store, another computes.

        Nobody waits for all of them: an owner whose outputs the broker does not take holds up no other.
        """
        for owner, records in self.work:
            self.begin_one(owner, records)


class Source(ConsumerRebalanceListener):  # type: ignore[misc]
    """Polls, hands out, commits; keeps an owner per assigned partition."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        log: Log,
        topic: str,
        make_owner: Callable[[int], Owner],
        settings: WorkerSettings,
        partitions: int,
    ) -> None:
        self._consumer = consumer
        self._log = log
        self._topic = topic
        self._make_owner = make_owner
        self._settings = settings
        self._partitions = partitions
        self._gather = settings.gather_ms / 1000
        self._given: set[Owner] = set()
        """Owners who were given something, and have not begun yet."""
        self._working: dict[Owner, asyncio.Task[None]] = {}
        self._letting_go = False
        self._rests: dict[int, float] = {}
        self._looked: dict[int, float] = {}
        self.owners: dict[int, Owner] = {}
        self._watch = Watch(settings.stuck_seconds)
        self._missing = False
        """Whether the topic was not to be seen when last looked for."""
        self._ready: bool | None = None
        """What the ready file says; None before it was first written."""
        self._fatal: BandshiftError | None = None

    # -- owners at work ----------------------------------------------------------------------------------

    def _begin(self, owner: Owner, records: Sequence[Record]) -> None:
        task = asyncio.create_task(self._work(owner, records))
        self._working[owner] = task
        self._given.discard(owner)
        task.add_done_callback(lambda _: self._working.pop(owner))

    async def _work(self, owner: Owner, records: Sequence[Record]) -> None:
        try:
            async with asyncio.timeout(self._settings.step_seconds):
                await owner.work(records)
        except asyncio.CancelledError:
            owner.ready = False
            raise
        except Exception as error:  # noqa: BLE001 -- whatever went wrong, the partition is taken over anew
            owner.ready = False
            self._failed(owner, error)

    # -- rebalances --------------------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Finish what is under way, commit it, and let go."""
        self._letting_go = True
        try:
            await self._finish(FINISH_SECONDS)
        finally:
            self._letting_go = False
            for tp in revoked:
                self.owners.pop(tp.partition, None)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Every assigned partition gets an owner, who takes over before it works."""
        for tp in assigned:
            self.owners[tp.partition] = self._make_owner(tp.partition)
        logger.info("partitions: %s", sorted(self.owners))

    async def _finish(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while self._given or self._working:
                    await self._one_done()
                for owner in self.owners.values():
                    if owner.ready:
                        await owner.acknowledged()
        except (BandshiftError, TimeoutError) as error:
            logger.warning("not all could be finished: %s", str(error) or type(error).__name__)
        await self._commit_within(LAST_SECONDS)

    async def _one_done(self) -> None:
        """Wait until an owner has done its work, or a little."""
        if self._working:
            working = list(self._working.values())
            await asyncio.wait(working, timeout=_WAIT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(_WAIT_SECONDS / 2)

    # -- the loop ----------------------------------------------------------------------------------------

    async def run(self, put: Put, stopping: Callable[[], bool]) -> None:
        """Poll until told to stop; then finish the batch and commit. Raises what the worker cannot mend."""
        self._tell_ready(ready=False)
        try:
            with Collector() as collector:
                await _until(stopping, self._loop(put, stopping, collector))
        finally:
            self._tell_ready(ready=False)
        await self._finish(LAST_SECONDS)

    async def _loop(self, put: Put, stopping: Callable[[], bool], collector: Collector) -> None:
        loop = asyncio.get_running_loop()
        committed = checked = loop.time()
        while not stopping():
            if self._fatal is not None:
                raise self._fatal
            poll = await self._next()
            if poll.work:
                self._given.update(owner for owner, _ in poll.work)
                await put(poll)
                await asyncio.sleep(self._gather)
            collector.between_polls(loop.time())
            if loop.time() - committed >= self._settings.commit_seconds:
                await self._commit_within(_ANSWER_SECONDS)
                committed = loop.time()
            if loop.time() - checked >= _CHECK_SECONDS:
                self._check_partitions()
                await self._check_broker()
                await self._check_progress(loop.time())
                checked = loop.time()

    async def _next(self) -> Poll:
        """The next batch: records of partitions that are ready, nothing for those that must look or take over."""
        if (
            self._working
        ):  # a fetch under way does not grow: what is soon done had better be part of it
            await asyncio.wait(self._working.values(), timeout=self._gather)
        now = asyncio.get_running_loop().time()
        owners = [owner for owner in self.owners.values() if self._free(owner, now)]
        if not owners:
            await self._one_done()
        hungry = [owner for owner in owners if owner.ready and not owner.busy]
        ready = [TopicPartition(self._topic, owner.partition) for owner in hungry]
        work: list[tuple[Owner, Sequence[Record]]] = [
            (owner, ()) for owner in owners if owner not in hungry
        ]
        found = await self._read(ready, wait=not work)
        for owner in hungry:
            records = found.get(owner.partition)
            if self.owners.get(owner.partition) is not owner:
                continue  # a rebalance took it meanwhile: these are the next owner's
            if records:
                work.append((owner, records))
                self._looked[owner.partition] = now
            elif now - self._looked.get(owner.partition, 0) >= _IDLE_SECONDS:
                work.append((owner, ()))
                self._looked[owner.partition] = now
        return Poll(work, self._begin)

    def _free(self, owner: Owner, now: float) -> bool:
        if self._letting_go or owner in self._given or owner in self._working:
            return False
        return self._rests.get(owner.partition, 0) <= now

    async def _read(
        self, ready: list[TopicPartition], *, wait: bool
    ) -> dict[int, Sequence[Record]]:
        """All that there is of these partitions; they rest until they are asked for again.

        Kafka's client fetches ahead, and then nothing more from a broker until all of that was taken: what
        came during the pause would lie about for the whole of the next one. So partitions are paused
        meanwhile, and a fetch brings what has gathered at the broker.
        """
        if not ready:
            return {}
        # While others work there is soon more to do than to wait for these.
        longest = _LOOK_MS if self._given or self._working else _WAIT_SECONDS * 1000
        try:
            self._consumer.resume(*ready)
            found = await self._consumer.getmany(*ready, timeout_ms=longest if wait else 0)
            if found:
                self._consumer.pause(*ready)
        except IllegalStateError:  # a rebalance took one of them meanwhile
            await asyncio.sleep(0.01)
            return {}
        except OffsetOutOfRangeError as error:
            self._begin_anew(error.args[0])
            return {}
        except KafkaError as error:
            logger.warning("Kafka: expected records, got %s", type(error).__name__)
            now = asyncio.get_running_loop().time()
            for tp in ready:
                self._watch.failed(tp.partition, _unanswered_by(error), now)
            await asyncio.sleep(_REST_SECONDS)
            return {}
        return {tp.partition: records for tp, records in found.items()}

    def _begin_anew(self, offsets: Mapping[TopicPartition, int]) -> None:
        """The log is not where these partitions stand any more: taking over says what is missing."""
        for tp in offsets:
            if tp.partition in self.owners:
                self.owners[tp.partition].ready = False

    def _failed(self, owner: Owner, error: BaseException) -> None:
        partition = owner.partition
        self._watch.failed(partition, error, asyncio.get_running_loop().time())
        if isinstance(error, LogLostError | ProducerSpentError):
            self._fatal = error
        elif isinstance(error, BandshiftError | TimeoutError):
            logger.warning(
                "partition %d: taken over again: %s", partition, str(error) or type(error).__name__
            )
        else:
            logger.error("partition %d: %s", partition, type(error).__name__, exc_info=error)
        self._rests[partition] = asyncio.get_running_loop().time() + _REST_SECONDS

    def _check_partitions(self) -> None:
        count = len(self._consumer.partitions_for_topic(self._topic) or ())
        missing, self._missing = (
            self._missing,
            not count,
        )  # at once it may be a broker that knows nothing yet
        if count != self._partitions and (count or missing):
            self._fatal = LogLostError(
                f"{self._topic}: expected {self._partitions} partitions, now there are {count}",
                "where the topic was enlarged, customers' homes have moved: copy the log into a new namespace "
                "with that many partitions: bandshift rebuild --namespace next",
            )

    async def _check_broker(self) -> None:
        """Ask Kafka something, for owners that wait for it cannot tell: its client tries for them for ever."""
        for partition in list(self.owners)[:1]:
            try:
                async with asyncio.timeout(_ANSWER_SECONDS):
                    await self._log.end(partition)
            except TimeoutError:
                self._unanswered(BrokerError("Kafka: expected an answer, got none"))
            except BrokerError as error:
                self._unanswered(error)

    async def _check_progress(self, now: float) -> None:
        """See that all partitions get on, as far as they can."""
        unread = {number: await self._unread(number) for number in list(self.owners)}
        standings = {
            number: owner.standing(unread.get(number, 0)) for number, owner in self.owners.items()
        }
        stuck = self._watch.look(standings, now)
        well = all(owner.ready for owner in self.owners.values())
        self._tell_ready(ready=well and not self._watch.troubles and stuck is None)
        if stuck is None:
            return
        for owner, task in self._working.items():
            logger.error("partition %d is at work: %s", owner.partition, _where(task))
        self._fatal = StuckError(
            stuck, "start the worker again; if it comes to the same place, see: bandshift doctor"
        )

    def _tell_ready(self, *, ready: bool) -> None:
        file = self._settings.ready_file
        if file is None or ready == self._ready:
            return
        self._ready = ready
        try:
            if ready:
                file.touch()
            else:
                file.unlink(missing_ok=True)
        except OSError as error:
            self._fatal = SettingsError(
                f"worker.ready_file: expected a file that can be written, {file}: {error.strerror}"
            )

    async def _unread(self, partition: int) -> int:
        """How much lies in the log behind what was handed over, as of the last fetch.

        By where the client stands and not by the last record: it passes the ends of transactions, too.
        """
        tp = TopicPartition(self._topic, partition)
        if tp not in self._consumer.assignment():  # a rebalance is under way
            return 0
        end = self._consumer.last_stable_offset(tp)
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                return max(0, end - await self._consumer.position(tp)) if end else 0
        except (TimeoutError, KafkaError):  # it does not stand anywhere yet
            return 0

    # -- offsets -----------------------------------------------------------------------------------------

    async def commit(self) -> None:
        """Commit C for every partition whose acknowledged outputs allow it."""
        offsets = {
            partition: offset
            for partition, owner in self.owners.items()
            if (offset := owner.to_commit()) is not None
        }
        if offsets:
            owners = {partition: self.owners[partition] for partition in offsets}
            await self._log.commit(offsets)
            for partition, owner in owners.items():
                owner.committed(offsets[partition])

    async def _commit_within(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._try_commit()
        except TimeoutError:
            logger.warning("offsets not committed: Kafka does not answer")
            self._unanswered(BrokerError("Kafka: expected an answer to a commit, got none"))

    def _unanswered(self, error: BrokerError) -> None:
        """Kafka is away, so all partitions have a reason to stand still."""
        now = asyncio.get_running_loop().time()
        for partition in self.owners:
            self._watch.failed(partition, error, now)

    async def _try_commit(self) -> None:
        try:
            await self.commit()
        except BandshiftError as error:
            # Not a member any more, or no broker: the next step's claim, or the rebalance, will tell.
            logger.warning("offsets not committed: %s", error)


async def _until(stopping: Callable[[], bool], work: Coroutine[Any, Any, None]) -> None:
    """Do a work that ends when asked to stop; amid a rebalance it may wait for all others, and is cut off."""
    working = asyncio.create_task(work)
    try:
        while not working.done() and not stopping():
            await asyncio.wait({working}, timeout=_WAIT_SECONDS)
        await asyncio.wait({working}, timeout=_REST_SECONDS)
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    if not working.cancelled():
        working.result()


def _unanswered_by(error: KafkaError) -> BrokerError:
    return BrokerError(f"Kafka: expected records, got {type(error).__name__}")


def _where(task: asyncio.Task[None]) -> str:
    """Where a task waits, from the outermost call to the innermost: its own stack has the outermost only."""
    found: list[str] = []
    waiting: Any = task.get_coro()
    while (frame := getattr(waiting, "cr_frame", None)) is not None:
        found.append(f"{frame.f_code.co_qualname}:{frame.f_lineno}")
        waiting = waiting.cr_await
    return " > ".join(found)
