"""What the owner of a partition asks of the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from stream.partition.control import Kind
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
