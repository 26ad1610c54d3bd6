"""The API's own view of `scores` and `band-changes`, in one SQLite file that can be made again at any time.

One process writes it, batch by batch; each batch is one transaction together with how far the topics have
been read, so every record is in it exactly once.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from importlib.resources import files
from operator import itemgetter
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

from stream.api.records import MoveRow, RecordReader, ScoreRow
from stream.errors import SettingsError
from stream.partition.outputs import SCORES

KEPT_MOVES: Final = 100
"""Band changes kept per customer and outcome."""
KEPT_SCORES: Final = 100
"""Scores kept per customer, for the trend."""
KEPT_FEED: Final = 50_000
"""Band changes from which a live feed can resume: 65 MB."""
_PRUNE_ONE_IN: Final = 16
"""Cutting a customer's rows takes 10 microseconds; one record in 16, chosen by its checksum, pays for it."""
_TABLES: Final = ("positions", "bands", "moves", "feed", "floors", "scores")
_SCHEMA: Final = files("stream.api").joinpath("view.sql").read_text()


class Log(NamedTuple):
    """One partition of an output topic: `kind` is SCORES or BAND_CHANGES."""

    kind: str
    partition: int


class Reached(NamedTuple):
    """The next offset to read, and the checksum of the record before it."""

    next: int
    mark: int


class Read(NamedTuple):
    """One record of an output topic."""

    offset: int
    value: bytes | None


class FeedRow(NamedTuple):
    """A band change of the live feed: its number here, its place in the topic, and the whole CloudEvent."""

    seq: int
    partition: int
    offset: int
    body: bytes


Batch = Mapping[Log, Sequence[Read]]


@dataclass
class Written:
    """What one batch brought."""

    moves: list[FeedRow] = field(default_factory=list)
    decided: list[tuple[int, int, int]] = field(default_factory=list)
    """Per new band change that an event caused: partition, offset, when it was decided (ms)."""
    scored: set[str] = field(default_factory=set)
    unreadable: int = 0


def mark(value: bytes | None) -> int:
    """The checksum of a record."""
    return crc32(value or b"")


def view_path(path: Path, namespace: str) -> Path:
    """The file of one namespace's view."""
    return path.with_stem(f"{path.stem}-{namespace}") if namespace else path


def connect(path: Path) -> sqlite3.Connection:
    """A connection that only reads. One thread uses it; another may close it."""
    address = f"{path.absolute().as_uri()}?mode=ro"
    made = sqlite3.connect(address, uri=True, timeout=10, check_same_thread=False)
    made.execute("PRAGMA query_only = 1")
    return made


