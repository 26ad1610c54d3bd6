"""What leaves bandshift: scores, band changes and triggers, each as a CloudEvent 1.0 in structured JSON."""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from schemas.bands import Band

Probability = Annotated[float, Field(ge=0, le=1)]
Cause = Literal["event", "silence"]


class _Frozen(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, use_attribute_docstrings=True
    )


class SourcePosition(_Frozen):
    """The record of `touchpoints` that caused an output, and which of its due scorings (the record: the last).

    A reader that keeps the highest position per partition can ignore a late write of a former owner.
    """

    partition: int
    offset: int
    cursor: int
    """How many scorings were due before this one at that record."""


class CausingTouchpoint(_Frozen):
    """The touchpoint that caused a score."""

    event_id: str
    type: str


class Reason(_Frozen):
    """What one family of touchpoints adds to the log-odds."""

    family: str
    """`combined`: what all smaller families do, and all of them together beyond what each does by itself."""
    contribution: float
    """Log-odds; below zero it speaks against the outcome."""
    text: str
    """What is known of the family, in words; also what is usual, where that has been learned."""


class SinceLastChange(_Frozen):
    """What has moved the log-odds since the band changed last; all of it adds up to the new ones exactly."""

    log_odds: float
    """As they were at that band change."""
    events: float
    """What touchpoints have added since."""
    silence: float
    """What time without a touchpoint has added."""
    model: float
    """What another version of the model says of the same customer, less what the one of then says."""


class _Decision(_Frozen):
    customer_id: str
    cause: Cause
    """A touchpoint, or time passing without one."""
    touchpoint: CausingTouchpoint | None
    """Null in silence."""
    decided_at: AwareDatetime
    """By the log's clock."""
    position: SourcePosition


class OutcomeScore(_Frozen):
    """The probability of one outcome within its horizon, and the band it is in."""

    outcome: str
    horizon_days: int
    probability: Probability
    band: Band
    basis: str
    """What the probability rests on: `prior` until something has been learned, then `learned`."""
    model_version: int
    """Of the outcome's model; 0 is the prior."""


class Score(_Decision):
    """All of a customer's scores as of one decision."""

    scores: tuple[OutcomeScore, ...]


class _Move(_Decision):
    outcome: str
    horizon_days: int
    basis: str
    """What the probability rests on: `prior` until something has been learned, then `learned`."""
    model_version: int
    """Of the outcome's model; 0 is the prior."""
    from_band: Annotated[Band | Literal["unscored"], Field(alias="from")]
    """`unscored` before the first score."""
    to_band: Annotated[Band, Field(alias="to")]
    probability: Probability
    """Of the outcome within the horizon, now."""
    advice: str
    """What to do with a customer in this band."""


class BandChange(_Move):
    """A customer moved from one band of an outcome to another.

    `base_log_odds` and the contributions of all `reasons` add up to `log_odds` exactly.
    """

    previous_probability: Probability | None
    """As last computed for this customer; null before the first score."""
    log_odds: float
    base_log_odds: float
    reasons: tuple[Reason, ...]
    """Strongest first, `combined` last."""
    since_last_change: SinceLastChange | None
    """Null for the first band of an outcome."""


class Trigger(_Move):
    """A rule fired: what automation is asked to do, and the band change that asks for it."""

    rule: str
    band_change_id: str
    """The `id` of the band change's CloudEvent."""


Data = TypeVar("Data", bound=BaseModel)


class CloudEvent(_Frozen, Generic[Data]):
    """The envelope."""

    specversion: Literal["1.0"]
    id: str
    """Deterministic: the same decision has the same id however often it is published, so drop what you know."""
    source: str
    type: str
    subject: str
    """The customer id."""
    time: AwareDatetime
    """When it was decided, by the log's clock."""
    datacontenttype: Literal["application/json"]
    partitionkey: str
    """The customer id."""
    data: Data


class ScoreEvent(CloudEvent[Score]):
    """A record of `scores`."""

    type: Literal["bandshift.score.v1"]


class BandChangeEvent(CloudEvent[BandChange]):
    """A record of `band-changes`."""

    type: Literal["bandshift.band-change.v1"]


class TriggerEvent(CloudEvent[Trigger]):
    """A record of `triggers`."""

    type: Literal["bandshift.trigger.v1"]
