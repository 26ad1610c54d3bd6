"""What leaves bandshift: scores, band changes and triggers, each as a CloudEvent 1.0 in structured JSON."""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from schemas.bands import Band

Probability = Annotated[float, Field(ge=0, le=1)]
Cause = Literal["event", "silence"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class SourcePosition(_Frozen):
    """The record of `touchpoints` that caused an output, and which of its due scorings (the record: the last).

    A reader that keeps the highest position per partition can ignore a late write of a former owner.
    """

    partition: int
    offset: int
    cursor: int


class CausingTouchpoint(_Frozen):
    """The touchpoint that caused a score."""

    event_id: str
    type: str


class Reason(_Frozen):
    """What one family of touchpoints adds to the log-odds."""

    family: str
    contribution: float
    text: str


class _Decision(_Frozen):
    customer_id: str
    cause: Cause
    touchpoint: CausingTouchpoint | None = None
    basis: str
    model_version: int
    decided_at: AwareDatetime
    position: SourcePosition


class OutcomeScore(_Frozen):
    """The probability of one outcome within its horizon, and the band it is in."""

    outcome: str
    horizon_days: int
    probability: Probability
    band: Band


class Score(_Decision):
    """All of a customer's scores as of one decision."""

    scores: tuple[OutcomeScore, ...]


class BandChange(_Decision):
    """A customer moved from one band of an outcome to another.

    `base_log_odds` and the contributions of all `reasons` add up to `log_odds` exactly.
    """

    outcome: str
    horizon_days: int
    from_band: Annotated[Band | Literal["unscored"], Field(alias="from")]
    to_band: Annotated[Band, Field(alias="to")]
    probability: Probability
    previous_probability: Probability | None
    log_odds: float
    base_log_odds: float
    reasons: tuple[Reason, ...]
    advice: str


class Trigger(_Decision):
    """A rule fired: what automation is asked to do, and the band change that asks for it."""

    rule: str
    outcome: str
    horizon_days: int
    band_change_id: str
    from_band: Annotated[Band | Literal["unscored"], Field(alias="from")]
    to_band: Annotated[Band, Field(alias="to")]
    probability: Probability
    advice: str


Data = TypeVar("Data", bound=BaseModel)


class CloudEvent(_Frozen, Generic[Data]):
    """The envelope. `id` is deterministic: consumers may drop what they have seen."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str
    time: AwareDatetime
    datacontenttype: Literal["application/json"]
    partitionkey: str
    data: Data