class View:
    """The writing side. All calls come from one thread at a time."""

    def __init__(self, path: Path, outcomes: Sequence[str]) -> None:
        """Opens the file, or makes it anew if it is of another schema or other outcomes.

        SettingsError if it cannot be written, or is in use by another process.
        """
        self.path = path
        self.records = RecordReader(outcomes)
        shape = blake2b("\0".join((_SCHEMA, *outcomes)).encode(), digest_size=4).digest()
        self._shape = (
            int.from_bytes(shape, "big") >> 1
        )  # user_version is a signed number of 32 bits
        self._lock = _lock(path)
        self._connection = self._open()
        (last,) = self._connection.execute("SELECT ifnull(max(seq), 0) FROM feed").fetchone()
        self.last: int = last
        """The number of the latest band change of the feed; it only ever grows while this process lives."""

    def _open(self) -> sqlite3.Connection:
        try:
            made = self._connect()
            (version,) = made.execute("PRAGMA user_version").fetchone()
        except sqlite3.DatabaseError:  # no SQLite file at all
            made, version = None, -1
        if made is not None and version == self._shape:
            return made
        if made is not None:
            made.close()
        return self._make()

    def _make(self) -> sqlite3.Connection:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)
        os.close(os.open(self.path, os.O_CREAT | os.O_WRONLY, 0o600))  # it holds customers' ids
        made = self._connect()
        made.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {self._shape}; COMMIT;")
        return made

    def _connect(self) -> sqlite3.Connection:
        made = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        made.execute("PRAGMA page_size = 8192")  # for a new file: a fifth less to write than 4,096
        made.execute("PRAGMA journal_mode = WAL")
        made.execute("PRAGMA synchronous = NORMAL")
        made.execute("PRAGMA cache_size = -65536")
        made.execute("PRAGMA wal_autocheckpoint = 8000")
        return made

    def rebuild(self) -> None:
        """Forget everything: the topics are not those that the view was made from."""
        with self._transaction() as write:
            for table in _TABLES:
                write.execute(f"DELETE FROM {table}")  # noqa: S608 -- our own names

    def reached(self) -> dict[Log, Reached]:
        """How far the topics have been read."""
        found = self._connection.execute("SELECT topic, partition, next, mark FROM positions")
        return {
            Log(topic, partition): Reached(offset, told) for topic, partition, offset, told in found
        }

    def write(self, batch: Batch) -> Written:
        """Take in the next records of some topics: all of them or none."""
        written = Written()
        scores: list[ScoreRow] = []
        ends = []
        with self._transaction() as write:
            for (kind, partition), records in batch.items():
                if kind == SCORES:
                    scores += self._read_scores(records, written)
                else:
                    self._write_moves(write, partition, records, written)
                ends.append((kind, partition, records[-1].offset + 1, mark(records[-1].value)))
            self._write_scores(write, scores)
            self._prune_feed(write)
            write.executemany("INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?)", ends)
        self.last += len(written.moves)
        written.scored = {row.customer for row in scores}
        return written

    def _read_scores(self, records: Sequence[Read], written: Written) -> list[ScoreRow]:
        rows = []
        for offset, value in records:
            row = self.records.score(value, offset)
            if row is None:
                written.unreadable += 1
            else:
                rows.append(row)
        return rows

    def _write_scores(self, write: sqlite3.Cursor, rows: list[ScoreRow]) -> None:
        rows.sort()  # in the order of the table: a large batch takes half the time
        latest = {row.customer: row for row in rows}
        write.executemany("INSERT OR IGNORE INTO scores VALUES (?, ?, ?, ?, ?, ?)", rows)
        unpack = self.records.chances.unpack
        write.executemany(
            _SCORED,
            (
                (row.customer, outcome, probability, row.decided_ms, row.offset, row.cursor)
                for row in latest.values()
                for outcome, (probability, _) in enumerate(unpack(row.chances))
                if probability >= 0
            ),
        )
        pruned = {row.customer for row in rows if _pays(row.customer, row.offset)}
        write.executemany(_PRUNE_SCORES, [(each, each, KEPT_SCORES) for each in pruned])

    def _write_moves(
        self, write: sqlite3.Cursor, partition: int, records: Sequence[Read], written: Written
    ) -> None:
        read = []
        for offset, value in records:
            row = self.records.move(value)
            if row is None or value is None:
                written.unreadable += 1
            else:
                read.append((row, offset, value))
        read.sort(key=lambda each: each[0][:4])  # as the scores
        new = [each for each in read if write.execute(_MOVED, each[0]).rowcount]
        new.sort(key=itemgetter(1))
        # A line break may stand between the tokens of JSON; one would end the event of a feed.
        feed = [
            (partition, offset, value.replace(b"\n", b" ").replace(b"\r", b" "))
            for _, offset, value in new
        ]
        decided = [
            (partition, offset, row.decided_ms)
            for row, offset, _ in new
            if row.event_id is not None
        ]
        written.decided += decided
        last = self.last + len(written.moves)
        rows = [FeedRow(last + number, *each) for number, each in enumerate(feed, 1)]
        write.executemany("INSERT INTO feed VALUES (?, ?, ?, ?)", rows)
        written.moves += rows
        latest = {
            (row.customer, row.outcome): row
            for row in sorted((row for row, _, _ in new), key=itemgetter(0, 1, 2, 3))
        }
        self._place(write, list(latest.values()))
        pruned = {
            (row.customer, row.outcome) for row, _, _ in new if _pays(row.customer, row.offset)
        }
        write.executemany(_PRUNE_MOVES, [(*key, *key, KEPT_MOVES) for key in pruned])

    def _place(self, write: sqlite3.Cursor, rows: Sequence[MoveRow]) -> None:
        write.executemany(
            _PLACED,
            [
                (
                    *(row.customer, row.outcome, row.came_to, row.came_from),
                    *(row.decided_ms, row.offset, row.cursor),
                    *(row.probability, row.decided_ms, row.offset, row.cursor),
                )
                for row in rows
            ],
        )

    def _prune_feed(self, write: sqlite3.Cursor) -> None:
        low, high = write.execute("SELECT min(seq), max(seq) FROM feed").fetchone()
        if high is None or high - low < KEPT_FEED * 5 // 4:
            return
        last = high - KEPT_FEED
        write.execute(
            "INSERT INTO floors SELECT partition, max(offset) FROM feed WHERE seq <= ? GROUP BY partition "
            "ON CONFLICT DO UPDATE SET offset = excluded.offset",
            (last,),
        )
        write.execute("DELETE FROM feed WHERE seq <= ?", (last,))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Cursor]:
        cursor = self._connection.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        try:
            yield cursor
            cursor.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                cursor.execute("ROLLBACK")
            raise
        finally:
            cursor.close()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()
        os.close(self._lock)


