"""What a log that no longer reaches back far enough has lost, in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, NamedTuple

ACCEPT: Final = "bandshift worker --accept-loss"


class Loss(NamedTuple):
    """Records of one partition that neither the states nor the log hold. Offsets are the next ones to read."""

    partition: int
    position: int | None
    """Where the states end; None where there are none."""
    begin: int
    """Where the log begins."""
    clock: int = 0
    """The log's time up to which the states know everything, in ms since 1970; 0: unknown."""

    @property
    def records(self) -> int:
        """How many offsets are gone: at least as many as there were records."""
        return self.begin - (self.position or 0)

    @property
    def text(self) -> str:
        """Exactly what is missing, in one sentence."""
        where = f"touchpoints, partition {self.partition}"
        if self.position is None:
            return (
                f"{where}: there are no states, and the log begins at offset {self.begin}; "
                f"its first {self.records:,} records are gone, with all that customers did in them"
            )
        since = ""
        if self.clock:
            since = f" ({datetime.fromtimestamp(self.clock // 1000, UTC):%Y-%m-%d %H:%M:%S} UTC)"
        return (
            f"{where}: the states end at offset {self.position}{since}, the log begins at {self.begin}; "
            f"{self.records:,} records (offsets {self.position} to {self.begin - 1}) are gone"
        )

    @property
    def hint(self) -> str:
        """The ways out."""
        return (
            f"bring the log back, or a copy of Redis that reaches to offset {self.begin}; "
            f"or let it go on without these records, for good: {ACCEPT}"
        )


def lost(partition: int, position: int | None, begin: int, clock: int = 0) -> Loss | None:
    """What is missing between the states and the log; None where they meet."""
    return Loss(partition, position, begin, clock) if (position or 0) < begin else None
