"""What the API answers about models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal

from schemas.model import (
    BandRate,
    DriftAlarm,
    LogLosses,
    LossPoint,
    ModelEventData,
    ReliabilityBin,
)
from schemas.outcomes import Outcome
from stream.api.answers import Answer
from stream.api.models import Learned
from stream.partition.ledger import Ledger

PRIOR = "prior"


class ModelInfo(Answer):
    """One outcome's model, in short."""

    outcome: str
    horizon_days: int
    kind: Literal["occurrence", "absence"]
    in_force: tuple[int, ...]
    """The version that decides, per partition; 0 is the prior."""
    latest: int | None
    """The highest version that was published; null where nothing has been learned."""
    basis: str
    """What the latest version rests on: `prior` until something has been learned."""
    known_to: datetime | None
    """Log time: all labels known up to then are in the latest version."""
    champion: str | None
    """The model that the latest version holds."""
    examples: int
    """Whose horizon has ended."""
    positives: int
    """Of those: a touchpoint that counts came within the horizon. Also for an absence."""
    log_loss: LogLosses
    """Mean over all examples, of the probability as it was when the example was opened."""


class Models(Answer):
    """The models of all outcomes, in the order of the settings."""

    models: tuple[ModelInfo, ...]


class VersionOf(Answer):
    """A published version."""

    version: int
    basis: str
    known_to: datetime
    champion: str
    examples: int
    positives: int
    log_loss: float | None


class ModelView(ModelInfo):
    """Everything that is known of one outcome's model, as of its latest version."""

    trained: tuple[int, ...]
    """Examples per stage of the horizon."""
    ece: float | None
    """Expected calibration error over bins of equal mass."""
    brier: float | None
    stage_log_loss: Mapping[str, float]
    """By model, challengers included: progressive and decayed, added up over an example's stages."""
    reliability: tuple[ReliabilityBin, ...]
    bands: tuple[BandRate, ...]
    series: tuple[LossPoint, ...]
    """Mean log-losses over log time; by model, in the fields that are not named."""
    alarms: int
    """How often drift has been told."""
    drift: tuple[DriftAlarm, ...]
    """The latest alarms, the latest first."""
    versions: tuple[VersionOf, ...]
    """The latest versions, the latest first; 200 are kept here, all in the topic."""
    events: tuple[ModelEventData, ...]
    """What happened, the latest first; 100 are kept here, all in the topic."""


def in_force(outcome: str, ledgers: Sequence[Ledger]) -> tuple[int, ...]:
    """The version of an outcome's model that decides, per partition."""
    return tuple(ledger.versions.get(f"model:{outcome}", 0) for ledger in ledgers)


def deciding(outcomes: Iterable[str], ledgers: Sequence[Ledger]) -> set[tuple[str, int]]:
    """Outcomes and the versions of their models that decide in some partition."""
    return {(name, version) for name in outcomes for version in in_force(name, ledgers)}


def info(outcome: Outcome, found: Learned, ledgers: Sequence[Ledger]) -> ModelInfo:
    """A model in short."""
    latest = found.latest
    return ModelInfo(
        outcome=outcome.name,
        horizon_days=outcome.horizon_days,
        kind=outcome.kind,
        in_force=in_force(outcome.name, ledgers),
        latest=(latest.version or None) if latest else None,
        basis=latest.basis if latest else PRIOR,
        known_to=latest.known_to if latest else None,
        champion=latest.champion if latest else None,
        examples=latest.examples if latest else 0,
        positives=latest.positives if latest else 0,
        log_loss=latest.metrics.log_loss if latest else LogLosses(),
    )


def view(outcome: Outcome, found: Learned, ledgers: Sequence[Ledger]) -> ModelView:
    """A model with everything that is known of it."""
    latest = found.latest
    metrics = latest.metrics if latest else None
    return ModelView(
        **dict(info(outcome, found, ledgers)),
        trained=latest.trained if latest else (),
        ece=metrics.ece if metrics else None,
        brier=metrics.brier if metrics else None,
        stage_log_loss=metrics.stage_log_loss if metrics else {},
        reliability=metrics.reliability if metrics else (),
        bands=metrics.bands if metrics else (),
        series=metrics.series if metrics else (),
        alarms=found.alarms,
        drift=metrics.drift[::-1] if metrics else (),
        versions=tuple(
            VersionOf(**found.versions[number]._asdict())
            for number in sorted(found.versions, reverse=True)
        ),
        events=tuple(reversed(found.events)),
    )
