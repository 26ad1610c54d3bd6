"""Records of `scores` and `band-changes`, read into rows of the view."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, NamedTuple

import msgspec

from schemas.bands import BANDS, UNSCORED
from stream.model.linear import MILLION

NONE = -1
"""The number of no band, and of no probability."""
_NUMBERS: dict[str, int] = {band.value: number for number, band in enumerate(BANDS)} | {
    UNSCORED: NONE
}


_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class _Position(msgspec.Struct):
    partition: int
    offset: int
    cursor: int


class _Touchpoint(msgspec.Struct):
    event_id: str
    type: str


class _OutcomeScore(msgspec.Struct):
    outcome: str
    probability: float
    band: str


class _ScoreData(msgspec.Struct):
    customer_id: str
    decided_at: _Moment
    position: _Position
    scores: list[_OutcomeScore]


class _Since(msgspec.Struct):
    log_odds: float
    events: float
    silence: float
    model: float


class _MoveData(msgspec.Struct, rename={"came_from": "from", "came_to": "to"}):
    customer_id: str
    outcome: str
    came_from: str
    came_to: str
    probability: float
    previous_probability: float | None
    touchpoint: _Touchpoint | None
    basis: str
    model_version: int
    decided_at: _Moment
    position: _Position
    since_last_change: _Since | None = None


class _Score(msgspec.Struct):
    data: _ScoreData


class _BandChange(msgspec.Struct):
    id: str
    data: _MoveData


class ScoreRow(NamedTuple):
    """A score as the table `scores` keeps it."""

    customer: str
    offset: int
    cursor: int
    decided_ms: int
    read_offset: int
    chances: bytes


class MoveRow(NamedTuple):
    """A band change as the table `moves` keeps it; log-odds and probabilities in millionths."""

    customer: str
    outcome: int
    offset: int
    cursor: int
    decided_ms: int
    came_from: int
    came_to: int
    probability: int
    previous: int | None
    event_id: str | None
    event_type: str | None
    basis: str
    model_version: int
    id: str
    stood_at: int | None
    by_events: int | None
    by_silence: int | None
    by_model: int | None


class Chances:
    """Probability (in millionths) and band per outcome, packed; NONE where an outcome has no score."""

    def __init__(self, outcomes: Sequence[str]) -> None:
        self._places = {name: 2 * place for place, name in enumerate(outcomes)}
        self._packed = struct.Struct("<" + "ib" * len(outcomes))
        self._empty = [NONE] * (2 * len(outcomes))

    def pack(self, scores: Sequence[_OutcomeScore]) -> bytes:
        """The scores of outcomes that are known here."""
        found = self._empty.copy()
        for score in scores:
            place = self._places.get(score.outcome)
            if place is not None:
                found[place] = round(score.probability * MILLION)
                found[place + 1] = _NUMBERS[score.band]
        return self._packed.pack(*found)

    def unpack(self, packed: bytes) -> list[tuple[int, int]]:
        """(probability, band) per outcome."""
        found = self._packed.unpack(packed)
        return list(zip(found[::2], found[1::2], strict=True))


class RecordReader:
    """Reads records for the outcomes of one deployment; None for what is none of ours."""

    def __init__(self, outcomes: Sequence[str]) -> None:
        self.chances = Chances(outcomes)
        self._places = {name: place for place, name in enumerate(outcomes)}
        self._score = msgspec.json.Decoder(_Score).decode
        self._move = msgspec.json.Decoder(_BandChange).decode

    def score(self, value: bytes | None, read_offset: int) -> ScoreRow | None:
        """A record of `scores`; `read_offset` is its offset there."""
        try:
            data = self._score(value or b"").data
            chances = self.chances.pack(data.scores)
        except (msgspec.MsgspecError, KeyError, struct.error):
            return None
        position = data.position
        return ScoreRow(
            data.customer_id,
            position.offset,
            position.cursor,
            _milliseconds(data.decided_at),
            read_offset,
            chances,
        )

    def move(self, value: bytes | None) -> MoveRow | None:
        """A record of `band-changes`."""
        try:
            record = self._move(value or b"")
            data = record.data
            outcome = self._places[data.outcome]
            came_from, came_to = _NUMBERS[data.came_from], _NUMBERS[data.came_to]
        except (msgspec.MsgspecError, KeyError):
            return None
        event, position, previous = data.touchpoint, data.position, data.previous_probability
        return MoveRow(
            data.customer_id,
            outcome,
            position.offset,
            position.cursor,
            _milliseconds(data.decided_at),
            came_from,
            came_to,
            round(data.probability * MILLION),
            None if previous is None else round(previous * MILLION),
            event.event_id if event else None,
            event.type if event else None,
            data.basis,
            data.model_version,
            record.id,
            *_millionths(data.since_last_change),
        )


def _millionths(since: _Since | None) -> tuple[int | None, ...]:
    if since is None:
        return None, None, None, None
    return tuple(round(each * MILLION) for each in msgspec.structs.astuple(since))


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
