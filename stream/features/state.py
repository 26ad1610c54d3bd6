"""What is kept of one customer, and how a touchpoint and the passing of time change it.

Touchpoints are kept as tiles: (tile, type, stage) -> count and value. The sums of all windows are kept up
to date as tiles enter and leave, so an event costs the same whatever the history (2 microseconds, against
20 for summing the tiles at each event). Tiles lie sorted by time in parallel arrays; each window begins at
an index that only moves forward. A tile leaves the hour's window as an hour tile and the week's as a day
tile, merging with its like.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left

from stream.features.grid import (
    DAY,
    FINE,
    HOUR,
    HOURLY,
    NEVER,
    NEXT_HOUR_STEP,
    WINDOWS,
    shift,
)
from stream.features.layout import FACTS, MOST_CAME, Layout
from stream.features.pending import Pending, unpack

CODE_BITS = 9
_CODE = (1 << CODE_BITS) - 1
_HOUR = (1 << 24) - 1
FINE_PER_HOUR = HOUR // FINE
FINE_PER_DAY = DAY // FINE
REMEMBERED = DAY
"""Seconds for which an event id is remembered: the same id within them is a duplicate."""
MOST_REMEMBERED = 4096
"""Of one customer at a time, the latest: without a limit, an hour of 100 a second under one id ("guest")
made a state of 4.3 MB, written anew with every step."""
UNSCORED = 255
MOST_FIRED = 255
"""Rules of which is kept when they last fired."""

_1H, _1D, _7D, _30D, _90D = (window.reach for window in WINDOWS)


class CustomerState:
    """One customer. Times are local seconds (see `grid`); `at` is how far time has been taken in."""

    __slots__ = (
        "at",
        "bands",
        "begins",
        "by_events",
        "changed_at",
        "changed_by",
        "counts",
        "customer_id",
        "edge",
        "fired",
        "fresh",
        "ids",
        "keys",
        "layout",
        "log_odds",
        "matures",
        "packed",
        "packed_pending",
        "pending",
        "probabilities",
        "row",
        "scored_by",
        "seen",
        "shift",
        "values",
    )

    def __init__(self, customer_id: str, layout: Layout, outcomes: int) -> None:
        self.customer_id = customer_id
        self.layout = layout
        self.shift = shift(customer_id)
        self.at = 0
        self.keys = array("I")
        """tile number (of 5 minutes) << 9 | type << 3 | stage << 1 | 1 if it has a value; rising."""
        self.counts = array("B")
        self.values = array("i")
        self.begins = [0, 0, 0, 0]
        """Where the windows of 1 h, 1 d, 7 d and 30 d begin in `keys`; that of 90 d begins at 0."""
        self.edge = NEVER
        """When the next tile leaves a window."""
        self.seen = array("I")
        """Per type seen, rising: type << 24 | hour of the latest touchpoint."""
        self.fresh = 0
        """The hour of the latest touchpoint of all."""
        self.row = array("d", bytes(8 * layout.width))
        """The raw row (see `layout`): sums of windows, hours last seen, facts; `at` is set on a snapshot."""
        self.ids: dict[int, int] = {}
        """Hash of event id -> when it arrived."""
        self.bands = bytearray([UNSCORED]) * outcomes
        self.probabilities = array("I", bytes(4 * outcomes))
        """Last probability per outcome, in millionths."""
        self.log_odds = array("i", bytes(4 * outcomes))
        """The same as log-odds, in millionths."""
        self.scored_by = array("I", bytes(4 * outcomes))
        """Per outcome the version of the model that they are of."""
        self.changed_at = array("i", bytes(4 * outcomes))
        """Per outcome the log-odds at the last band change, in millionths."""
        self.changed_by = array("I", bytes(4 * outcomes))
        """Per outcome the version of the model that made the last band change."""
        self.by_events = array("i", bytes(4 * outcomes))
        """Per outcome by how much events have moved the log-odds since the last band change, in millionths."""
        self.pending: list[Pending] | None = []
        """Examples that wait for labels, the oldest first; None: not unpacked yet, see `examples`."""
        self.packed_pending: bytes | None = b""
        """The same as bytes, as long as they hold."""
        self.matures = NEVER
        """When the next label of an example is due."""
        self.fired: dict[int, int] = {}
        """Hash of a rule's name -> when it last fired."""
        self.packed: bytes | None = None
        """The encoded tiles, as long as they hold."""

    # -- examples ------------------------------------------------------------------------------------

    def examples(self) -> list[Pending]:
        """The examples that wait for labels, the oldest first. Whoever changes them must say so: see `moved`."""
        if self.pending is None:
            self.pending = unpack(self.packed_pending or b"")
        return self.pending

    def moved(self) -> None:
        """The examples have changed: what they were packed to holds no more."""
        self.packed_pending = None

    # -- time ----------------------------------------------------------------------------------------

    def advance(self, now: int) -> None:
        """Take time in up to `now`: what has left a window by then leaves its sums."""
        self.at = now
        if now >= self.edge:
            self._expire(now)
            self.packed = None
        if self.ids:
            self._forget(now)

    def _forget(self, now: int) -> None:
        ids = self.ids
        while ids:
            oldest = next(iter(ids))
            if ids[oldest] + REMEMBERED > now:
                return
            del ids[oldest]

    def _expire(self, now: int) -> None:
        """Move each window's beginning past the tiles that have left it, the narrowest window first."""
        keys, begins = self.keys, self.begins
        while begins[0] < len(keys) and (keys[begins[0]] >> CODE_BITS) * FINE + _1H <= now:
            self._subtract(0, begins[0])
            begins[0] += self._coarsen(begins[0], FINE_PER_HOUR)
        while begins[1] < begins[0] and (keys[begins[1]] >> CODE_BITS) * FINE + _1D <= now:
            self._subtract(1, begins[1])
            begins[1] += 1
        while begins[2] < begins[0] and (keys[begins[2]] >> CODE_BITS) * FINE + _7D <= now:
            self._subtract(2, begins[2])
            kept = self._coarsen(begins[2], FINE_PER_DAY)
            begins[2] += kept
            if not kept:
                begins[0] -= 1
                begins[1] -= 1
        while begins[3] < begins[2] and (keys[begins[3]] >> CODE_BITS) * FINE + _30D <= now:
            self._subtract(3, begins[3])
            begins[3] += 1
        gone = 0
        while gone < begins[3] and (keys[gone] >> CODE_BITS) * FINE + _90D <= now:
            self._subtract(4, gone)
            gone += 1
        if gone:
            del keys[:gone], self.counts[:gone], self.values[:gone]
            begins[:] = [begin - gone for begin in begins]
        self.set_edge()

    def _subtract(self, window: int, index: int) -> None:
        code, count, row = self.keys[index] & _CODE, self.counts[index], self.row
        kind, stage, value = self.layout.columns[code >> 1][window]
        row[kind] -= count
        row[stage] -= count
        if code & 1:
            row[value] -= self.values[index]

    def _coarsen(self, index: int, fines: int) -> int:
        """Widen a tile to `fines` fine ones: 1 if it stays an entry, 0 if it merged with an earlier one."""
        keys, counts, values = self.keys, self.counts, self.values
        key = keys[index]
        tile = key >> CODE_BITS
        key = (tile - tile % fines) << CODE_BITS | key & _CODE
        if not index or keys[index - 1] < key:  # the usual case: the first of its wider tile
            keys[index] = key
            return 1
        like = bisect_left(keys, key, 0, index)
        count, value = counts.pop(index), values.pop(index)
        del keys[index]
        if keys[like] == key:
            self._put(like, counts[like] + count, values[like] + value)
            return 0
        keys.insert(like, key)
        counts.insert(like, 0)
        values.insert(like, 0)
        self._put(like, count, value)
        return 1

    def _put(self, index: int, count: int, value: int) -> None:
        """Set a tile's count and value, in wider arrays where they have outgrown theirs."""
        while True:
            try:
                self.counts[index] = count
                self.values[index] = value
            except OverflowError:
                if not -1 << 31 <= value < 1 << 31:
                    self.values = array("q", self.values)
                if count >= 1 << 8 * self.counts.itemsize:
                    self.counts = array("I" if count >= 1 << 16 else "H", self.counts)
            else:
                return

    def set_edge(self) -> None:
        """Find out when the next tile leaves a window."""
        keys, (hour, day, week, month) = self.keys, self.begins
        edge = NEVER
        if hour < len(keys):
            edge = (keys[hour] >> CODE_BITS) * FINE + _1H
        if day < hour:
            edge = min(edge, (keys[day] >> CODE_BITS) * FINE + _1D)
        if week < hour:
            edge = min(edge, (keys[week] >> CODE_BITS) * FINE + _7D)
        if month < week:
            edge = min(edge, (keys[month] >> CODE_BITS) * FINE + _30D)
        if month:
            edge = min(edge, (keys[0] >> CODE_BITS) * FINE + _90D)
        self.edge = edge

    def due(self) -> int:
        """The first moment after `at` at which a feature moves by time alone; 24 hours away at most."""
        at = self.at
        edge = (at // DAY + 1) * DAY
        if self.edge < edge:
            edge = self.edge
        hour = at // HOUR
        if hour - self.fresh < HOURLY:
            for pair in self.seen:
                age = hour - (pair & _HOUR)
                if age < HOURLY:
                    step = (hour - age + NEXT_HOUR_STEP[age if age > 0 else 0]) * HOUR
                    if step < edge:
                        edge = step
        return edge

    # -- touchpoints ---------------------------------------------------------------------------------

    @property
    def is_new(self) -> bool:
        """Whether no touchpoint has been counted yet."""
        return not self.row[self.layout.facts]

    def came(self, seconds: int) -> None:
        """Note how old the log is as the first touchpoint arrives."""
        days = min(max(0, seconds) // DAY, MOST_CAME)
        self.row[self.layout.facts + FACTS.index("came")] = days

    def add(self, event: int, kind: int, stage: int, time: int, cents: int) -> None:
        """Count a touchpoint that happened at local `time`, anywhere within what is kept.

        Counts and sums are integers addressed by event time, so the order of arrival does not matter.
        `event` is the hash of its id, `cents` its value in hundredths.
        """
        if len(self.ids) >= MOST_REMEMBERED:
            del self.ids[next(iter(self.ids))]
        self.ids[event] = self.at
        self._note(kind, time)
        self.packed = None
        code = kind << 3 | stage << 1 | (cents != 0)
        fine = time // FINE
        if fine * FINE + _1H > self.at:
            self._enter(fine << CODE_BITS | code, 0, cents)
        else:
            self._enter_late(time, code, cents)

    def _note(self, kind: int, time: int) -> None:
        """When a type, and anything at all, was first and last seen."""
        layout, row, hour = self.layout, self.row, time // HOUR
        if hour > row[layout.last + kind]:
            seen, pair = self.seen, kind << 24
            place = bisect_left(seen, pair)
            if place < len(seen) and seen[place] >> 24 == kind:
                seen[place] = pair | hour
            else:
                seen.insert(place, pair | hour)
            row[layout.last + kind] = hour
            if hour > self.fresh:
                self.fresh = hour
        facts = layout.facts
        if not row[facts] or time < row[facts]:
            row[facts] = time
        if kind in layout.buys:
            row[facts + 1] += 1
            if not row[facts + 2] or time < row[facts + 2]:
                row[facts + 2] = time
            if time > row[facts + 3]:
                row[facts + 3] = time

    def _enter_late(self, time: int, code: int, cents: int) -> None:
        at, tile = self.at, time // HOUR * HOUR
        window = 1 if tile + _1D > at else 2
        if tile + _7D <= at:
            tile = time // DAY * DAY
            window = 3 if tile + _30D > at else 4
        self._enter(tile // FINE << CODE_BITS | code, window, cents)

    def _enter(self, key: int, window: int, cents: int) -> None:
        """Put one touchpoint in its tile; `window` is the smallest that it lies in."""
        keys = self.keys
        index = len(keys)
        if index and key <= keys[-1]:
            index = bisect_left(keys, key)
        if index < len(keys) and keys[index] == key:
            self._put(index, self.counts[index] + 1, self.values[index] + cents)
        else:
            keys.insert(index, key)
            self.counts.insert(index, 1)
            self.values.insert(index, 0)
            if cents:
                self._put(index, 1, cents)
            for wider in range(window):
                self.begins[wider] += 1
            self.set_edge()
        row = self.row
        for kind, stage, value in self.layout.columns[(key & _CODE) >> 1][window:]:
            row[kind] += 1
            row[stage] += 1
            if cents:
                row[value] += cents

    # -- what the features are made of -----------------------------------------------------------------

    def snapshot(self) -> bytes:
        """The raw row as it stands at `at` (see `layout`)."""
        self.row[-1] = self.at
        return self.row.tobytes()
