"""What a partition keeps besides its customers: position, clock, versions in force, and its counts."""

from __future__ import annotations

from collections import Counter
from typing import Final, NamedTuple

import msgspec


class Position(NamedTuple):
    """How far a partition is done: the next record's offset, and how many of its due scorings are done."""

    offset: int
    cursor: int = 0

    def __str__(self) -> str:
        return f"{self.offset}:{self.cursor}"

    @classmethod
    def parse(cls, text: str) -> Position:
        """The position that str() wrote."""
        offset, cursor = text.split(":")
        return cls(int(offset), int(cursor))


END: Final = Position(2**63)
"""Beyond the end of any log."""


class Ledger(msgspec.Struct):
    """Stored with every step. `clock` is the greatest record time so far, in ms since 1970.

    `origins` holds, per partition from which events were forwarded here, the highest offset taken in.
    `counts`: in = scored + duplicates + rejected + forwarded + control; the others are told apart by name.
    """

    clock: int = 0
    live: bool = False
    versions: dict[str, int] = {}
    origins: dict[str, int] = {}
    counts: dict[str, int] = {}
    settings: str = ""
    """The decisions in force, as `schemas.decisions` writes them; empty before the first adoption."""
    types: int = 0
    """How many touchpoint types the states were made with; more may follow, none may go."""
    states: str = ""
    """Hash of what the states were made with: those types and the outcomes, in order."""
    partitions: int = 0
    """How many partitions the topic had then; 0 before the first step."""
    known_to: int = 0
    """Of the last watermark: all labels known up to then are out, in seconds since 1970."""
    learned_to: int = 0
    """Before the log goes live: models that know all labels up to then are in force, as far as there are any."""

    began: int = 0
    """When the log's clock began, in seconds since 1970: whoever imports tells all partitions the same."""
    tail: str = ""
    """The last record that was taken in (see `stream.partition.tail`)."""
    tail_at: int = 0
    """Its offset: not always right before the position, for ends of transactions take up offsets, too."""

    def count(self, what: str, number: int = 1) -> None:
        """Add to a count; one that is still nought is left out."""
        if number:
            self.counts[what] = self.counts.get(what, 0) + number


def totals(ledgers: list[Ledger]) -> dict[str, int]:
    """The counts of several partitions, added up."""
    added: Counter[str] = Counter()
    for ledger in ledgers:
        added.update(ledger.counts)
    return dict(added)


_decoder = msgspec.json.Decoder(Ledger)


def encode_ledger(ledger: Ledger) -> bytes:
    """As JSON, keys in order, so that equal ledgers are equal bytes."""
    return msgspec.json.encode(ledger, order="deterministic")


def decode_ledger(data: bytes | None) -> Ledger:
    """The ledger; that of a partition never touched where there is none."""
    return _decoder.decode(data) if data else Ledger()
