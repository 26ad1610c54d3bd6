"""Whether a worker's partitions get on: which are well, which wait for a reason, and which are stuck.

Waiting is no fault: for Redis or Kafka while they do not answer, for models while a log keeps step. Standing
still with records at hand and none of these reasons is one, and nothing in the process will mend it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from stream.errors import BrokerError, NotAMemberError, StoreError
from stream.partition.ledger import Position


class Standing(NamedTuple):
    """How far a partition has come; `lag` counts the records that are known to lie beyond."""

    position: Position | None
    lag: int
    waits: bool = False
    """For models."""


RECENT: Final = 12.0
"""Seconds for which a server that did not answer is held to be away; a look that comes later than that is late."""


@dataclass
class _Partition:
    """`since`: when it last got on, had nothing to do or had a reason; `trouble`: what failed last, since then."""

    position: Position | None
    since: float
    trouble: str = ""
    unanswered: bool = False
    failed: float = 0.0


@dataclass
class Watch:
    """Looks on. All times are seconds by a clock that never goes back."""

    patience: float
    """Seconds that a partition may stand still."""
    _partitions: dict[int, _Partition] = field(default_factory=dict)
    _looked: float | None = None

    def failed(self, partition: int, error: BaseException, now: float) -> None:
        """What a partition's owner met; servers that do not answer are a reason to wait."""
        known = self._partitions.setdefault(partition, _Partition(None, now))
        known.trouble = str(error) or type(error).__name__
        known.unanswered = isinstance(error, StoreError | BrokerError) and not isinstance(
            error, NotAMemberError
        )
        known.failed = now
        if known.unanswered:
            known.since = now

    def look(self, standings: Mapping[int, Standing], now: float) -> str | None:
        """Take in where all present partitions stand; a sentence about one that is stuck, else None."""
        for gone in self._partitions.keys() - standings.keys():
            del self._partitions[gone]
        late = self._looked is not None and now - self._looked > RECENT
        self._looked = now
        for number, standing in standings.items():
            known = self._partitions.setdefault(number, _Partition(standing.position, now))
            if standing.position != known.position:
                self._partitions[number] = _Partition(standing.position, now)
            elif late or not standing.lag or standing.waits:
                # Late, the process itself was held up: what stood still meanwhile is not to blame.
                known.since = now
                if not standing.lag and now - known.failed > RECENT:
                    known.trouble, known.unanswered = "", False
        for number, known in sorted(self._partitions.items()):
            if now - known.since >= self.patience:
                return _diagnosis(number, known, standings[number].lag, now)
        return None

    @property
    def troubles(self) -> list[str]:
        """What keeps partitions waiting for a server, once each."""
        found = {known.trouble for known in self._partitions.values() if known.unanswered}
        return sorted(found)


def _diagnosis(number: int, known: _Partition, lag: int, now: float) -> str:
    at = f"offset {known.position.offset}" if known.position else "its beginning"
    last = f"; what failed last: {known.trouble}" if known.trouble else "; nothing has failed"
    return (
        f"partition {number} has stood still at {at} for {now - known.since:.0f} s "
        f"with {lag:,} records to take in{last}"
    )
