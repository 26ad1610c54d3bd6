"""Records of the log, read: a touchpoint ready to be counted, a control record, or a rejection."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple, Protocol

from schemas.intake import read
from schemas.rejections import Reason, Rejection
from schemas.types import STAGES, TypeRegistry
from stream.features.grid import LATEST
from stream.partition.control import CONTROL, ORIGIN, SIGNATURE, Control, Origin, Signer
from stream.partition.size import check_size


class Record(Protocol):
    """One record of a partition, as Kafka's client hands it over."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


class Event(NamedTuple):
    """A touchpoint as the features count it. `happened` in seconds since 1970, `cents` in hundredths."""

    customer_id: str
    event_id: str
    type: str
    kind: int
    stage: int
    happened: int
    cents: int
    hash: int
    origin: Origin | None


Parsed = Event | Control | Rejection

_FORGED = "{}: expected the signature of this deployment's control key"


class Reader:
    """Reads the records of one topic."""

    def __init__(self, registry: TypeRegistry, signer: Signer) -> None:
        self._registry = registry
        self._signer = signer
        self._numbers = {stage: number for number, stage in enumerate(STAGES)}

    def parse(self, record: Record, partition: int) -> Parsed:
        """What a record of `partition` is. Control headers are looked at first."""
        value, origin = record.value, None
        headers = [(name, text or b"") for name, text in record.headers]
        if headers:
            names = {name for name, _ in headers}
            if CONTROL in names:
                control = self._signer.read_control(partition, headers, value)
                return control or Rejection(Reason.FORGED_CONTROL, CONTROL, _FORGED.format(CONTROL))
            if ORIGIN in names:
                origin = self._signer.read_origin(partition, headers, value or b"")
                if origin is None:
                    return Rejection(Reason.FORGED_CONTROL, ORIGIN, _FORGED.format(ORIGIN))
        if value is None:
            detail = "record: expected a touchpoint, got a null value without a control header"
            return Rejection(Reason.NULL_VALUE, "record", detail)
        sent = record.headers
        if origin is not None:  # what a forward added was not the producer's
            sent = [each for each in headers if each[0] not in {ORIGIN, SIGNATURE}]
        large = check_size(record.key, value, sent)
        if large is not None:
            return large
        if record.timestamp >= LATEST * 1000:
            detail = "timestamp: expected the record's own time in milliseconds, before 2049"
            return Rejection(Reason.TIME_INVALID, "timestamp", detail)
        touchpoint = (
            read(value, self._registry, dict(headers)) if headers else read(value, self._registry)
        )
        if isinstance(touchpoint, Rejection):
            return touchpoint
        place = self._registry.places[touchpoint.type]
        happened = int(touchpoint.occurred_at.timestamp())
        if not 0 < happened < LATEST:
            detail = "occurred_at: expected a time between 1970 and 2049"
            return Rejection(Reason.TIME_INVALID, "occurred_at", detail)
        return Event(
            touchpoint.customer_id,
            touchpoint.event_id,
            touchpoint.type,
            place.number,
            place.stage if touchpoint.stage is None else self._numbers[touchpoint.stage],
            happened,
            round(touchpoint.value * 100) if touchpoint.value else 0,
            int.from_bytes(blake2b(touchpoint.event_id.encode(), digest_size=8).digest(), "little"),
            origin,
        )
