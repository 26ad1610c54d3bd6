"""How a deployment learns: when examples open, when their labels are known, how often a model is renewed."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Learning(BaseModel):
    """Part of what decides, so it travels in the log.

    Periods are cut at multiples of their length since 1970, by the log's clock.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    every_days: Annotated[int, Field(ge=1, le=90)] = 7
    """Every customer opens an example this often, on days that a hash of the id gives."""
    on_events: bool = False
    """Also at the first touchpoint of a customer's day."""
    grace_days: Annotated[int, Field(ge=0, le=30)] = 1
    """How long a label waits for touchpoints that arrive late."""
    history_hours: Annotated[int, Field(ge=1, le=24 * 28)] = 24
    """Before a log goes live: the length of a period, after which the learner trains and makes a snapshot."""
    live_hours: Annotated[int, Field(ge=1, le=24 * 28)] = 1
    """The same, live."""
    lag_hours: Annotated[int, Field(ge=0, le=24 * 28)] = 12
    """Before a log goes live: how long after its period's end a snapshot takes effect."""
