"""A touchpoint: one thing that happened between a customer and the company."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from schemas.types import Stage

MOST_ID_BYTES = 256
MOST_VALUE = 1_000_000_000
"""Beyond a milliard of any currency a value is taken for a mistake."""


def _short(value: str) -> str:
    # Characters are limited by the schema; only a long id of wide characters is over in bytes alone.
    if len(value) * 4 > MOST_ID_BYTES and len(value.encode()) > MOST_ID_BYTES:
        message = f"expected at most {MOST_ID_BYTES} bytes of UTF-8"
        raise ValueError(message)
    return value


Identifier = Annotated[
    str,
    Field(min_length=1, max_length=MOST_ID_BYTES, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$"),
    AfterValidator(_short),
]
"""Text of 1 to 256 bytes of UTF-8 without control characters."""


class Touchpoint(BaseModel):
    """What a producer sends. Unknown fields are ignored, so that producers may move first.

    `value` is an amount of money in `currency`; it is kept to the hundredth.
    `stage` is the type's own where absent. `occurred_at` must carry a time zone.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    event_id: Identifier
    customer_id: Identifier
    type: Annotated[str, Field(min_length=1, max_length=48)]
    channel: Annotated[str, Field(max_length=64)] | None = None
    stage: Stage | None = None
    occurred_at: AwareDatetime
    value: Annotated[float, Field(allow_inf_nan=False, ge=-MOST_VALUE, le=MOST_VALUE)] | None = None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    attributes: dict[str, JsonValue] = Field(default_factory=dict)
