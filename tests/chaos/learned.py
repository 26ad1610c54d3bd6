"""Whether a new learner makes of the recorded examples what was published."""

from __future__ import annotations

from collections.abc import Sequence

from stream import app
from stream.agents.lesson import Lesson
from stream.broker.memory import MemoryRecord
from stream.broker.topics import Topics
from stream.errors import BandshiftError
from stream.model.learning.school import School
from stream.model.learning.trainer import Event
from stream.model.snapshot import Snapshot, decode_snapshot, encode_snapshot
from stream.partition.control import Signer
from stream.settings import Settings
from tests.chaos.compare import Differences, output_ids
from tests.chaos.undisturbed import Records


class _Nowhere:
    """A desk on which nothing is kept but the versions."""

    def __init__(self) -> None:
        self.made: dict[tuple[str, int], Snapshot] = {}

    async def publish(self, snapshots: Sequence[Snapshot]) -> None:
        for each in snapshots:
            if each.version:
                self.made[each.outcome, each.version] = decode_snapshot(encode_snapshot(each))

    async def tell(self, events: Sequence[tuple[str, int, Event]]) -> None:
        pass

    async def adopt(self, partition: int, outcome: str, version: int) -> None:
        pass

    async def keep(self, snapshots: Sequence[Snapshot]) -> None:
        pass


async def compare_models(
    differences: Differences,
    settings: Settings,
    examples: Records,
    snapshots: Sequence[MemoryRecord],
) -> None:
    """A new learner over the recorded examples, first occurrences, makes the versions that were published."""
    published: dict[tuple[str, int], Snapshot] = {}
    double = []
    for record in snapshots:
        made = decode_snapshot(record.value or b"")
        if made.version and published.setdefault((made.outcome, made.version), made) != made:
            double.append(f"{made.outcome} {made.version}")
    differences.add("versions with two contents", double, len(published))
    topics = Topics(settings.namespace)
    partitions = settings.kafka.partitions
    vectorizer = app.pipelines(settings, topics, partitions).get("").vectorizer
    school, desk = School(vectorizer, settings.decisions), _Nowhere()
    lesson = Lesson(school, partitions, desk, Signer(settings.control_key(), topics.examples))
    for number, records in examples.items():
        seen: set[str] = set()
        for name, record in zip(output_ids(records), records, strict=True):
            if name not in seen:
                seen.add(name)
                lesson.take(number, [record])
    try:
        await lesson.teach()
    except BandshiftError as error:
        differences.add("models", [f"cannot be learned again: {error}"], 1)
        return
    wrong = [
        f"{name}: version {desk.made.get(name) and desk.made[name].version} learned again, "
        f"{published.get(name) and published[name].version} published"
        for name in desk.made.keys() | published.keys()
        if desk.made.get(name) != published.get(name)
    ]
    for name, trainer in school.trainers.items():
        last = max((version for outcome, version in published if outcome == name), default=0)
        if last and trainer.snapshot().stages != published[name, last].stages:
            wrong.append(f"{name}: other weights than those of version {last}")
    differences.add("models", wrong, len(published))
