"""What the API answers, as models: the OpenAPI description is made from these."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.bands import Band

Probability = Annotated[float, Field(ge=0, le=1)]


class Answer(BaseModel):
    """What all answers have in common."""

    model_config = ConfigDict(
        frozen=True,
        populate_by_name=True,
        use_attribute_docstrings=True,
        json_schema_serialization_defaults_required=True,
    )


class Why(Answer):
    """What one family of touchpoints adds to the log-odds."""

    family: str
    """`combined`: what all smaller families do, and all of them together beyond what each does by itself."""
    contribution: float
    """Log-odds; below zero it speaks against the outcome."""
    text: str
    """What is known of the family, in words."""


class Moved(Answer):
    """What moved the log-odds from one band change of an outcome to the next; together, the difference exactly."""

    log_odds: float
    """As they were at the band change before."""
    events: float
    """What touchpoints added."""
    silence: float
    """What time without a touchpoint added."""
    model: float
    """What another version of the model added."""


class Decided(Answer):
    """The last decision of the worker."""

    probability: Probability
    at: datetime
    age_seconds: float
    """By the customer's clock."""


class Point(Answer):
    """One point of a trend."""

    at: datetime
    probability: Probability


class OutcomeNow(Answer):
    """One outcome of a customer, as of now."""

    outcome: str
    horizon_days: int
    probability: Probability
    """Of the outcome within the horizon, as of `as_of`: time that passed without a touchpoint is counted."""
    basis: str
    """What the probability rests on: `prior` until something has been learned."""
    model_version: int
    """0 is the prior."""
    band: Band | None
    """The band in force, as it was published; null for an outcome that is new to this customer."""
    band_now: Band
    """The band that `probability` leads to. It differs from `band` only while the worker is behind."""
    since: datetime | None
    """When the customer came into `band`; null where the API does not know."""
    came_from: Band | Literal["unscored"] | None
    """The band before."""
    moved: Moved | None
    """What led into `band`; null for the first, and where the API does not know."""
    advice: str
    """What to do with a customer in this band."""
    decided: Decided
    log_odds: float
    base_log_odds: float
    """With the contributions of all `reasons` it adds up to `log_odds` exactly."""
    reasons: tuple[Why, ...]
    """Strongest first."""
    trend: tuple[Point, ...]
    """The latest scores, oldest first, and the one of now."""


class CustomerNow(Answer):
    """Everything that is known of a customer's scores."""

    customer_id: str
    as_of: datetime
    """The wall clock's time if `live`, else that of the partition's log."""
    live: bool
    """False while history is imported: times are then the log's, and no trigger goes out."""
    outcomes: tuple[OutcomeNow, ...]


class BandChangeOf(Answer):
    """A band change in a customer's history."""

    id: str
    """That of the record of `band-changes`."""
    outcome: str
    came_from: Annotated[Band | Literal["unscored"], Field(alias="from")]
    came_to: Annotated[Band, Field(alias="to")]
    probability: Probability
    previous_probability: Probability | None
    cause: Literal["event", "silence"]
    touchpoint_id: str | None
    touchpoint_type: str | None
    decided_at: datetime
    basis: str
    model_version: int
    since_last_change: Moved | None
    """Null for the first band of an outcome."""


class History(Answer):
    """A customer's band changes, the latest first; 100 per outcome are kept here, all in the topic."""

    customer_id: str
    changes: tuple[BandChangeOf, ...]


class Member(Answer):
    """A customer in a band."""

    customer_id: str
    probability: Probability
    """As last published. For the probability as of now ask for the customer."""
    decided_at: datetime
    since: datetime
    came_from: Annotated[Band | Literal["unscored"], Field(alias="from")]


class Members(Answer):
    """A page of the customers in a band."""

    outcome: str
    band: Band
    customers: tuple[Member, ...]
    next: str | None
    """Give it as `cursor` to get the next page; null on the last one."""


class BandInfo(Answer):
    """One band of an outcome."""

    band: Band
    low: float
    high: float
    """Probabilities from `low` up to `high` lead here."""
    advice: str
    customers: int
    """How many are in it now."""


class OutcomeInfo(Answer):
    """An outcome of this deployment."""

    outcome: str
    horizon_days: int
    kind: Literal["occurrence", "absence"]
    types: tuple[str, ...]
    """The types of touchpoint that count: one of them comes, or for an absence none of them."""
    hysteresis: float
    """In logits: how far a score must pass a cut before the band changes."""
    bands: tuple[BandInfo, ...]


class Outcomes(Answer):
    """All outcomes of this deployment, in the order of its settings."""

    outcomes: tuple[OutcomeInfo, ...]


class Names(Answer):
    """Customers whose id begins so."""

    customers: tuple[str, ...]


class CheckOf(Answer):
    """One condition of readiness."""

    name: str
    ok: bool
    detail: str


class Ready(Answer):
    """Whether the API has all it needs, and what it lacks."""

    ready: bool
    checks: tuple[CheckOf, ...]
