"""Touchpoints over HTTP: read as the worker will read them, and acknowledged once the broker has them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple, Protocol

from schemas.home import home
from schemas.intake_answer import IntakeAnswer
from schemas.rejections import Reason, Rejection
from stream.api.bodies import KafkaHeaders
from stream.features.grid import DAY, KEPT
from stream.partition.control import Headers
from stream.partition.intake import Event, Reader
from stream.partition.size import check_size
from stream.pipeline import AHEAD

NO_HEADERS: Final[KafkaHeaders] = ()


class Sent(NamedTuple):
    """A record for the broker; `timestamp` (ms) only where the producer's clock counts."""

    partition: int
    key: bytes
    value: bytes
    headers: Headers
    timestamp: int | None


class Sender(Protocol):
    """The way to the broker."""

    async def send(self, records: Sequence[Sent]) -> None:
        """Return when the broker has all of them; BrokerError otherwise."""


class Standing(Protocol):
    """What is known of the log."""

    @property
    def reader(self) -> Reader:
        """Reads touchpoints as the decisions in force do."""

    @property
    def live_clock(self) -> bool:
        """Whether the broker stamps touchpoints."""

    def clock(self, partition: int) -> int:
        """The log clock of a partition, in ms since 1970."""


class _Record(NamedTuple):
    """A touchpoint as the worker's reader takes it."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


class Intake:
    """Takes touchpoints in for one deployment."""

    def __init__(
        self, sender: Sender, standing: Standing, partitions: int, wall: Callable[[], float]
    ) -> None:
        """`wall` is this machine's clock, in seconds since 1970."""
        self._sender, self._standing = sender, standing
        self._partitions, self._wall = partitions, wall

    async def take(
        self, items: Sequence[bytes], headers: KafkaHeaders = NO_HEADERS
    ) -> IntakeAnswer:
        """Send what can be scored to the broker, and say what cannot. BrokerError: none of it is certain."""
        accepted: list[str] = []
        rejected: list[tuple[int, Rejection]] = []
        records: list[Sent] = []
        for index, value in enumerate(items):
            found = self.check(value, headers)
            if isinstance(found, Rejection):
                rejected.append((index, found))
            else:
                accepted.append(found.event_id)
                records.append(self._record(found, value, headers))
            if index % 100 == 99:
                await asyncio.sleep(
                    0
                )  # a full request takes some milliseconds: let others in between
        if records:
            await self._sender.send(records)
        return IntakeAnswer.of(accepted, rejected)

    def check(self, value: bytes, headers: KafkaHeaders = NO_HEADERS) -> Event | Rejection:
        """The touchpoint, or why the worker would not score it."""
        found = self._standing.reader.parse(_Record(0, 0, None, value, headers), 0)
        if isinstance(found, Event):  # the worker will see it with its key
            large = check_size(found.customer_id.encode(), value, headers)
            return large or self._check_time(found) or found
        if isinstance(found, Rejection):
            return found
        message = "a touchpoint over HTTP carries no control header"
        raise TypeError(message)

    def _check_time(self, event: Event) -> Rejection | None:
        now = int(self._wall())
        ahead = event.happened - now
        if ahead > AHEAD:
            detail = f"occurred_at: expected at most {AHEAD} seconds ahead of now, {_time(now)}, got {ahead}"
            return Rejection(Reason.TIME_AHEAD, "occurred_at", detail)
        partition = home(event.customer_id, self._partitions)
        clock = now if self._standing.live_clock else self._standing.clock(partition) // 1000
        late = clock - event.happened
        if late > KEPT:
            detail = (
                f"occurred_at: expected at most {KEPT // DAY} days before {_time(clock)}, "
                f"got {late // DAY} days"
            )
            return Rejection(Reason.TIME_TOO_OLD, "occurred_at", detail)
        return None

    def _record(self, event: Event, value: bytes, headers: KafkaHeaders) -> Sent:
        return Sent(
            home(event.customer_id, self._partitions),
            event.customer_id.encode(),
            value,
            headers,
            None if self._standing.live_clock else event.happened * 1000,
        )


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
