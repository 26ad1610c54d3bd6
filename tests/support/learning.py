"""The learner in memory: it reads what the owners of a world publish, and wakes nobody, for nobody sleeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from schemas.decisions import Decisions
from schemas.home import home
from schemas.types import TypeRegistry
from stream.agents.lesson import Lesson, resume
from stream.features.layout import Layout
from stream.features.vector import Vectorizer
from stream.model.learning.school import School
from stream.model.learning.trainer import Event
from stream.model.snapshot import Snapshot, decode_snapshot, encode_snapshot
from stream.partition.control import Kind, Signer
from stream.partition.outputs import EXAMPLES
from stream.pipeline import MODEL
from tests.support.world import KEY, World

ORDERS = Signer(KEY, EXAMPLES)
"""Signs what is told to a learner."""


@dataclass
class Desk:
    """Keeps what a learner makes, as bytes, as topics would."""

    world: World
    snapshots: list[bytes] = field(default_factory=list)
    states: list[bytes] = field(default_factory=list)
    events: list[tuple[str, int, Event]] = field(default_factory=list)
    adopted: list[tuple[int, str, int]] = field(default_factory=list)

    async def publish(self, snapshots: Sequence[Snapshot]) -> None:
        for each in snapshots:
            self.snapshots.append(encode_snapshot(each))
            self.world.pipelines.library.add(decode_snapshot(self.snapshots[-1]))

    async def tell(self, events: Sequence[tuple[str, int, Event]]) -> None:
        self.events += events

    async def adopt(self, partition: int, outcome: str, version: int) -> None:
        self.adopted.append((partition, outcome, version))
        value, headers = self.world.signer.control(partition, Kind.ADOPT, MODEL + outcome, version)
        self.world.log.add("touchpoints", partition, b"", value, headers)

    async def keep(self, snapshots: Sequence[Snapshot]) -> None:
        self.states = [encode_snapshot(each) for each in snapshots]


class Class:
    """A learner over a world."""

    def __init__(
        self, world: World, desk: Desk | None = None, decisions: Decisions | None = None
    ) -> None:
        """`decisions` are its own settings; those of the world unless given."""
        self.world = world
        self._decisions = decisions or world.pipelines.own
        self.desk = desk or Desk(world)
        self._read = [0] * world.partitions
        self.lesson = self._begin()

    def _begin(self) -> Lesson:
        vectorizer = Vectorizer(Layout(TypeRegistry(self._decisions.types)))
        school = School(vectorizer, self._decisions)
        offsets = resume(school, [decode_snapshot(each) for each in self.desk.states])
        self._read = [offsets.get(number, 0) for number in range(self.world.partitions)]
        partitions = self.world.partitions
        return Lesson(school, partitions, self.desk, ORDERS, offsets)

    def order(self, outcome: str, body: str, signer: Signer = ORDERS) -> None:
        """Tell the learner of an outcome something, as the command line would."""
        partition = home(outcome, self.world.partitions)
        value, headers = signer.control(partition, Kind.ADOPT, MODEL + outcome, 0, body)
        self.world.log.add(EXAMPLES, partition, b"", value, headers)

    async def learn(self, most: Callable[[], int | None] = lambda: None) -> int:
        """Learn what has been published since, `most` records of each partition; how many periods there were."""
        for number, begin in enumerate(self._read):
            records = self.world.log.topics[EXAMPLES, number][begin:][: most()]
            self._read[number] += len(records)
            self.lesson.take(number, records)
        return await self.lesson.teach()

    @property
    def read_all(self) -> bool:
        """Whether it has read all that was published."""
        ends = [len(self.world.log.topics[EXAMPLES, n]) for n in range(self.world.partitions)]
        return self._read == ends

    async def killed(self) -> None:
        """It is gone with all that it had not kept, and another begins."""
        self.lesson = self._begin()

    async def keep(self) -> None:
        """Keep what starting again needs."""
        await self.desk.keep(self.lesson.states())

    async def until_done(self, work: Callable[[], object] | None = None) -> None:
        """Owners and learner take turns until neither has anything left to do."""
        moved = True
        while moved:
            moved = await self.world.work_once()
            if work is not None:
                work()
            moved = bool(await self.learn()) or moved
