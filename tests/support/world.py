"""A deployment in memory: the pure decision, and the loop of the owners over in-memory twins."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from schemas.decisions import Decisions
from schemas.home import home
from schemas.learning import Learning
from schemas.outcomes import Outcome
from schemas.rules import Rule
from schemas.types import TouchpointType, TypeRegistry
from stream.agents.owner import Owner, Parts
from stream.broker.memory import MemoryLog, MemoryRecord
from stream.partition.control import IN_STEP, Kind, Signer
from stream.partition.ledger import decode_ledger, totals
from stream.partition.outputs import TOUCHPOINTS
from stream.pipeline import Pipelines
from stream.settings import DEFAULT_OUTCOMES, DEFAULT_RULES
from stream.store.digest import digest
from stream.store.memory import MemoryStore
from tests.support.shop import Touch

TICK_SECONDS = 24 * 3600
START = 1_700_000_000
"""Some moment, in seconds since 1970, from which test times count."""
KEY = b"the control key of the tests"


def iso(seconds: float) -> str:
    """A moment as producers write it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def touchpoint(number: int, customer: str, kind: str, happened: float, **more: Any) -> bytes:
    """A touchpoint as JSON."""
    body = {
        "event_id": f"e{number}",
        "customer_id": customer,
        "type": kind,
        "occurred_at": iso(happened),
    }
    return json.dumps(body | more).encode()


@dataclass
class World:
    """Owners of all partitions over in-memory twins."""

    partitions: int = 1
    outcomes: Sequence[Outcome] = DEFAULT_OUTCOMES
    rules: Sequence[Rule] = DEFAULT_RULES
    silence: bool = True
    cached: int = 50_000
    wall: float = START
    registry: TypeRegistry = field(default_factory=TypeRegistry)
    learning: Learning | None = None
    types: tuple[TouchpointType, ...] = ()

    def __post_init__(self) -> None:
        self.signer = Signer(KEY, "touchpoints")
        decisions = Decisions(
            types=self.types,
            outcomes=tuple(self.outcomes),
            rules=tuple(self.rules),
            learning=self.learning,
        )
        self.pipelines = Pipelines(decisions, self.signer, self.partitions, silence=self.silence)
        self.pipeline = self.pipelines.get("")
        self.store = MemoryStore()
        self.log = MemoryLog(self.signer, lambda: int(self.wall * 1000))
        self.owners = self.make_owners()

    def make_owners(self) -> list[Owner]:
        """An owner per partition, who has not taken over yet."""
        parts = Parts(self.pipelines, self.store, self.log, lambda: self.wall, self.cached)
        return [Owner(partition, parts) for partition in range(self.partitions)]

    # -- what producers and programs write -------------------------------------------------------------

    def send(
        self, customer: str, value: bytes, timestamp: float, partition: int | None = None
    ) -> None:
        """A producer's record; into the customer's home unless told otherwise."""
        target = home(customer, self.partitions) if partition is None else partition
        self.log.add(TOUCHPOINTS, target, customer.encode(), value, (), int(timestamp * 1000))

    def history(self, touches: Iterable[Touch]) -> None:
        """A log as `tests.support.live.Space.produce` writes it: with a tick at its beginning, one a day and one at the end."""
        if self.learning is not None:
            self.control(Kind.ADOPT, 0, IN_STEP, 1)
        day = at = 0
        for at, customer, value in touches:
            if not day:
                self.control(Kind.TICK, at)
            elif at // TICK_SECONDS > day:
                self.control(Kind.TICK, at // TICK_SECONDS * TICK_SECONDS)
            day = at // TICK_SECONDS
            self.send(customer, value, at)
        self.control(Kind.TICK, at)

    def control(
        self, kind: Kind, timestamp: float, what: str = "", version: int = 0, body: str = ""
    ) -> None:
        """A control record in every partition."""
        for partition in range(self.partitions):
            value, headers = self.signer.control(partition, kind, what, version, body)
            self.log.add(TOUCHPOINTS, partition, b"", value, headers, int(timestamp * 1000))

    # -- working ---------------------------------------------------------------------------------------

    async def work(self, batch: int = 500) -> None:
        """Let the owners take in everything, and commit."""
        moved = True
        while moved:
            moved = False
            for owner in self.owners:
                if not owner.ready:
                    await owner.work(())
                while records := () if owner.busy else self.log.read(owner.partition, batch):
                    await owner.work(records)
                    moved = True
                    while owner.busy:
                        await owner.work(())
                await owner.acknowledged()
                offset = owner.to_commit()
                if offset is not None:
                    await self.log.commit({owner.partition: offset})
                    owner.committed(offset)

    async def work_once(self, batch: int = 500) -> bool:
        """A turn for every owner, for those that wait for models too; whether anything was done."""
        moved = False
        for owner in self.owners:
            stood = owner._position
            if not owner.ready:
                await owner.work(())
                moved = True
            records = () if owner.busy else self.log.read(owner.partition, batch)
            if records or owner.busy:
                await owner.work(records)
            await owner.acknowledged()
            moved = moved or bool(records) or owner._position != stood
            offset = owner.to_commit()
            if offset is not None:
                await self.log.commit({owner.partition: offset})
                owner.committed(offset)
        return moved

    # -- what came of it -------------------------------------------------------------------------------

    def outputs(self, topic: str) -> list[MemoryRecord]:
        """All records of an output topic, partition by partition."""
        return [
            record
            for partition in range(self.partitions)
            for record in self.log.topics[topic, partition]
        ]

    def bodies(self, topic: str) -> list[dict[str, Any]]:
        """The data of the CloudEvents in an output topic."""
        return [json.loads(record.value or b"")["data"] for record in self.outputs(topic)]

    def counts(self) -> dict[str, int]:
        """The counts of all partitions."""
        ledgers = [self.store.partitions[p].ledger for p in self.store.partitions]
        return totals([decode_ledger(ledger) for ledger in ledgers])

    async def digest(self) -> str:
        """One hash over all states."""
        return (await digest(self.store, range(self.partitions))).text
