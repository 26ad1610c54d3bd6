"""A published model, as typed JSON: what scoring needs, what was measured, and a checksum.

The same record with `resume` filled in is what a learner starts again from.
"""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

import msgspec
import numpy as np

from schemas.outcomes import Outcome
from stream.features.vector import Vectorizer
from stream.model.basis import Basis
from stream.model.learned import Learned

FORMAT: Final = 1


class UnreadableSnapshotError(ValueError):
    """The bytes are no snapshot of this format, are damaged, or are of other features."""


class Calibrator(msgspec.Struct, frozen=True):
    """Added to the log-odds of a stage: `bias`, and `slope` times them."""

    bias: float = 0.0
    slope: float = 0.0


class StageWeights(msgspec.Struct, frozen=True):
    """One stage; `weights` by the name of a feature, or of two with `*` between; those at 0 are left out."""

    start: int
    end: int
    prior: bool
    bias: float
    weights: dict[str, float]
    calibrator: Calibrator


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One version of one outcome's model; times of the log.

    `version` 0 says: nothing has been learned up to `known_to` that would make a version.
    """

    format: int = FORMAT
    outcome: str
    horizon_days: int
    version: int
    basis: str
    known_to: datetime
    champion: str
    schema: str
    features: tuple[str, ...]
    positions: dict[str, int]
    examples: int
    positives: int
    trained: tuple[int, ...]
    means: dict[str, float]
    stages: tuple[StageWeights, ...]
    metrics: dict[str, Any]
    resume: dict[str, Any] | None = None
    checksum: str = ""

    @property
    def known_s(self) -> int:
        """All labels known up to then are in it; seconds since 1970."""
        return int(self.known_to.timestamp())


_decode = msgspec.json.Decoder(Snapshot).decode
_encode = msgspec.json.Encoder(order="deterministic").encode


def _checksum(snapshot: Snapshot) -> str:
    return sha256(_encode(msgspec.structs.replace(snapshot, checksum=""))).hexdigest()


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """As JSON, keys in order, so that equal snapshots are equal bytes; the checksum is set."""
    return _encode(msgspec.structs.replace(snapshot, checksum=_checksum(snapshot)))


def decode_snapshot(data: bytes) -> Snapshot:
    """Raises UnreadableSnapshotError for bytes of another format, or whose checksum does not hold."""
    try:
        found = _decode(data)
    except msgspec.MsgspecError as error:
        raise UnreadableSnapshotError(f"snapshot: {error}") from None
    if found.format != FORMAT:
        raise UnreadableSnapshotError(f"snapshot: expected format {FORMAT}, got {found.format}")
    if found.checksum != _checksum(found):
        raise UnreadableSnapshotError("snapshot: its checksum does not hold")
    return found


def pack_snapshot(snapshot: Snapshot) -> bytes:
    """What scoring needs of it, small."""
    bare = msgspec.structs.replace(
        snapshot, metrics={}, resume=None, features=(), positions={}, checksum=""
    )
    return zlib.compress(_encode(bare), 1)


def unpack_snapshot(data: bytes) -> Snapshot:
    """What `pack_snapshot` packed."""
    return _decode(zlib.decompress(data))


def learned(snapshot: Snapshot, outcome: Outcome, basis: Basis, vectorizer: Vectorizer) -> Learned:
    """What scoring needs of it. Raises UnreadableSnapshotError where it is of other stages or features."""
    ends = outcome.stage_ends
    if tuple(stage.end for stage in snapshot.stages) != ends:
        raise UnreadableSnapshotError(f"snapshot: expected stages that end after {ends} days")
    theta = np.zeros((len(ends), basis.size))
    place = {name: number for number, name in enumerate(basis.names)}
    mean = np.zeros(basis.features)
    try:
        for row, stage in zip(theta, snapshot.stages, strict=True):
            row[0] = stage.bias
            for name, weight in stage.weights.items():
                row[place[name]] = weight
        for name, value in snapshot.means.items():
            mean[vectorizer.column[name]] = value
    except KeyError as error:
        raise UnreadableSnapshotError(f"snapshot: feature {error} is not known here") from None
    calibrators = np.array([[s.calibrator.bias, s.calibrator.slope] for s in snapshot.stages])
    if not (np.isfinite(theta).all() and np.isfinite(calibrators).all()):
        raise UnreadableSnapshotError("snapshot: its weights are not finite")
    prior = np.array([1.0 if stage.prior else 0.0 for stage in snapshot.stages])
    return Learned(snapshot.version, snapshot.basis, theta, prior, calibrators, mean)


def moment(seconds: int) -> datetime:
    """A time of the log, from seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC)
