"""Records of `examples`, read: labels of one outcome's stages, and watermarks."""

from __future__ import annotations

from base64 import b64decode
from datetime import datetime
from typing import NamedTuple

import msgspec


class Labelled(NamedTuple):
    """What one record says of one outcome; times in seconds since 1970."""

    labelled_at: int
    identity: str
    opened_at: int
    vector: bytes
    stage: int
    at_risk: bool
    occurred: bool
    final: bool
    probability: float
    log_odds: float
    version: int
    partition: int
    sequence: int
    horizon_days: int
    end_day: int


class Watermark(NamedTuple):
    """All labels of a partition known up to a time have come.

    `adopts`: models take effect there by *adopt* records, which the learner appends.
    """

    partition: int
    known_to: int
    adopts: bool


class _Label(msgspec.Struct):
    outcome: str
    horizon_days: int
    stage: int
    end_day: int
    at_risk: bool
    occurred: bool
    final: bool
    probability: float
    log_odds: float
    model_version: int


class _Data(msgspec.Struct):
    partition: int
    sequence: int
    opened_at: datetime | None = None
    labelled_at: datetime | None = None
    features: str = ""
    vector: str = ""
    labels: list[_Label] = []
    known_to: datetime | None = None
    adopts: bool = False


class _Envelope(msgspec.Struct):
    id: str
    type: str
    data: _Data


_decode = msgspec.json.Decoder(_Envelope).decode


class UnreadableExampleError(ValueError):
    """The bytes are no record of `examples`."""


class Example(NamedTuple):
    """A record of `examples` that holds labels."""

    features: str
    """Hash of the list of features."""
    labels: dict[str, Labelled]
    """By outcome and stage, as `outcome:stage`."""


def read_example(value: bytes) -> Example | Watermark:
    """Raises UnreadableExampleError."""
    try:
        found = _decode(value)
    except msgspec.MsgspecError as error:
        raise UnreadableExampleError(f"example: {error}") from None
    data = found.data
    if data.known_to is not None:
        return Watermark(data.partition, int(data.known_to.timestamp()), data.adopts)
    if data.opened_at is None or data.labelled_at is None:
        raise UnreadableExampleError("example: expected the times opened_at and labelled_at")
    at, opened = int(data.labelled_at.timestamp()), int(data.opened_at.timestamp())
    try:
        vector = b64decode(data.vector, validate=True)
    except ValueError as error:
        raise UnreadableExampleError(f"example: vector: {error}") from None
    labels = {
        f"{label.outcome}:{label.stage}": Labelled(
            at,
            found.id,
            opened,
            vector,
            label.stage,
            label.at_risk,
            label.occurred,
            label.final,
            label.probability,
            label.log_odds,
            label.model_version,
            data.partition,
            data.sequence,
            label.horizon_days,
            label.end_day,
        )
        for label in data.labels
    }
    return Example(data.features, labels)
