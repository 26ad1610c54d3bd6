"""What decides: the types, outcomes and rules in force, as one text that travels in the log."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from schemas.learning import Learning
from schemas.outcomes import Outcome
from schemas.rules import Rule
from schemas.types import TouchpointType


class Decisions(BaseModel):
    """The part of a deployment's settings on which scores, bands and triggers depend.

    It takes effect at a record of the log, so that the same log gives the same decisions whoever reads it,
    with whatever settings of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    types: tuple[TouchpointType, ...] = ()
    """Beside the built-in ones."""
    outcomes: Annotated[tuple[Outcome, ...], Field(min_length=1, max_length=16)]
    rules: Annotated[tuple[Rule, ...], Field(max_length=255)] = ()
    learning: Learning | None = None
    """None: nothing is learned, the prior decides."""

    @property
    def text(self) -> str:
        """As JSON; `Decisions.model_validate_json` reads it back."""
        return self.model_dump_json()
