"""Kinds of field whose check is more than a line: ids and moments."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, GetCoreSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

MOST_ID_BYTES: Final = 256

UNSEEN: Final = r"\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
"""Inside a pattern's brackets: controls, and characters without a shape of their own (zero width, turned
writing direction). With them two customers could look like one on a screen, or a line of a log like two."""

_ID_PATTERN = rf"^[^\s{UNSEEN}](?:[^{UNSEEN}]*[^\s{UNSEEN}])?$"


def _fits(value: str) -> str:
    size = len(value.encode())
    if size > MOST_ID_BYTES:
        message = f"expected at most {MOST_ID_BYTES} bytes of UTF-8, got {size}"
        raise ValueError(message)
    return value


# A character takes four bytes at most, so up to 64 characters always fit. Bytes of longer ids are counted
# in Python, which would cost 0.1 microseconds on each of the many short ones.
_Short = Annotated[str, Field(min_length=1, max_length=MOST_ID_BYTES // 4, pattern=_ID_PATTERN)]
_Long = Annotated[str, Field(max_length=MOST_ID_BYTES, pattern=_ID_PATTERN), AfterValidator(_fits)]
Identifier = Annotated[
    _Short | _Long,
    Field(union_mode="left_to_right"),
    WithJsonSchema({
        "type": "string",
        "minLength": 1,
        "maxLength": MOST_ID_BYTES,
        "pattern": _ID_PATTERN,
    }),
]  # fmt: skip
"""Text of 1 to 256 bytes of UTF-8: no space at its ends, nothing that cannot be seen."""

EARLIEST: Final = datetime(1970, 1, 2, tzinfo=UTC)
LATEST: Final = datetime(2049, 1, 1, tzinfo=UTC)
"""No moment from here on: tiles of time are numbered from 1970 on in 23 bits, which end in 2049."""


class _MomentSchema:
    """A time with a zone; in JSON as text alone.

    By itself pydantic also takes "1769851800" for seconds since 1970, and a slip of the field would become
    a date.
    """

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        del source, handler
        text = core_schema.str_schema(strict=True, pattern=r"^[0-9]{4}-")

        def moment(*, strict: bool) -> CoreSchema:
            return core_schema.datetime_schema(
                strict=strict, tz_constraint="aware", ge=EARLIEST, lt=LATEST
            )

        return core_schema.json_or_python_schema(
            json_schema=core_schema.chain_schema([text, moment(strict=False)]),
            python_schema=moment(strict=True),
        )


Moment = Annotated[
    datetime,
    _MomentSchema(),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A date and time with a zone, from 1970 to 2048."""
