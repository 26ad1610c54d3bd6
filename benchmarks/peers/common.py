"""One touchpoint at a time, by this project's own pure code: what every peer does between reading and writing.

So it is the streaming that is compared, not the arithmetic. A state advances at its customer's own
touchpoints only: frameworks know nothing of time passing.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence
from typing import Final, NamedTuple

from stream.broker.topics import Topics
from stream.features.codec import decode, encode
from stream.features.layout import Layout
from stream.features.state import UNSCORED, CustomerState
from stream.features.vector import Vectorizer
from stream.model.banding import Banding
from stream.model.linear import MILLION
from stream.model.prior import prior
from stream.model.reasons import Reasons
from stream.partition.bodies import Place, Since
from stream.partition.control import Headers, Signer
from stream.partition.intake import Event, Reader
from stream.partition.outputs import Decision, Move
from stream.settings import Settings

SPACE_VARIABLE: Final = "BENCHMARK_SPACE"
"""Names a peer's consumer group, its output topics and the keys of its states."""
LEARN_VARIABLE: Final = "BENCHMARK_LEARN"
"""Set: River predicts, and learns from every touchpoint."""


_KNOWN: Final = 50_000
"""As many as bandshift's worker keeps of one partition."""


class Delivered(NamedTuple):
    """A record as a peer's framework hands it over, in the form that this project reads."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Scored(NamedTuple):
    """What became of one touchpoint: the customer's new state, and the bodies to publish."""

    state: bytes
    score: bytes
    changes: list[bytes]


def space() -> Topics:
    """Where this peer writes."""
    return Topics(os.environ[SPACE_VARIABLE])


class Scorer:
    """Reads, updates, predicts with the prior, bands, and words the outputs.

    What it has decoded it keeps beside the bytes: a state that comes back as it was written need not be
    decoded again, which halves the work. The store is still read and written at every touchpoint.
    """

    def __init__(self, settings: Settings) -> None:
        signer = Signer(settings.control_key(), Topics(settings.namespace).touchpoints)
        self.layout = Layout(settings.registry)
        self.vectorizer = Vectorizer(self.layout)
        self.model = prior(settings.outcomes, self.vectorizer)
        self.outcomes = settings.outcomes
        self._reader = Reader(settings.registry, signer)
        self._bandings = [Banding(outcome) for outcome in settings.outcomes]
        self._reasons = Reasons(self.vectorizer, self.model.families)
        self._base: list[int] = self.model.base.tolist()
        self.bases = self.model.bases
        self._known: dict[str, tuple[bytes, CustomerState]] = {}

    def read(self, record: Delivered, partition: int) -> Event | None:
        """The touchpoint; None for what is none (this log holds ticks besides, and nothing broken)."""
        found = self._reader.parse(record, partition)
        return found if isinstance(found, Event) else None

    def take(
        self, encoded: bytes | None, event: Event, record: Delivered, partition: int
    ) -> Scored:
        """Take one touchpoint in: the whole decision but reading and writing."""
        state = self.restore(event.customer_id, encoded)
        self.add(state, event, record)
        raw = self.vectorizer.raw([state.snapshot()])
        scored = self.model.score(raw)
        moves = self.moves(state, scored.log_odds[0].tolist(), scored.probabilities[0].tolist())
        decision = self.decision(event, record, partition)
        changes = []
        if moves:
            row, words = raw[0].tolist(), dict[int, str]()
            parts = self.model.parts(raw, scored, [0])[0].tolist()
            for place, move in moves:
                reasons = self._reasons.explain(parts[place], row, words)
                changes.append(decision.band_change(move, reasons, since(move))[1].value)
        return Scored(self.write(state), self.body(decision, state), changes)

    # ---- the steps of it, for a peer that predicts by other means

    def restore(self, customer_id: str, encoded: bytes | None) -> CustomerState:
        """The state as it was last written, or that of a new customer."""
        # Taken out: should the framework fail and deliver again, it must not be found changed.
        known = self._known.pop(customer_id, None)
        if encoded is None:
            return CustomerState(customer_id, self.layout, len(self.outcomes))
        if known is not None and known[0] == encoded:
            return known[1]
        return decode([(customer_id, encoded)], self.layout, len(self.outcomes))[0]

    def write(self, state: CustomerState) -> bytes:
        """The state as bytes."""
        encoded = encode(state)
        if len(self._known) >= _KNOWN:
            self._known.clear()
        self._known[state.customer_id] = encoded, state
        return encoded

    def add(self, state: CustomerState, event: Event, record: Delivered) -> None:
        """Count the touchpoint, at the time of its record."""
        state.advance(record.timestamp // 1000 + state.shift)
        happened = event.happened + state.shift
        state.add(event.hash, event.kind, event.stage, happened, event.cents)

    def moves(
        self, state: CustomerState, log_odds: Sequence[int], probabilities: Sequence[int]
    ) -> list[tuple[int, Move]]:
        """The outcomes whose band changes, each with its number; the state gets bands and probabilities."""
        found = []
        for place, banding in enumerate(self._bandings):
            band = state.bands[place]
            after = banding.place(log_odds[place], band)
            if after != band:
                state.bands[place] = after
                move = Move(
                    self.outcomes[place],
                    band,
                    after,
                    state.probabilities[place],
                    probabilities[place],
                    log_odds[place],
                    self._base[place],
                    banding.advice[after],
                    self.bases[place],
                    self.model.versions[place],
                    state.changed_at[place],
                    state.changed_by[place],
                    log_odds[place] - state.changed_at[place],
                )
                state.changed_at[place] = log_odds[place]
                found.append((place, move))
        state.probabilities = array("I", probabilities)
        return found

    def decision(self, event: Event, record: Delivered, partition: int) -> Decision:
        """When, where in the log and why the customer was scored."""
        place = Place(partition, record.offset, 0)
        return Decision(event.customer_id, record.timestamp, place, event)

    def body(self, decision: Decision, state: CustomerState) -> bytes:
        """The body of the score."""
        given = state.bands, state.probabilities, self.bases, self.model.versions
        return decision.score(self.outcomes, *given).value


def since(move: Move) -> Since | None:
    """What has moved the log-odds since the band changed last: nothing here but touchpoints."""
    if move.came_from == UNSCORED:
        return None
    return Since(move.changed_at / MILLION, move.by_events / MILLION, 0.0, 0.0)
