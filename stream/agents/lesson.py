"""A learner's work: records of `examples` in, snapshots, events and adoptions out. The core decides."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from msgspec.structs import replace

from schemas.home import home
from stream.errors import ModelError
from stream.model.learning.earlier import UnknownFeaturesError
from stream.model.learning.gathering import Gathering, Period
from stream.model.learning.orders import UnreadableOrderError, read_order
from stream.model.learning.records import (
    Example,
    UnreadableExampleError,
    Watermark,
    read_example,
)
from stream.model.learning.school import School
from stream.model.learning.trainer import Event
from stream.model.snapshot import Snapshot, UnreadableSnapshotError
from stream.partition.control import CONTROL, Signer
from stream.pipeline import MODEL

logger = logging.getLogger("bandshift.learner")


class Desk(Protocol):
    """Where a learner puts what it has made; each method returns when it is acknowledged."""

    async def publish(self, snapshots: Sequence[Snapshot]) -> None:
        """Put snapshots where scorers find them."""

    async def tell(self, events: Sequence[tuple[str, int, Event]]) -> None:
        """Tell what happened: outcome, its version, and the event."""

    async def adopt(self, partition: int, outcome: str, version: int) -> None:
        """Append an *adopt* record to a live partition of touchpoints."""

    async def keep(self, snapshots: Sequence[Snapshot]) -> None:
        """Keep what starting again needs."""


@dataclass
class Marks:
    """By partition of `examples`: the offsets behind its latest watermarks."""

    found: list[list[tuple[int, int]]]

    @classmethod
    def of(cls, partitions: int, known_to: int, begun: Mapping[int, int]) -> Marks:
        """Of a reading that begins at these offsets, behind watermarks up to `known_to`."""
        return cls(
            [[(known_to, begun[each])] if each in begun else [] for each in range(partitions)]
        )

    def mark(self, partition: int, known_to: int, offset: int) -> None:
        """A watermark, and the offset behind it.

        One that a former owner repeats is passed over: labels that are yet to be learned lie before it.
        """
        marks = self.found[partition]
        if not marks or known_to > marks[-1][0]:
            marks.append((known_to, offset))

    def behind(self, known_to: int) -> dict[str, int]:
        """From where on to read for labels known after a time; earlier marks are forgotten."""
        offsets = {}
        for partition, marks in enumerate(self.found):
            past = [mark for mark in marks if mark[0] <= known_to]
            if past:
                offsets[str(partition)] = past[-1][1]
                marks[:] = marks[len(past) - 1 :]
        return offsets


class Lesson:
    """Some outcomes, learned from one reading of `examples`."""

    def __init__(
        self,
        school: School,
        partitions: int,
        desk: Desk,
        signer: Signer,
        begun: Mapping[int, int] | None = None,
    ) -> None:
        """`signer` checks the control records of `examples`; `begun` is where `resume` says to read on."""
        self.school = school
        self._partitions = partitions
        self._desk = desk
        self._signer = signer
        known = min((trainer.known_to for trainer in school.trainers.values()), default=0)
        self._gathering = Gathering(partitions, known)
        self._marks = Marks.of(partitions, known, begun or {})
        self.forged = 0
        """Control records whose signature does not hold."""
        self._adopted: list[dict[str, int]] = [{} for _ in range(partitions)]

    def take(self, partition: int, records: Sequence[Any]) -> None:
        """Take in records of one partition, in their order.

        Raises ModelError for an example of features that these settings do not have: to pass it over would
        lose its labels for good.
        """
        for record in records:
            if any(name == CONTROL for name, _ in record.headers):
                self._order(partition, record)
                continue
            try:
                found = read_example(record.value or b"")
            except UnreadableExampleError as error:
                logger.warning("examples, partition %d: %s", partition, error)
                continue
            if isinstance(found, Watermark):
                if found.partition == partition:
                    self._gathering.mark(found)
                    self._marks.mark(partition, found.known_to, record.offset + 1)
            else:
                self._labels(found, f"examples, partition {partition}, offset {record.offset}")

    def _labels(self, example: Example, place: str) -> None:
        vector = None
        for name, labelled in example.labels.items():
            outcome = name.rpartition(":")[0]
            trainer = self.school.trainers.get(outcome)
            if trainer is None:
                continue
            if vector is None:
                vector = self._present(example.features, labelled.vector, place)
            found = labelled._replace(vector=vector)
            # Labels of a horizon or of stages that the outcome had before say something else.
            if trainer.asks_for(found):
                self._gathering.label(outcome, found)

    def _present(self, features: str, vector: bytes, place: str) -> bytes:
        try:
            return self.school.earlier.present(features, vector)
        except UnknownFeaturesError:
            raise ModelError(
                f"{place}: the example is of features that these settings do not have",
                "start the learner with the settings that the log has adopted, types included",
            ) from None

    def _order(self, partition: int, record: Any) -> None:
        """Take in what somebody tells a learner; what is not signed for this partition is not obeyed."""
        headers = [(name, text or b"") for name, text in record.headers]
        control = self._signer.read_control(partition, headers, record.value)
        place = f"examples, partition {partition}, offset {record.offset}"
        if control is None:
            self.forged += 1
            logger.warning("%s: ignored, the signature does not hold", place)
            return
        outcome = control.what.removeprefix(MODEL)
        if outcome not in self.school.trainers:
            return  # it is another learner's
        try:
            order = read_order(record.offset + 1, control.body)
        except UnreadableOrderError as error:
            logger.warning("%s: ignored, %s", place, error)
            return
        if partition == home(outcome, self._partitions):
            self._gathering.order(partition, outcome, order)
        else:
            logger.warning("%s: ignored, %s is ordered about elsewhere", place, outcome)

    async def teach(self) -> int:
        """Learn the periods that are complete; how many there were."""
        count = 0
        for period in self._gathering.complete():
            await self._period(period)
            count += 1
        await self._bring_into_force()
        return count

    async def _period(self, period: Period) -> None:
        # In a thread: the learner must stay a member of its group meanwhile.
        taught = await asyncio.to_thread(self.school.train, period)
        await self._desk.publish(taught.snapshots)
        versions = {name: trainer.version for name, trainer in self.school.trainers.items()}
        await self._desk.tell([(name, versions[name], event) for name, event in taught.events])
        await asyncio.to_thread(self.school.catch_up)

    async def _bring_into_force(self) -> None:
        """Live partitions are told of versions that they have not been told of."""
        for partition, adopts in enumerate(self._gathering.adopts):
            if not adopts:
                continue
            told = self._adopted[partition]
            for name, trainer in self.school.trainers.items():
                if trainer.version > told.get(name, 0):
                    await self._desk.adopt(partition, name, trainer.version)
                    told[name] = trainer.version

    def states(self) -> list[Snapshot]:
        """What starting again needs, by outcome."""
        found = []
        for trainer in self.school.trainers.values():
            made = trainer.snapshot(resume=True)
            offsets = self._marks.behind(trainer.known_to)
            found.append(replace(made, resume={**(made.resume or {}), "offsets": offsets}))
        return found


def resume(school: School, states: Sequence[Snapshot]) -> dict[int, int]:
    """Let trainers go on from states; from which offset of `examples` on to read, by partition."""
    offsets: list[dict[str, int]] = []
    for name, trainer in list(school.trainers.items()):
        mine = [each for each in states if each.outcome == name]
        try:
            if mine:
                trainer.resume(mine[-1])
        except (UnreadableSnapshotError, KeyError, TypeError, ValueError) as error:
            logger.warning("model-states: %s begins anew: %s", name, error)
            school.begin_anew(name, mine[-1].version)
            mine = []
        offsets.append((mine[-1].resume or {})["offsets"] if mine else {})
    shared = set.intersection(*(set(each) for each in offsets)) if offsets else set()
    return {int(partition): min(each[partition] for each in offsets) for partition in shared}
