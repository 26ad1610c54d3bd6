"""Outcomes: what a probability is about. A deployment configures several."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from schemas.bands import ADVICE, BANDS, CHURN_ADVICE, Band

Cuts = tuple[float, float, float, float]


class Outcome(BaseModel):
    """A desired action within a horizon, or the absence of any (churn).

    `cuts` are the four probabilities between the five bands; `hysteresis` is the distance in logits by
    which a score must pass a cut before the band changes.
    `base_rate` is the probability that the prior gives to a customer of whom nothing is known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
    horizon_days: Annotated[int, Field(ge=1, le=365)]
    kind: Literal["occurrence", "absence"] = "occurrence"
    types: Annotated[tuple[str, ...], Field(min_length=1)] = (
        "purchase",
        "point_of_sale",
        "direct_sales",
    )
    min_value: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    base_rate: Annotated[float, Field(gt=0, lt=1)] = 0.05
    cuts: Cuts = (0.05, 0.15, 0.35, 0.65)
    hysteresis: Annotated[float, Field(ge=0, le=2)] = 0.1
    stages: Annotated[tuple[int, ...], Field(min_length=1, max_length=8)] | None = None
    """Days after which part of the label is known, rising up to the horizon; None: see `stage_ends`."""
    advice: dict[Band, Annotated[str, Field(min_length=1, max_length=300)]] = Field(
        default_factory=dict
    )
    """In place of the usual advice, per band; short, because it travels with every band change."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        ends = (0.0, *self.cuts, 1.0)
        if not all(low < high for low, high in pairwise(ends)):
            message = f"cuts: expected four rising probabilities between 0 and 1, got {self.cuts}"
            raise ValueError(message)
        logits = [math.log(cut / (1 - cut)) for cut in self.cuts]
        closest = min(high - low for low, high in pairwise(logits))
        if closest <= 2 * self.hysteresis:
            message = (
                f"hysteresis: expected less than half the distance between two cuts "
                f"({closest / 2:.3f} logits), got {self.hysteresis}"
            )
            raise ValueError(message)
        if self.stages is not None and (
            list(self.stages) != sorted({*self.stages})
            or self.stages[0] < 1
            or self.stages[-1] != self.horizon_days
        ):
            message = (
                f"stages: expected rising days that end with the horizon ({self.horizon_days}), "
                f"got {self.stages}"
            )
            raise ValueError(message)
        return self

    @property
    def stage_ends(self) -> tuple[int, ...]:
        """Days at which the stages of the horizon end: 2 and 7 where they lie in its first half, and its own.

        Learning from the first days of a long horizon need not wait for its end.
        """
        early = (days for days in (2, 7) if 2 * days <= self.horizon_days)
        return self.stages or (*early, self.horizon_days)

    def advise(self, band: Band) -> str:
        """What to do with a customer in this band."""
        usual = CHURN_ADVICE if self.kind == "absence" else ADVICE
        return self.advice.get(band, usual[band])


def band_number(band: Band) -> int:
    """0 for very low to 4 for very high."""
    return BANDS.index(band)