def _pays(customer: str, offset: int) -> bool:
    # Multiplied, because offsets can come in steps: a customer's must not all miss.
    return ((crc32(customer.encode()) ^ offset) * 0x9E3779B1 >> 20) % _PRUNE_ONE_IN == 0


def _lock(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise SettingsError(
            f"api.view: expected a file that can be written, {path}: {error.strerror}"
        ) from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(held)
        raise SettingsError(
            f"api.view: {path} is in use by another bandshift api",
            "stop it, or set BANDSHIFT_API__VIEW to another file",
        ) from error
    return held


# A write of a former owner can come late: what was decided at an older place never replaces a newer one.
_SCORED: Final = """
INSERT INTO bands (customer, outcome, probability, decided_ms, offset, cursor) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
  probability = excluded.probability, decided_ms = excluded.decided_ms,
  offset = excluded.offset, cursor = excluded.cursor
WHERE (excluded.offset, excluded.cursor) > (offset, cursor)
"""
_MOVED: Final = (
    "INSERT OR IGNORE INTO moves VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_PLACED: Final = """
INSERT INTO bands (
  customer, outcome, band, came_from, moved_ms, moved_offset, moved_cursor,
  probability, decided_ms, offset, cursor
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
  band = excluded.band, came_from = excluded.came_from, moved_ms = excluded.moved_ms,
  moved_offset = excluded.moved_offset, moved_cursor = excluded.moved_cursor,
  probability = iif((excluded.offset, excluded.cursor) > (offset, cursor), excluded.probability, probability),
  decided_ms = iif((excluded.offset, excluded.cursor) > (offset, cursor), excluded.decided_ms, decided_ms),
  offset = iif((excluded.offset, excluded.cursor) > (offset, cursor), excluded.offset, offset),
  cursor = iif((excluded.offset, excluded.cursor) > (offset, cursor), excluded.cursor, cursor)
WHERE (excluded.moved_offset, excluded.moved_cursor) > (moved_offset, moved_cursor)
"""
_PRUNE_SCORES: Final = """
DELETE FROM scores WHERE customer = ? AND (offset, cursor) <= (
  SELECT offset, cursor FROM scores WHERE customer = ? ORDER BY offset DESC, cursor DESC LIMIT 1 OFFSET ?
)
"""
_PRUNE_MOVES: Final = """
DELETE FROM moves WHERE customer = ? AND outcome = ? AND (offset, cursor) <= (
  SELECT offset, cursor FROM moves WHERE customer = ? AND outcome = ?
  ORDER BY offset DESC, cursor DESC LIMIT 1 OFFSET ?
)
"""
