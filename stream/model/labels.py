"""When examples open, what occurs while they wait, and when their labels are known. All by the log's clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple
from zlib import crc32

from schemas.learning import Learning
from schemas.outcomes import Outcome
from schemas.types import TypeRegistry
from stream.features.grid import DAY, NEVER
from stream.features.pending import DONE, OPEN, Pending
from stream.features.state import CustomerState

_SALT: Final = b"example:"
"""So that the day of the week does not hang together with the hour at which a customer's days begin."""


def predicted_size(stages: int) -> int:
    """Bytes of what is predicted of an outcome: version, probability, and log-odds of each stage."""
    return 8 + 4 * stages


class Label(NamedTuple):
    """What is known of one outcome of an example at the end of one of its stages."""

    place: int
    """The number of the outcome."""
    stage: int
    at_risk: bool
    """Whether the outcome had not occurred by the stage's start; else the stage says nothing."""
    occurred: bool
    """Whether it occurred by the stage's end."""
    final: bool
    """Whether this is the horizon's end."""


class Labelled(NamedTuple):
    """An example, and the labels that are known since this moment."""

    pending: Pending
    labels: list[Label]


class Schedule:
    """The examples of a deployment with these outcomes."""

    def __init__(
        self, learning: Learning, outcomes: Sequence[Outcome], registry: TypeRegistry
    ) -> None:
        self.learning = learning
        self._outcomes = len(outcomes)
        self._grace = learning.grace_days * DAY
        self._ends = [outcome.stage_ends for outcome in outcomes]
        self._counts: dict[int, list[tuple[int, int | None]]] = {}
        """By type number: which outcomes it counts for, and from which value on (in hundredths)."""
        for place, outcome in enumerate(outcomes):
            least = None if outcome.min_value is None else round(outcome.min_value * 100)
            for name in outcome.types:
                number = registry.places[name].number
                self._counts.setdefault(number, []).append((place, least))

    def opens(self, state: CustomerState) -> bool:
        """Whether the customer opens an example at `state.at`, the beginning of one of its days."""
        day, inside = divmod(state.at, DAY)
        if inside:
            return False
        every = self.learning.every_days
        return day % every == crc32(_SALT + state.customer_id.encode()) % every

    def opens_by_event(self, state: CustomerState) -> bool:
        """Whether it opens one at a touchpoint: at the first of one of its days, if at all."""
        if not self.learning.on_events:
            return False
        pending = state.examples()
        return not pending or (pending[-1].opened + state.shift) // DAY < state.at // DAY

    def open(self, state: CustomerState) -> Pending:
        """Open an example at `state.at`."""
        opened = Pending(state.at - state.shift, bytearray([OPEN]) * self._outcomes)
        state.examples().append(opened)
        state.moved()
        opened.due = self._next(opened)
        state.matures = min(state.matures, opened.due)
        return opened

    def occurred(self, state: CustomerState, kind: int, cents: int, happened: int) -> None:
        """Note a touchpoint in the examples that were open when it happened."""
        counts = self._counts.get(kind)
        if counts is None or state.matures == NEVER:
            return
        for pending in state.examples():
            since = happened - pending.opened
            if since <= 0:
                continue
            for place, least in counts:
                if pending.marks[place] != DONE and (least is None or cents >= least):
                    self._mark(state, pending, place, since)

    def _mark(self, state: CustomerState, pending: Pending, place: int, since: int) -> None:
        for stage, end in enumerate(self._ends[place]):
            if since <= end * DAY:
                if stage < pending.marks[place]:
                    pending.marks[place] = stage
                    state.moved()
                return

    def mature(self, state: CustomerState) -> list[Labelled]:
        """The labels known at `state.at` and not before, the oldest example first."""
        now = state.at - state.shift
        if now < state.matures:
            return []
        found, kept, matures = [], [], NEVER
        for pending in state.examples():
            if not pending.due:
                pending.due = self._next(pending)
            if pending.due <= now:
                labels = self._labels(pending, now)
                if labels:
                    found.append(Labelled(pending, labels))
                pending.due = self._next(pending)
            if pending.due < NEVER:
                kept.append(pending)
                matures = min(matures, pending.due)
        state.pending, state.matures = kept, matures
        state.moved()
        return found

    def _labels(self, pending: Pending, now: int) -> list[Label]:
        found = []
        known = (now - pending.opened - self._grace) // DAY
        for place, ends in enumerate(self._ends):
            mark = pending.marks[place]
            if mark == DONE:
                continue
            if not self._fits(pending, place):  # it was opened when the outcome had other stages
                pending.marks[place] = DONE
                continue
            for stage, end in enumerate(ends):
                if not pending.given < end <= known:
                    continue
                at_risk, final = mark >= stage, stage == len(ends) - 1
                if at_risk or final:
                    found.append(Label(place, stage, at_risk, mark <= stage, final))
                if final:
                    pending.marks[place] = DONE
        pending.given = max(pending.given, known)
        return found

    def _fits(self, pending: Pending, place: int) -> bool:
        """Whether what was predicted is of these stages; what was opened in the same step is not filled in yet."""
        predicted = pending.predicted[place]
        return not predicted or len(predicted) == predicted_size(len(self._ends[place]))

    def _next(self, pending: Pending) -> int:
        """When its next label is known; NEVER after the last."""
        first = NEVER
        for place, ends in enumerate(self._ends):
            if pending.marks[place] != DONE:
                for end in ends:
                    if end > pending.given:
                        first = min(first, end)
                        break
        return pending.opened + first * DAY + self._grace if first < NEVER else NEVER
