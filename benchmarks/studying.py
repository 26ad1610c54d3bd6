"""How fast a learner learns: records of `examples` in, snapshots out, as they would be published.

The records are those of a log that went through the whole decision with a learner in step, so what they say
was predicted was predicted, by the versions of their time.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from benchmarks.ground import PARTITIONS
from benchmarks.log import Touch
from schemas.decisions import Decisions
from stream.agents.lesson import Lesson
from stream.evaluation.driver import Driver
from stream.evaluation.driver import Touch as Row
from stream.features.vector import Vectorizer
from stream.model.learning.school import School
from stream.model.learning.trainer import Event
from stream.model.snapshot import Snapshot, encode_snapshot
from stream.partition.control import Headers, Signer
from stream.partition.outputs import EXAMPLES
from stream.partition.step import Step


class Recorded(NamedTuple):
    """A record of `examples`."""

    partition: int
    offset: int
    value: bytes
    headers: Headers


@dataclass
class Course:
    """What a log leaves behind: its examples in the order of their coming, and the latest models."""

    vectorizer: Vectorizer
    records: list[Recorded]
    snapshots: list[Snapshot]


@dataclass
class Desk:
    """Takes what a learner makes, encoded as it would be sent."""

    published: int = 0
    bytes: int = 0
    adopted: list[tuple[int, str, int]] = field(default_factory=list)

    async def publish(self, snapshots: Sequence[Snapshot]) -> None:
        for each in snapshots:
            self.published += each.version > 0
            self.bytes += len(encode_snapshot(each))

    async def tell(self, events: Sequence[tuple[str, int, Event]]) -> None:
        del events

    async def adopt(self, partition: int, outcome: str, version: int) -> None:
        self.adopted.append((partition, outcome, version))

    async def keep(self, snapshots: Sequence[Snapshot]) -> None:
        del snapshots


def course(decisions: Decisions, log: Sequence[Touch]) -> Course:
    """Let a log run through all partitions and the learner, in step with each other."""
    found: list[Recorded] = []
    offsets = [0] * PARTITIONS

    def watch(step: Step) -> None:
        for each in step.outputs:
            if each.topic == EXAMPLES:
                found.append(
                    Recorded(each.partition, offsets[each.partition], each.value, each.headers)
                )
                offsets[each.partition] += 1

    driver = Driver(decisions, PARTITIONS, watch)
    driver.run((Row(each.customer, each.at, each.value) for each in log), lambda _: None)
    snapshots = [trainer.snapshot() for trainer in driver.school.trainers.values()]
    return Course(driver.pipeline.vectorizer, found, snapshots)


async def study(decisions: Decisions, course: Course, *, challengers: bool) -> dict[str, Any]:
    """Learn all of a course from the start, period by period; without challengers, the champion alone."""
    school = School(course.vectorizer, decisions)
    if not challengers:
        for trainer in school.trainers.values():
            champion = trainer.contest.champion
            trainer.contenders = {champion: trainer.contenders[champion]}
    desk = Desk()
    lesson = Lesson(school, PARTITIONS, desk, Signer(b"", ""))
    begin = time.process_time()
    for record in course.records:
        lesson.take(record.partition, [record])
        await lesson.teach()
    seconds = time.process_time() - begin
    trainers = school.trainers.values()
    examples = sum(sum(trainer.trained) for trainer in trainers)
    return {
        "stage_examples": examples,
        "cpu_seconds": seconds,
        "stage_examples_per_second": examples / seconds,
        "versions": desk.published,
        "snapshot_bytes_mean": desk.bytes / max(1, desk.published),
    }
