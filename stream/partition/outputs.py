"""What a decision sends out, as bytes: scores, band changes, triggers and forwarded touchpoints.

The bodies are those of `schemas.outputs`, built as plain dicts here: validating what we made ourselves
would cost 12 microseconds an event. A test reads every one of them back through the schemas.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import msgspec

from schemas.bands import BANDS
from schemas.bands import UNSCORED as UNSCORED_WORD
from schemas.outcomes import Outcome
from schemas.rules import Rule
from stream.features.state import UNSCORED
from stream.model.linear import MILLION
from stream.partition.control import Headers
from stream.partition.intake import Event

SOURCE: Final = "/bandshift"
SILENCE: Final = "silence"
CONTENT_TYPE: Final[Headers] = (("content-type", b"application/cloudevents+json; charset=utf-8"),)

SCORES: Final = "scores"
BAND_CHANGES: Final = "band-changes"
TRIGGERS: Final = "triggers"
TOUCHPOINTS: Final = "touchpoints"

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


class Decision(NamedTuple):
    """When, where in the log, and why a customer was scored. `event` is None in silence."""

    customer_id: str
    decided_ms: int
    partition: int
    offset: int
    cursor: int
    event: Event | None
    basis: str
    model_version: int

    def id(self, outcome: str, kind: str, rule: str = "") -> str:
        """Of an output of this decision."""
        cause = f"event:{self.event.event_id}" if self.event else SILENCE
        return output_id(self.customer_id, outcome, kind, rule, cause, str(self.decided_ms))

    def body(self) -> dict[str, Any]:
        """What every output says of its decision."""
        event = self.event
        return {
            "customer_id": self.customer_id,
            "cause": "event" if event else SILENCE,
            "touchpoint": {"event_id": event.event_id, "type": event.type} if event else None,
            "basis": self.basis,
            "model_version": self.model_version,
            "decided_at": datetime.fromtimestamp(self.decided_ms / 1000, UTC),
            "position": {"partition": self.partition, "offset": self.offset, "cursor": self.cursor},
        }

    def output(self, topic: str, identity: str, kind: str, data: dict[str, Any]) -> Output:
        """A CloudEvent with that data."""
        envelope = {
            "specversion": "1.0",
            "id": identity,
            "source": SOURCE,
            "type": kind,
            "subject": self.customer_id,
            "time": data["decided_at"],
            "datacontenttype": "application/json",
            "partitionkey": self.customer_id,
            "data": data,
        }
        key = self.customer_id.encode()
        return Output(topic, self.partition, key, _encode(envelope), CONTENT_TYPE)


def score(
    decision: Decision, outcomes: Sequence[Outcome], bands: Sequence[int], chances: Sequence[int]
) -> Output:
    """All scores of one decision; `chances` are probabilities in millionths."""
    data = decision.body()
    data["scores"] = [
        {
            "outcome": outcome.name,
            "horizon_days": outcome.horizon_days,
            "probability": chance / MILLION,
            "band": BANDS[band],
        }
        for outcome, band, chance in zip(outcomes, bands, chances, strict=True)
    ]
    return decision.output(SCORES, decision.id("", "score"), "bandshift.score.v1", data)


class Move(NamedTuple):
    """From one band (0 to 4, or UNSCORED) to another, with probabilities in millionths."""

    outcome: Outcome
    came_from: int
    came_to: int
    previous: int
    probability: int
    log_odds: int
    base: int

    def body(self) -> dict[str, Any]:
        """What a band change and the triggers that it fires have in common."""
        return {
            "outcome": self.outcome.name,
            "horizon_days": self.outcome.horizon_days,
            "from": UNSCORED_WORD if self.came_from == UNSCORED else BANDS[self.came_from],
            "to": BANDS[self.came_to],
            "probability": self.probability / MILLION,
            "advice": self.outcome.advise(BANDS[self.came_to]),
        }


def band_change(
    decision: Decision, move: Move, reasons: list[dict[str, Any]]
) -> tuple[str, Output]:
    """The id and the record of a band change."""
    data = decision.body() | move.body()
    data["previous_probability"] = None if move.came_from == UNSCORED else move.previous / MILLION
    data["log_odds"] = move.log_odds / MILLION
    data["base_log_odds"] = move.base / MILLION
    data["reasons"] = reasons
    identity = decision.id(move.outcome.name, "band-change")
    return identity, decision.output(BAND_CHANGES, identity, "bandshift.band-change.v1", data)


def trigger(decision: Decision, move: Move, rule: Rule, band_change_id: str) -> Output:
    """The record of a rule that fired on a band change."""
    data = decision.body() | move.body()
    data["rule"] = rule.name
    data["band_change_id"] = band_change_id
    identity = decision.id(move.outcome.name, "trigger", rule.name)
    return decision.output(TRIGGERS, identity, "bandshift.trigger.v1", data)
