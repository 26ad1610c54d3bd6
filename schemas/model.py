"""What learning publishes: snapshots of a model to score with, and what happens to models."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from schemas.bands import Band
from schemas.outputs import CloudEvent

Share = Annotated[float, Field(ge=0, le=1)]
Loss = Annotated[float, Field(ge=0)]
"""In nats per example."""
Count = Annotated[int, Field(ge=0)]


class _Frozen(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="ignore",
        allow_inf_nan=False,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )


class Calibrator(_Frozen):
    """What is added to a stage's log-odds z: bias + slope * z."""

    bias: float
    slope: float


class Stage(_Frozen):
    """One part of the horizon: its logit is the prior's, plus the bias and the weighted basis functions."""

    start: Count
    """In days after the score."""
    end: Annotated[int, Field(ge=1)]
    prior: bool
    """Whether the prior's logit of this stage counts."""
    bias: float
    weights: dict[str, float]
    """By basis function: a feature, or two of them as `one*other`. One that is not here weighs nothing."""
    calibrator: Calibrator


class LogLosses(_Frozen):
    """Mean log-loss of the probability of the whole horizon, as it was when each example was opened."""

    champion: Loss | None = None
    """As scored, whoever was champion then."""
    prior: Loss | None = None
    base_rate: Loss | None = None
    """Of the share of positives known at that time."""


class ReliabilityBin(_Frozen):
    """Examples with about the same prediction."""

    predicted: Share
    """On average."""
    observed: Share
    """The share in which it came true."""
    count: Count


class BandRate(_Frozen):
    """What became of the examples that were scored into one band."""

    band: Band
    low: Share
    high: Share
    """Probabilities from `low` up to `high` lead here."""
    predicted: Share | None = None
    """On average; null where there are none."""
    observed: Share | None = None
    """The share in which it came true; null where there are none."""
    count: Count
    interval: tuple[Share, Share] | None = None
    """95 %, of `observed`."""


class LossPoint(_Frozen):
    """Mean log-losses of the examples of one span of log time, by model: the fields that are not named here."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Loss | None]

    at: AwareDatetime
    """The end of the span."""
    count: Count
    positives: Count


class DriftAlarm(_Frozen):
    """Something is not as it was."""

    at: AwareDatetime
    """Log time."""
    what: Literal["log-loss", "feature"]
    feature: str | None = None
    """Null for the log-loss."""
    text: str
    """What was seen, in words."""


class ModelMetrics(_Frozen):
    """How well the model does. What is not known yet is missing."""

    log_loss: LogLosses = LogLosses()
    ece: Share | None = None
    """Expected calibration error over bins of equal mass."""
    brier: Share | None = None
    stage_log_loss: dict[str, Loss] = Field(default_factory=dict)
    """By model: progressive and decayed, per example, added up over its stages. Promotion goes by it."""
    reliability: tuple[ReliabilityBin, ...] = ()
    """Of the latest examples, lowest prediction first."""
    bands: tuple[BandRate, ...] = ()
    """Lowest first."""
    series: tuple[LossPoint, ...] = ()
    """Over log time, oldest first."""
    drift: tuple[DriftAlarm, ...] = ()
    """The latest, oldest first."""
    held: Count | None = None
    """The older version whose weights these are: rolled back to, and held until a promotion."""


class ModelSnapshot(_Frozen):
    """A record of `model-snapshots`: one version of an outcome's model, with all that scoring needs.

    A reader whose own checksum is another one keeps the snapshot that it has.
    """

    format: Literal[1]
    outcome: str
    horizon_days: Annotated[int, Field(ge=1)]
    version: Count
    """0 says that nothing has been learned up to `known_to` that would make a version."""
    basis: str
    """What probabilities rest on, such as `learned`."""
    known_to: AwareDatetime
    """Log time: all labels known up to then are in it."""
    champion: str
    feature_schema: Annotated[str, Field(alias="schema")]
    """Hash of the features' declaration."""
    features: tuple[str, ...]
    positions: dict[str, Count]
    """The highest sequence that was trained, per source partition."""
    examples: Count
    """Whose horizon has ended."""
    positives: Count
    """Of those: a touchpoint that counts came within the horizon."""
    trained: tuple[Count, ...]
    """Examples per stage."""
    means: dict[str, float]
    """Of the scaled features over all examples; one that is not here is nought."""
    stages: tuple[Stage, ...]
    """Earliest first, the last one ends with the horizon."""
    metrics: ModelMetrics = ModelMetrics()
    resume: dict[str, Any] | None = None
    """What a learner goes on from; in `model-states` alone."""
    checksum: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256, in hex, of the record as it was written, with an empty text here."""


ModelEventKind = Literal["drift", "promoted", "rolled_back", "refused", "adopted"]


class ModelEventDetails(_Frozen):
    """What an event is about, where there is something to name."""

    feature: str | None = None
    """The one that drifts; null for a drift of the log-loss."""
    from_name: Annotated[str | None, Field(alias="from")] = None
    """What ruled before: a model, or a version."""
    to_name: Annotated[str | None, Field(alias="to")] = None
    """What rules now."""


class ModelEventData(_Frozen):
    """Something that happened to an outcome's model."""

    outcome: str
    kind: ModelEventKind
    """An alarm, another champion, an older version in force again, a snapshot not published, one in force."""
    version: Count
    """Of the model that it is about; 0 is the prior."""
    at: AwareDatetime
    """Log time."""
    text: str
    """What happened, in words."""
    details: ModelEventDetails = ModelEventDetails()


class ModelEvent(CloudEvent[ModelEventData]):
    """A record of `model-events`: a CloudEvent."""

    type: Literal["bandshift.model-event.v1"]
    subject: str
    """The outcome."""
    time: AwareDatetime
    """When it happened, by the log's clock."""
    partitionkey: str
    """The outcome."""
