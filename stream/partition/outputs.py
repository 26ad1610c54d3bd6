"""What a decision sends out: scores, band changes, triggers and forwarded touchpoints, as records."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec

from schemas.bands import BANDS
from schemas.bands import UNSCORED as UNSCORED_WORD
from schemas.outcomes import Outcome
from schemas.rules import Rule
from stream.features.state import UNSCORED
from stream.model.linear import MILLION
from stream.model.reasons import Reason
from stream.partition.bodies import (
    BandChange,
    Cause,
    Decided,
    Envelope,
    OutcomeScore,
    Place,
    Score,
    Since,
    Trigger,
)
from stream.partition.control import Headers
from stream.partition.intake import Event

SOURCE: Final = "/bandshift"
SILENCE: Final = "silence"
CONTENT_TYPE: Final[Headers] = (("content-type", b"application/cloudevents+json; charset=utf-8"),)

SCORES: Final = "scores"
BAND_CHANGES: Final = "band-changes"
TRIGGERS: Final = "triggers"
TOUCHPOINTS: Final = "touchpoints"
EXAMPLES: Final = "examples"

_WORDS: Final = {number: str(band) for number, band in enumerate(BANDS)} | {UNSCORED: UNSCORED_WORD}
_encode = msgspec.json.Encoder().encode


class Output(NamedTuple):
    """A record to publish. `partition` is that of the topic; `timestamp` (ms) only where it is carried on."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes
    headers: Headers
    timestamp: int | None = None


def output_id(*parts: str) -> str:
    """The deterministic id of an output: of customer, outcome, kind, rule, cause and decision time."""
    return blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


class Decision:
    """Why, when and where in the log a customer was scored; makes the records that tell of it."""

    __slots__ = ("_cause", "_common", "_decided", "_time")

    def __init__(
        self,
        customer_id: str,
        decided_ms: int,
        place: Place,
        event: Event | None,
    ) -> None:
        """`event` is None in silence; `decided_ms` is the decision time in ms since 1970."""
        self._time = datetime.fromtimestamp(decided_ms / 1000, UTC)
        self._decided = str(decided_ms)
        self._cause = SILENCE if event is None else f"event:{event.event_id}"
        self._common = (
            customer_id,
            SILENCE if event is None else "event",
            None if event is None else Cause(event.event_id, event.type),
            self._time,
            place,
        )

    def _id(self, outcome: str, kind: str, rule: str = "") -> str:
        return output_id(self._common[0], outcome, kind, rule, self._cause, self._decided)

    def _record(self, topic: str, identity: str, kind: str, data: Decided) -> Output:
        customer_id = data.customer_id
        envelope = Envelope(
            "1.0",
            identity,
            SOURCE,
            kind,
            customer_id,
            self._time,
            "application/json",
            customer_id,
            data,
        )
        key = customer_id.encode()
        return Output(topic, data.position.partition, key, _encode(envelope), CONTENT_TYPE)

    def score(
        self,
        outcomes: Sequence[Outcome],
        bands: Sequence[int],
        chances: Sequence[int],
        bases: Sequence[str],
        versions: Sequence[int],
    ) -> Output:
        """All scores of the decision; `chances` are probabilities in millionths."""
        scores = [
            OutcomeScore(
                outcome.name, outcome.horizon_days, chance / MILLION, _WORDS[band], basis, version
            )
            for outcome, band, chance, basis, version in zip(
                outcomes, bands, chances, bases, versions, strict=True
            )
        ]
        data = Score(*self._common, scores)
        return self._record(SCORES, self._id("", "score"), "bandshift.score.v1", data)

    def band_change(
        self, move: Move, reasons: list[Reason], since: Since | None
    ) -> tuple[str, Output]:
        """The id and the record of a band change."""
        outcome = move.outcome
        data = BandChange(
            *self._common,
            outcome.name,
            outcome.horizon_days,
            move.basis,
            move.version,
            _WORDS[move.came_from],
            _WORDS[move.came_to],
            move.probability / MILLION,
            None if move.came_from == UNSCORED else move.previous / MILLION,
            move.log_odds / MILLION,
            move.base / MILLION,
            reasons,
            since,
            move.advice,
        )
        identity = self._id(outcome.name, "band-change")
        return identity, self._record(BAND_CHANGES, identity, "bandshift.band-change.v1", data)

    def trigger(self, move: Move, rule: Rule, band_change_id: str) -> Output:
        """The record of a rule that fired on a band change."""
        outcome = move.outcome
        data = Trigger(
            *self._common,
            outcome.name,
            outcome.horizon_days,
            move.basis,
            move.version,
            _WORDS[move.came_from],
            _WORDS[move.came_to],
            move.probability / MILLION,
            move.advice,
            rule.name,
            band_change_id,
        )
        identity = self._id(outcome.name, "trigger", rule.name)
        return self._record(TRIGGERS, identity, "bandshift.trigger.v1", data)


class Move(NamedTuple):
    """From one band (0 to 4, or UNSCORED) of an outcome to another; all numbers else in millionths.

    `changed_at` are the log-odds at the band change before, `changed_by` the version of the model that made
    it, `by_events` what events have added since.
    """

    outcome: Outcome
    came_from: int
    came_to: int
    previous: int
    probability: int
    log_odds: int
    base: int
    advice: str
    basis: str
    version: int
    changed_at: int
    changed_by: int
    by_events: int
