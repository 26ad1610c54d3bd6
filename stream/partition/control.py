"""Control records: what changes a decision besides touchpoints, as signed records of the same log.

tick    time has passed; its record's timestamp turns the clock
adopt   a version takes effect here: {"what": ..., "version": ..., "body": ...}
live    from here on triggers go out

A forwarded touchpoint carries a signature too, over where it came from: else a producer could make a home
believe that it has seen an event already.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

import msgspec

REPLAY = "replay"
"""What the first adopt record of a replay's log names."""
IN_STEP = "in-step"
"""What an adopt record names where a program brings past touchpoints in: workers keep step with the learner
from there on, until the log goes live. Such a program gives every partition the time."""
CONTROL = "bandshift-control"
ORIGIN = "bandshift-origin"
SIGNATURE = "bandshift-signature"
RESERVED = "bandshift-"
"""Headers of this prefix are bandshift's own; a producer's are not looked at unless signed."""

Headers = tuple[tuple[str, bytes | None], ...]
"""Of a record. Bytes of a name that are no UTF-8 stand as lone surrogates (Python's `surrogateescape`)."""


class Kind(StrEnum):
    """The kinds of control record."""

    TICK = "tick"
    ADOPT = "adopt"
    LIVE = "live"


class Control(NamedTuple):
    """A control record whose signature holds."""

    kind: Kind
    what: str = ""
    version: int = 0
    body: str = ""
    """What is adopted, where it is not kept elsewhere."""


class Origin(NamedTuple):
    """Where a forwarded touchpoint first arrived."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


class Signer:
    """Signs and checks the records of one topic with the deployment's control key."""

    def __init__(self, key: bytes, topic: str) -> None:
        self._key = key
        self._topic = topic.encode()

    def _sign(self, *parts: bytes) -> bytes:
        # Lengths keep apart what the parts alone could not: ("ab", "c") and ("a", "bc").
        framed = b"".join(len(part).to_bytes(4, "big") + part for part in (self._topic, *parts))
        return hmac.digest(self._key, framed, "sha256").hex().encode()

    def control(
        self, partition: int, kind: Kind, what: str = "", version: int = 0, body: str = ""
    ) -> tuple[bytes | None, Headers]:
        """Value and headers of a control record for one partition."""
        told = {"what": what, "version": version, "body": body}
        value = msgspec.json.encode(told) if what else None
        signature = self._sign(b"control", b"%d" % partition, kind.encode(), value or b"")
        return value, ((CONTROL, kind.encode()), (SIGNATURE, signature))

    def forward(self, partition: int, origin: Origin, value: bytes) -> Headers:
        """Headers that carry a touchpoint's origin to its home."""
        where = str(origin).encode()
        return (
            (ORIGIN, where),
            (SIGNATURE, self._sign(b"origin", b"%d" % partition, where, value)),
        )

    def read_control(
        self, partition: int, headers: Iterable[tuple[str, bytes]], value: bytes | None
    ) -> Control | None:
        """The control record, or None where its signature does not hold for this partition."""
        found = dict(headers)
        kind = found[CONTROL]
        expected = self._sign(b"control", b"%d" % partition, kind, value or b"")
        if not hmac.compare_digest(expected, found.get(SIGNATURE, b"")):
            return None
        body = msgspec.json.decode(value) if value else {}
        return Control(Kind(kind.decode()), **body)

    def read_origin(
        self, partition: int, headers: Iterable[tuple[str, bytes]], value: bytes
    ) -> Origin | None:
        """Where a forwarded touchpoint came from, or None where the signature does not hold."""
        found = dict(headers)
        where = found[ORIGIN]
        expected = self._sign(b"origin", b"%d" % partition, where, value)
        if not hmac.compare_digest(expected, found.get(SIGNATURE, b"")):
            return None
        origin, offset = where.decode().split(":")
        return Origin(int(origin), int(offset))
