"""A touchpoint: one thing that happened between a customer and the company."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from schemas.fields import Identifier, Moment
from schemas.types import Stage

MOST_VALUE = 1_000_000_000
"""Beyond a milliard of any currency a value is taken for a mistake."""


class Touchpoint(BaseModel):
    """What a producer sends. Unknown fields are ignored, so that producers may move first."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="ignore", use_attribute_docstrings=True
    )

    event_id: Identifier
    """1 to 256 bytes of UTF-8, with no space at its ends and no invisible characters. The producer's own:
    a customer's second event of the same id within 24 hours is ignored."""
    customer_id: Identifier
    """1 to 256 bytes of UTF-8, with no space at its ends and no invisible characters."""
    type: Annotated[str, Field(min_length=1, max_length=48)]
    """What happened: one of the built-in types or of the deployment's own."""
    channel: Annotated[str, Field(max_length=64)] | None = None
    """By which way; free text."""
    stage: Stage | None = None
    """Where in the customer's journey; the type's own where absent."""
    occurred_at: Moment
    """RFC 3339 with a time zone, from 1970 to 2048, such as 2026-01-31T09:30:00Z."""
    value: Annotated[float, Field(allow_inf_nan=False, ge=-MOST_VALUE, le=MOST_VALUE)] | None = None
    """An amount of money; it is kept to the hundredth."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    """ISO 4217. Amounts are added up as they are: send one currency per deployment."""
    attributes: dict[str, JsonValue] = Field(default_factory=dict)
    """Whatever else is known; no score rests on it."""

    def to_json(self) -> bytes:
        """As plain JSON in UTF-8, without the fields that were not given."""
        return self.model_dump_json(exclude_defaults=True).encode()
