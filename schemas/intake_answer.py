"""What `POST /v1/touchpoints` answers: which touchpoints were taken, and why the others were not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from schemas.rejections import MEANINGS, Reason, Rejection


class _Frozen(BaseModel):
    # What is written always holds every field, and the schema says so.
    model_config = ConfigDict(
        frozen=True, extra="ignore", json_schema_serialization_defaults_required=True
    )


class TouchpointProblem(_Frozen):
    """Why one touchpoint was not taken, as a problem of RFC 9457 with two members more.

    `type` is a relative reference, /problems/<reason>. `reason` is a code of the dead letters; a client
    must expect codes that are newer than itself. `field` is where the fault lies, or "record".
    """

    type: str
    title: str
    status: Literal[422] = 422
    detail: str
    reason: Annotated[Reason | str, Field(union_mode="left_to_right")]
    field: str

    @classmethod
    def of(cls, rejection: Rejection) -> Self:
        """The problem that tells of a rejection."""
        return cls(
            type=f"/problems/{rejection.reason}",
            title=MEANINGS[rejection.reason].title,
            detail=rejection.detail,
            reason=rejection.reason,
            field=rejection.field,
        )


class RejectedTouchpoint(_Frozen):
    """A touchpoint that was not taken: its place in what was sent, from 0, and the problem."""

    index: Annotated[int, Field(ge=0)]
    problem: TouchpointProblem


class IntakeAnswer(_Frozen):
    """What became of the touchpoints of one request.

    `accepted` holds the event ids that Kafka has; `rejected` the others, in the order in which they were
    sent. The status is 202 if at least one was accepted, else 422.
    """

    accepted: tuple[str, ...]
    rejected: tuple[RejectedTouchpoint, ...]

    @classmethod
    def of(cls, accepted: Iterable[str], rejections: Iterable[tuple[int, Rejection]]) -> Self:
        """The answer to a request; rejections come with the place of their touchpoint."""
        return cls(
            accepted=tuple(accepted),
            rejected=tuple(
                RejectedTouchpoint(index=index, problem=TouchpointProblem.of(rejection))
                for index, rejection in rejections
            ),
        )

    @property
    def status(self) -> Literal[202, 422]:
        """The HTTP status that goes with it."""
        return 202 if self.accepted else 422
