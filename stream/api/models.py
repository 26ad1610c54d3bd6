"""What the API knows of the models: read from `model-snapshots` and `model-events`, kept in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from pydantic import ValidationError

from schemas.model import ModelEvent, ModelEventData, ModelSnapshot
from stream.model.models import Library
from stream.model.snapshot import decode_snapshot

SNAPSHOTS: Final = "model-snapshots"
EVENTS: Final = "model-events"
KEPT_VERSIONS: Final = 200
"""Per outcome, the latest."""
KEPT_EVENTS: Final = 100
"""Per outcome, the latest."""


class Version(NamedTuple):
    """One published version of a model."""

    version: int
    basis: str
    known_to: datetime
    champion: str
    examples: int
    positives: int
    log_loss: float | None


@dataclass
class Learned:
    """What is known of one outcome's model."""

    latest: ModelSnapshot | None = None
    """That of the highest version; of version 0, the one that knows most."""
    versions: dict[int, Version] = field(default_factory=dict)
    events: deque[ModelEventData] = field(default_factory=lambda: deque(maxlen=KEPT_EVENTS))
    """Oldest first."""
    alarms: int = 0
    """How often drift has been told."""
    ids: set[str] = field(default_factory=set)
    """Of all events: one that comes again is the same."""


class Models:
    """The models of one deployment's outcomes. Records of other outcomes are passed over."""

    def __init__(self, outcomes: Sequence[str], library: Library) -> None:
        """Snapshots go into `library` too: customers are scored by them."""
        self.learned = {name: Learned() for name in outcomes}
        self._library = library

    def take(self, kind: str, value: bytes | None) -> str | None:
        """Take in a record of one kind of topic; the outcome it brings something new of, if any.

        ValueError, with nothing of the record in it, for one that is none of ours: what is known stays.
        """
        take = self._snapshot if kind == SNAPSHOTS else self._event
        try:
            return take(value or b"")
        except ValidationError as error:
            first = error.errors(include_input=False, include_context=False, include_url=False)[0]
            # No further: below a field of ours, names are what the record says.
            place = first["loc"][0] if first["loc"] else "record"
            message = f"{place}: {first['type']}"
            raise ValueError(message) from None

    def _snapshot(self, value: bytes) -> str | None:
        found = ModelSnapshot.model_validate_json(value)
        whole = decode_snapshot(value)
        one = self.learned.get(found.outcome)
        if one is None:
            return None
        self._library.add(whole)
        # A write of a former owner can come late.
        if one.latest is None or _place(found) >= _place(one.latest):
            one.latest = found
        if found.version:
            self._list(one, found)
        return found.outcome

    def _list(self, one: Learned, found: ModelSnapshot) -> None:
        one.versions[found.version] = Version(
            version=found.version,
            basis=found.basis,
            known_to=found.known_to,
            champion=found.champion,
            examples=found.examples,
            positives=found.positives,
            log_loss=found.metrics.log_loss.champion,
        )
        if len(one.versions) > KEPT_VERSIONS:
            del one.versions[min(one.versions)]

    def _event(self, value: bytes) -> str | None:
        found = ModelEvent.model_validate_json(value)
        data = found.data
        one = self.learned.get(data.outcome)
        if one is None or found.id in one.ids:
            return None
        one.ids.add(found.id)
        one.events.append(data)
        one.alarms += data.kind == "drift"
        return data.outcome

    def forget(self) -> None:
        """The topics were made anew."""
        self.learned = {name: Learned() for name in self.learned}


def _place(snapshot: ModelSnapshot) -> tuple[int, datetime]:
    return snapshot.version, snapshot.known_to
