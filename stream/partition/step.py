"""One step of a partition: what was read, what it changes, and what it sends out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from schemas.rejections import Rejection
from stream.features.pending import Pending
from stream.features.state import CustomerState
from stream.model.labels import Labelled
from stream.partition.intake import Event, Parsed, Record
from stream.partition.ledger import Ledger, Position
from stream.partition.outputs import Output

MOST_CUSTOMERS: Final = 500
MOST_SCORINGS: Final = 1_000
MOST_FORWARDED: Final = 1 << 20
"""Limits of one step: it blocks the store while it is written (100,000 states in one call took 0.76 s), and
its outputs, of 2.5 KB a scoring at the most, stay under 4 MiB."""


class Entry(NamedTuple):
    """A record and what it was read as."""

    record: Record
    parsed: Parsed


class DeadLetter(NamedTuple):
    """A record that cannot be scored, and why."""

    record: Record
    rejection: Rejection


class Scoring(NamedTuple):
    """One moment at which a customer is scored: the raw row as it stood then, and why."""

    state: CustomerState
    snapshot: bytes
    decided_ms: int
    offset: int
    cursor: int
    event: Event | None
    live: bool
    opened: Pending | None = None
    """The example that was opened there."""
    labelled: list[Labelled] | None = None
    """Examples whose labels have become known."""

    @property
    def place(self) -> Position:
        """Where it stands in the log."""
        return Position(self.offset, self.cursor)


class Mark(NamedTuple):
    """All labels known up to a time come before a scoring; `before` is that one's number in the step."""

    before: int
    known_to: int
    place: Position


@dataclass
class Step:
    """From one position to the next: all of it is stored, or nothing."""

    position: Position
    ledger: Ledger
    changed: dict[str, CustomerState] = field(default_factory=dict)
    due: dict[str, int] = field(default_factory=dict)
    """When each changed customer is due next, in seconds since 1970."""
    taken: int = 0
    """Records that are done."""
    events: int = 0
    """Scorings that an event caused; the others are silence's."""
    scorings: list[Scoring] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    places: list[Position] = field(default_factory=list)
    """Of each output: the position of the scoring or record behind it."""
    forwarded: int = 0
    """Bytes of forwarded touchpoints, with their keys and headers."""
    dead: list[DeadLetter] = field(default_factory=list)
    watermarks: list[Mark] = field(default_factory=list)
    waits: int = 0
    """Where it ends because of it: the time up to which models must be known before it goes on."""

    def say(self, place: Position, output: Output) -> None:
        """Send something out."""
        self.places.append(place)
        self.outputs.append(output)

    def has_room(self, customer_id: str) -> bool:
        """Whether one more scoring, of this customer, may be part of it."""
        if len(self.scorings) >= MOST_SCORINGS:
            return False
        return customer_id in self.changed or len(self.changed) < MOST_CUSTOMERS
