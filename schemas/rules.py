"""Rules of automation: which band change fires which trigger."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.bands import Band


class Rule(BaseModel):
    """Fires when a customer enters (or leaves) a band of an outcome.

    `direction` narrows it to moves upward or downward; a first score counts as a move upward.
    After firing for a customer the rule rests for `cooldown_hours`, by the log's clock.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
    outcome: str
    on: Literal["enters", "leaves"] = "enters"
    band: Band
    direction: Literal["up", "down", "any"] = "any"
    cooldown_hours: Annotated[float, Field(ge=0, le=24 * 365)] = 24.0
