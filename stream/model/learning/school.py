"""The learners of some outcomes, period by period."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from schemas.decisions import Decisions
from schemas.learning import Learning
from stream.features.vector import Vectorizer
from stream.model.learning.earlier import Earlier
from stream.model.learning.gathering import Period
from stream.model.learning.trainer import Event, Trainer
from stream.model.snapshot import Snapshot


class Taught(NamedTuple):
    """What came of a period: a snapshot per outcome (of version 0 where there is no new one), and events."""

    snapshots: list[Snapshot]
    events: list[tuple[str, Event]]


class School:
    """One trainer per outcome."""

    def __init__(
        self, vectorizer: Vectorizer, decisions: Decisions, only: Sequence[str] | None = None
    ) -> None:
        self._vectorizer = vectorizer
        self._learning = decisions.learning or Learning()
        self.earlier = Earlier(vectorizer)
        self.trainers = {
            outcome.name: Trainer(outcome, vectorizer, self._learning)
            for outcome in decisions.outcomes
            if only is None or outcome.name in only
        }

    def begin_anew(self, name: str, version: int) -> None:
        """Forget what was learned of an outcome; its versions go on after the last one."""
        trainer = Trainer(self.trainers[name].outcome, self._vectorizer, self._learning)
        trainer.version = version
        trainer.speaks_from = version + 1
        self.trainers[name] = trainer

    def catch_up(self) -> None:
        """Let the challengers learn what the champions have learned."""
        for trainer in self.trainers.values():
            trainer.catch_up()

    def train(self, period: Period) -> Taught:
        """Learn a period in all outcomes."""
        found = Taught([], [])
        for name, trainer in self.trainers.items():
            if period.known_to <= trainer.known_to:  # it went on from a later state than the others
                continue
            events, due = trainer.train(
                period.labels.get(name, ()), period.known_to, period.orders.get(name, ())
            )
            found.events.extend((name, event) for event in events)
            found.snapshots.append(trainer.publish() if due else progress(trainer))
        return found


def progress(trainer: Trainer) -> Snapshot:
    """Says how far a trainer has come where it has no new version."""
    made = trainer.snapshot()
    return replace(made, version=0, stages=(), metrics={}, means={}, features=())
