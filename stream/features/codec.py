"""A customer's state as bytes, and back. Little-endian, versioned, canonical: equal states, equal bytes.

head     the numbers of `_HEAD`
tiles    the numbers of `_TILES`; per type seen, by type: type << 24 | hour (u32); keys (u32 each); counts
         (1, 2 or 4 bytes each); the values of those tiles that have one (4 or 8 bytes each)
scores   per outcome the band (u8 each); then, each for all outcomes, the probability (u32), the log-odds
         (i32), their model (u32), those at the last band change (i32), its model (u32), the part of events since (i32)
examples the numbers of `_EXAMPLES`, and the pending examples as `stream.features.pending` writes them
fired    hash of the rule's name (u32) and when it last fired (u32)
ids      hashes of event ids (u64 each), then when each arrived (u32 each)

Window sums are not stored: they are summed again on reading, for all customers of a read at once, which
costs little more than the copying.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate, chain, compress, count

import numpy as np
from numpy.typing import NDArray

from schemas.types import STAGES
from stream.features.grid import FINE, WINDOWS
from stream.features.layout import FACTS, Layout
from stream.features.pending import pack
from stream.features.state import CODE_BITS, CustomerState

VERSION = 3
_HEAD = struct.Struct("<BBBII")
_TILES = struct.Struct("<4IBBBBHH")
_KEPT = len(FACTS) - 1
_EXAMPLES = struct.Struct("<II")
_NEVER = (1 << 32) - 1
_FIRED = struct.Struct("<II")
_SCORES = (
    "probabilities",
    "log_odds",
    "scored_by",
    "changed_at",
    "changed_by",
    "by_events",
)
_REACHES = tuple(window.reach for window in WINDOWS)


class UnreadableStateError(ValueError):
    """The bytes are not a state of this version."""


def encode(state: CustomerState) -> bytes:
    """The state as bytes."""
    if state.packed is None:
        state.packed = _pack_tiles(state)
    ids, fired = state.ids, state.fired
    head = _HEAD.pack(VERSION, len(state.bands), len(fired), len(ids), state.at)
    if state.packed_pending is None:
        state.packed_pending = pack(state.examples())
    scores = b"".join(
        (
            head,
            state.packed,
            state.bands,
            *(getattr(state, name) for name in _SCORES),
            _EXAMPLES.pack(min(state.matures, _NEVER), len(state.packed_pending)),
            state.packed_pending,
        )
    )
    if fired:
        scores += b"".join(_FIRED.pack(rule, time) for rule, time in sorted(fired.items()))
    if ids:
        scores += array("Q", ids).tobytes() + array("I", ids.values()).tobytes()
    return scores


def _pack_tiles(state: CustomerState) -> bytes:
    keys, counts, values = state.keys, state.counts, state.values
    valued = array(values.typecode, compress(values, map((1).__and__, keys)))
    facts = state.layout.facts
    return (
        _TILES.pack(
            *map(int, state.row[facts : facts + _KEPT]),
            len(state.seen),
            ord(counts.typecode),
            ord(values.typecode),
            len(keys),
            len(valued),
        )
        + state.seen.tobytes()
        + keys.tobytes()
        + counts.tobytes()
        + valued.tobytes()
    )


def decode(
    customers: Sequence[tuple[str, bytes]], layout: Layout, outcomes: int
) -> list[CustomerState]:
    """The states of several customers, given as (id, bytes).

    Raises UnreadableStateError for bytes of another version or of another number of outcomes.
    """
    states = [_read(customer_id, data, layout, outcomes) for customer_id, data in customers]
    for state, sums in zip(states, _sum(states, layout), strict=True):
        state.row[: layout.last] = array("d", sums.tobytes())
        state.begins = [
            bisect_left(state.keys, _first_key(state.at, reach)) for reach in _REACHES[:4]
        ]
        state.set_edge()
    return states


def _first_key(at: int, reach: int) -> int:
    """The lowest key that a tile still inside a window may have."""
    return max(0, (at - reach) // FINE + 1) << CODE_BITS


def _read(customer_id: str, data: bytes, layout: Layout, outcomes: int) -> CustomerState:
    state = CustomerState(customer_id, layout, outcomes)
    version, scored, fired, ids, at = _HEAD.unpack_from(data)
    if version != VERSION or scored != outcomes:
        message = (
            f"state of version {version} with {scored} outcomes, expected {VERSION} with {outcomes}"
        )
        raise UnreadableStateError(message)
    state.at = at
    begin = _read_tiles(state, data, _HEAD.size)
    state.bands[:] = data[begin : begin + outcomes]
    begin += outcomes
    for name in _SCORES:
        kind = getattr(state, name).typecode
        setattr(state, name, array(kind, data[begin : begin + 4 * outcomes]))
        begin += 4 * outcomes
    matures, size = _EXAMPLES.unpack_from(data, begin)
    begin += _EXAMPLES.size
    if size:
        state.matures = matures
        state.pending, state.packed_pending = None, data[begin : begin + size]
        begin += size
    for _ in range(fired):
        rule, time = _FIRED.unpack_from(data, begin)
        state.fired[rule] = time
        begin += _FIRED.size
    if ids:
        hashes = array("Q", data[begin : begin + 8 * ids])
        state.ids = dict(zip(hashes, array("I", data[begin + 8 * ids :]), strict=True))
    return state


def _read_tiles(state: CustomerState, data: bytes, begin: int) -> int:
    """Read the tiles that begin there; returns where they end."""
    *facts, kinds, width, size, tiles, valued = _TILES.unpack_from(data, begin)
    state.row[state.layout.facts : state.layout.facts + _KEPT] = array("d", facts)
    state.counts, state.values = array(chr(width)), array(chr(size))
    ends: tuple[int, ...] = tuple(
        accumulate(
            (4 * kinds, 4 * tiles, state.counts.itemsize * tiles, state.values.itemsize * valued),
            initial=begin + _TILES.size,
        )
    )
    state.packed = data[begin : ends[4]]
    state.seen.frombytes(data[ends[0] : ends[1]])
    for pair in state.seen:
        hour = pair & 0xFFFFFF
        state.row[state.layout.last + (pair >> 24)] = hour
        state.fresh = max(state.fresh, hour)
    state.keys.frombytes(data[ends[1] : ends[2]])
    state.counts.frombytes(data[ends[2] : ends[3]])
    if valued == tiles:
        state.values.frombytes(data[ends[3] : ends[4]])
    else:
        state.values.frombytes(bytes(state.values.itemsize * tiles))
        values = array(state.values.typecode, data[ends[3] : ends[4]])
        for index, value in zip(
            compress(count(), map((1).__and__, state.keys)), values, strict=True
        ):
            state.values[index] = value
    return ends[4]


def _sum(states: Sequence[CustomerState], layout: Layout) -> NDArray[np.float64]:
    """The window sums of all states: the part of their raw rows before `layout.last`."""
    number, windows = len(states), len(_REACHES)
    rows = np.zeros((number, layout.last))
    lengths = [len(state.keys) for state in states]
    if not any(lengths):
        return rows
    keys = np.array(list(chain.from_iterable(state.keys for state in states)), np.int64)
    counts = np.array(list(chain.from_iterable(state.counts for state in states)), np.float64)
    values = np.array(list(chain.from_iterable(state.values for state in states)), np.float64)
    ages = np.repeat([state.at for state in states], lengths) - (keys >> CODE_BITS) * FINE
    # Windows lie in one another: a tile is added to the narrowest that holds it, then carried outwards.
    ring = np.repeat(np.arange(number) * windows, lengths) + np.searchsorted(
        _REACHES, ages, "right"
    )
    kind, stage = keys >> 3 & 63, keys >> 1 & 3

    def total(
        columns: int, column: NDArray[np.int64], amounts: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        sums = np.bincount(ring * columns + column, amounts, number * windows * columns)
        return sums.reshape(number, windows, columns).cumsum(axis=1)

    by_window = rows[:, : layout.values].reshape(number, windows, layout.per_window)
    by_window[:, :, : layout.types] = total(layout.types, kind, counts)
    by_window[:, :, layout.types :] = total(len(STAGES), stage, counts)
    rows[:, layout.values :] = total(len(STAGES), stage, values).reshape(number, -1)
    return rows
