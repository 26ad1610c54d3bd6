"""What the owner of a partition asks of the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from stream.partition.control import Kind
from stream.partition.ledger import Position
from stream.partition.outputs import Output
from stream.partition.step import DeadLetter


class Log(Protocol):
    """One consumer group's side of the log. All methods raise BrokerError where the broker does not answer."""

    async def committed(self, partition: int) -> int | None:
        """C, the next offset to read, as the broker has it; None before the first commit."""

    async def beginning(self, partition: int) -> int:
        """The first offset that is still there."""

    async def end(self, partition: int) -> int:
        """The offset that the next record will get."""

    async def commit(self, offsets: Mapping[int, int]) -> None:
        """Commit per partition; NotAMemberError where this process may not any more."""

    def seek(self, partition: int, offset: int) -> None:
        """Read on from there; what was read and not handed over is forgotten."""

    async def publish(self, outputs: Sequence[Output]) -> None:
        """Publish, and return when all are acknowledged; forwards to one home in order."""

    async def bury(self, partition: int, dead: Sequence[DeadLetter]) -> None:
        """Publish dead letters of a partition, and return when all are acknowledged."""

    async def append(self, partition: int, kind: Kind, what: str = "", version: int = 0) -> None:
        """Append a control record to a partition of touchpoints."""


class Committed(NamedTuple):
    """C where outputs and offsets are one transaction."""

    position: Position
    """All outputs before it are published, and none beyond."""
    buried: int = 0
    """Dead letters of records before this offset are published; they may be ahead of `position`."""


class Transactor(Protocol):
    """Publishes for one partition, as long as nobody else has begun to."""

    async def send(
        self,
        reached: Committed,
        outputs: Sequence[Output] = (),
        dead: Sequence[DeadLetter] = (),
    ) -> None:
        """Publish and move C, all or nothing; one at a time.

        RefusedError where another has begun to publish for the partition. After any error whether it was done is
        not known, and this one sends nothing more: `Transactions.fence` gives another.
        """


class Transactions(Protocol):
    """What exactly-once delivery asks of the log besides. All methods raise BrokerError like those of `Log`."""

    async def confirm(self, partition: int) -> None:
        """NotAMemberError where this process may not work on the partition any more; changes nothing."""

    async def fence(self, partition: int) -> Transactor:
        """Take back what was left open in the partition; nobody before publishes for it any more."""

    async def committed(self, partition: int) -> Committed | None:
        """C, as the broker has it; None before the first commit. Certain only after `fence`."""

    async def next(self, partition: int) -> int:
        """The offset from which the partition is read on. Ends of transactions take up offsets, too."""
