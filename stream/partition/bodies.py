"""The bodies of outputs as they are written: the same fields as `schemas.outputs`, quick to make and encode.

Making and encoding one costs 2.5 microseconds, against 6 for dicts and 12 for the pydantic models; a test
reads every record back through those.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from stream.model.reasons import Reason


class Place(Struct, frozen=True, gc=False):
    """Which record of touchpoints, and which of its due scorings, caused an output."""

    partition: int
    offset: int
    cursor: int


class Cause(Struct, frozen=True, gc=False):
    """The touchpoint that caused an output."""

    event_id: str
    type: str


class Decided(Struct, frozen=True, gc=False):
    """What all outputs of one decision have in common."""

    customer_id: str
    cause: str
    touchpoint: Cause | None
    decided_at: datetime
    position: Place


class OutcomeScore(Struct, frozen=True, gc=False):
    """One outcome of a score."""

    outcome: str
    horizon_days: int
    probability: float
    band: str
    basis: str
    model_version: int


class Score(Decided, frozen=True, gc=False):
    """All scores of one decision."""

    scores: list[OutcomeScore]


class Since(Struct, frozen=True, gc=False):
    """What has moved the log-odds since the band changed last."""

    log_odds: float
    events: float
    silence: float
    model: float


class BandChange(Decided, frozen=True, gc=False, rename={"from_band": "from", "to_band": "to"}):
    """From one band of an outcome to another."""

    outcome: str
    horizon_days: int
    basis: str
    model_version: int
    from_band: str
    to_band: str
    probability: float
    previous_probability: float | None
    log_odds: float
    base_log_odds: float
    reasons: list[Reason]
    since_last_change: Since | None
    advice: str


class Trigger(Decided, frozen=True, gc=False, rename={"from_band": "from", "to_band": "to"}):
    """A rule that fired on a band change."""

    outcome: str
    horizon_days: int
    basis: str
    model_version: int
    from_band: str
    to_band: str
    probability: float
    advice: str
    rule: str
    band_change_id: str


class StageLabel(Struct, frozen=True, gc=False):
    """What is known of one outcome at the end of a stage of its horizon."""

    outcome: str
    horizon_days: int
    stage: int
    start_day: int
    end_day: int
    at_risk: bool
    occurred: bool
    final: bool
    probability: float
    log_odds: float
    model_version: int


class Example(Struct, frozen=True, gc=False):
    """Frozen features, and the labels that have become known."""

    customer_id: str
    opened_at: datetime
    labelled_at: datetime
    partition: int
    sequence: int
    features: str
    vector: str
    labels: list[StageLabel]


class Watermark(Struct, frozen=True, gc=False):
    """All labels of a partition known up to a time are out."""

    partition: int
    known_to: datetime
    sequence: int
    adopts: bool


class Envelope(Struct, frozen=True, gc=False):
    """A CloudEvent 1.0."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: datetime
    datacontenttype: str
    partitionkey: str
    data: Decided | Example | Watermark
