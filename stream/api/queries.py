"""Questions to the view. Each is a function of a connection, run in a thread of its own."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

from stream.api.records import Chances, MoveRow
from stream.api.view import FeedRow, connect

Answer = TypeVar("Answer")
Order = Literal["probability", "moved"]
_KEYS: Mapping[Order, str] = {"probability": "probability", "moved": "moved_ms"}


_LAST_CHARACTER = chr(0x10FFFF)


class Placed(NamedTuple):
    """Where a customer is: numbers as in the view."""

    customer: str
    outcome: int
    band: int
    came_from: int
    moved_ms: int
    probability: int
    decided_ms: int


class Scored(NamedTuple):
    """A score of the trend: (probability, band) per outcome."""

    read_offset: int
    decided_ms: int
    chances: list[tuple[int, int]]


class Queries:
    """Runs questions in threads, so that none holds up the event loop."""

    def __init__(self, path: Path, threads: int = 2) -> None:
        self._path = path
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="view-reader")

    def _ask(self, question: Callable[[sqlite3.Connection], Answer]) -> Answer:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = connect(self._path)
            self._opened.append(connection)
        return question(connection)

    async def ask(self, question: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """The answer to one question."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, question)

    def close(self) -> None:
        """Let go of the file."""
        self._threads.shutdown()
        for connection in self._opened:
            connection.close()


def placed(connection: sqlite3.Connection, customer: str) -> list[Placed]:
    """Where a customer is, per outcome that has a band."""
    found = connection.execute(
        "SELECT customer, outcome, band, came_from, moved_ms, probability, decided_ms FROM bands "
        "WHERE customer = ? AND band >= 0",
        (customer,),
    )
    return [Placed(*row) for row in found]


def in_band(
    connection: sqlite3.Connection,
    outcome: int,
    band: int,
    order: Order,
    limit: int,
    after: tuple[int, str] | None,
) -> list[Placed]:
    """Customers in a band, highest probability or latest move first, after the one last seen."""
    key = _KEYS[order]
    where, values = "", []
    if after is not None:
        where = f"AND {key} <= ? AND ({key} < ? OR customer > ?)"
        values = [after[0], after[0], after[1]]
    found = connection.execute(
        "SELECT customer, outcome, band, came_from, moved_ms, probability, decided_ms FROM bands "  # noqa: S608 -- a constant name
        f"WHERE outcome = ? AND band = ? {where} ORDER BY {key} DESC, customer LIMIT ?",
        (outcome, band, *values, limit),
    )
    return [Placed(*row) for row in found]


def counts(connection: sqlite3.Connection) -> dict[tuple[int, int], int]:
    """How many customers are in each (outcome, band)."""
    found = connection.execute(
        "SELECT outcome, band, count(*) FROM bands WHERE band >= 0 GROUP BY 1, 2"
    )
    return {(outcome, band): number for outcome, band, number in found}


def named(connection: sqlite3.Connection, prefix: str, limit: int) -> list[str]:
    """Customers whose id begins so, in order."""
    found = connection.execute(
        "SELECT DISTINCT customer FROM bands WHERE customer BETWEEN ? AND ? ORDER BY customer LIMIT ?",
        (prefix, prefix + _LAST_CHARACTER, limit),
    )
    return [customer for (customer,) in found]


def moves(
    connection: sqlite3.Connection, customer: str, outcome: int | None, limit: int
) -> list[MoveRow]:
    """A customer's band changes, the latest first."""
    where, values = ("", []) if outcome is None else (" AND outcome = ?", [outcome])
    found = connection.execute(
        f"SELECT * FROM moves WHERE customer = ?{where} "  # noqa: S608 -- constant text
        "ORDER BY offset DESC, cursor DESC, outcome LIMIT ?",
        (customer, *values, limit),
    )
    return [MoveRow(*row) for row in found]


def arrivals(connection: sqlite3.Connection, customer: str, outcomes: int) -> list[MoveRow | None]:
    """A customer's latest band change of each outcome; None where there is none."""
    found = [moves(connection, customer, outcome, 1) for outcome in range(outcomes)]
    return [rows[0] if rows else None for rows in found]


def scores(
    connection: sqlite3.Connection, chances: Chances, customer: str, limit: int, after: int = -1
) -> list[Scored]:
    """A customer's latest scores, oldest first; only those after an offset of `scores`, if one is given."""
    found = connection.execute(
        "SELECT read_offset, decided_ms, chances FROM scores WHERE customer = ? AND read_offset > ? "
        "ORDER BY offset DESC, cursor DESC LIMIT ?",
        (customer, after, limit),
    ).fetchall()
    return [
        Scored(offset, decided, chances.unpack(packed))
        for offset, decided, packed in reversed(found)
    ]


def feed_after(connection: sqlite3.Connection, seq: int, limit: int) -> list[FeedRow]:
    """Band changes of the feed after a number."""
    found = connection.execute(
        "SELECT seq, partition, offset, body FROM feed WHERE seq > ? ORDER BY seq LIMIT ?",
        (seq, limit),
    )
    return [FeedRow(*row) for row in found]


def feed_start(connection: sqlite3.Connection, offsets: Sequence[int]) -> tuple[int, bool]:
    """After which number to resume where these offsets (next to read, per partition) were reached.

    And whether nothing was cut off that comes after them.
    """
    firsts = []
    for partition, offset in enumerate(offsets):
        found = connection.execute(
            "SELECT seq FROM feed WHERE partition = ? AND offset >= ? ORDER BY offset LIMIT 1",
            (partition, offset),
        ).fetchone()
        if found is not None:
            firsts.append(found[0])
    whole = all(
        offsets[partition] > cut
        for partition, cut in connection.execute("SELECT partition, offset FROM floors")
        if partition < len(offsets)
    )
    (last,) = connection.execute("SELECT ifnull(max(seq), 0) FROM feed").fetchone()
    return min(firsts, default=last + 1) - 1, whole


def feed_recent(connection: sqlite3.Connection, number: int) -> int:
    """After which number the latest so many band changes of the feed come."""
    last: int = connection.execute("SELECT ifnull(max(seq), 0) FROM feed").fetchone()[0]
    return max(0, last - number)
