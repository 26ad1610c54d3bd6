"""How fast an empty Redis is rebuilt, beside how fast the same workers take in the same log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from stream import app
from stream.broker import client, setup
from stream.broker.memory import MemoryRecord
from stream.broker.topics import Topics
from stream.partition.control import CONTROL, ORIGIN, Signer
from stream.settings import Settings
from stream.store.digest import digest
from tests.chaos.fleet import Fleet
from tests.chaos.flow import compressing
from tests.chaos.ground import Ground
from tests.chaos.launcher import AHEAD
from tests.chaos.undisturbed import Records
from tests.chaos.watch import OUTPUTS, LogEnds, Watch, ended

NAMESPACE: Final = "again"
_PATIENCE_SECONDS: Final = 900.0
_NO_TICKS: Final = -10 * 365 * 86_400
"""By their wall clock workers append ticks to an idle log, which must stay as it was recorded."""


@dataclass
class Again:
    """A second namespace with a copy of the recorded log."""

    settings: Settings
    ground: Ground
    fleet: Fleet
    watch: Watch
    ends: Mapping[int, int]

    @property
    def records(self) -> int:
        return sum(self.ends.values())

    async def taken_in(self, since: float) -> tuple[float, float]:
        """Wait until all is taken in; from the first progress on, and from `since` on, in seconds."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < until:
            await asyncio.sleep(0.1)
            looks = self.watch.since(since)
            if not looks or any(looks[-1].places[n] < end for n, end in self.ends.items()):
                continue
            first = next(each.at for each in looks if sum(each.places) > 0)
            done = next(
                each.at for each in looks if all(each.places[n] >= e for n, e in self.ends.items())
            )
            return done - first, done - since
        message = f"the copy was not taken in within {_PATIENCE_SECONDS:.0f} s"
        raise AssertionError(message)

    async def emptied(self) -> float:
        """Empty Redis under the workers; since when, once it shows."""
        async with self.ground.client() as redis:
            await redis.flushall()
        began = time.monotonic()
        while (  # noqa: ASYNC110 -- what is waited for is another process
            not (looks := self.watch.since(began)) or sum(looks[-1].places) >= self.records
        ):
            await asyncio.sleep(0.02)
        return began

    async def digest(self) -> str:
        """Over all states."""
        store = app.store(self.settings, Topics(self.settings.namespace))
        try:
            return (await digest(store, range(self.settings.kafka.partitions))).text
        finally:
            await store.close()


async def measure(
    settings: Settings,
    ground: Ground,
    others: Fleet,
    topics: Mapping[str, Records],
    times: int,
    workers: int,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Take in a copy of the log, then empty Redis and let it be rebuilt, so many times."""
    made = settings.model_copy(update={"namespace": NAMESPACE})
    signers = _signer(settings), _signer(made)
    given = {**others.environment, "BANDSHIFT_NAMESPACE": NAMESPACE, AHEAD: str(_NO_TICKS)}
    fleet = Fleet(given, others.directory)
    ends = await _copied(made, topics, signers)
    again = Again(made, ground, fleet, Watch(made), ends)
    looking = asyncio.create_task(again.watch.run())
    supervising = asyncio.create_task(fleet.supervise())
    try:
        began = time.monotonic()
        for number in range(workers):
            fleet.start(f"again-{number + 1}")
        normal, _ = await again.taken_in(began)
        say(
            f"the recorded log again, at full speed: {again.records / normal:,.0f} records a second"
        )
        digests, rates, whole = [await again.digest()], [], []
        async with client.reader(made.kafka) as reader:
            before = await LogEnds(reader, made).of(OUTPUTS)
            for _ in range(times):
                quiet, all_of_it = await again.taken_in(await again.emptied())
                rates.append(again.records / quiet)
                whole.append(all_of_it)
                digests.append(await again.digest())
                say(f"rebuilt from nothing: {rates[-1]:,.0f} records a second")
            after = await LogEnds(reader, made).of(OUTPUTS)
        return {
            "records": again.records,
            "normal_per_s": again.records / normal,
            "rebuild_per_s": rates,
            "from_emptied_s": whole,
            "share": [rate * normal / again.records for rate in rates],
            "digests": digests,
            "differing": len(set(digests)) - 1,
            "repeated": sum((after or {}).values()) - sum((before or {}).values()),
        }
    finally:
        await fleet.end()
        fleet.drop()
        await ended([looking, supervising])


def _signer(settings: Settings) -> Signer:
    return app.signer(settings, Topics(settings.namespace))


async def _copied(
    made: Settings, topics: Mapping[str, Records], signers: tuple[Signer, Signer]
) -> dict[int, int]:
    """Copy touchpoints and versions; where the copy's partitions end."""
    names = Topics(made.namespace)
    async with client.admin(made.kafka) as admin:
        await setup.create(admin, names, made.kafka.partitions, 1)
    ends = {}
    async with compressing(made) as producer:
        for kind in ("model-snapshots", "touchpoints"):
            for number, records in topics[kind].items():
                sent = [
                    await producer.send(
                        names.name(kind),
                        record.value,
                        record.key,
                        partition=number,
                        headers=_signed(number, record, signers),
                        timestamp_ms=record.timestamp,
                    )
                    for record in records
                ]
                await asyncio.gather(*sent)
                ends[number] = len(records)
    return ends


def _signed(
    number: int, record: MemoryRecord, signers: tuple[Signer, Signer]
) -> Sequence[tuple[str, bytes | None]]:
    """The headers, signed for the copy's topic where a signature held before."""
    old, new = signers
    headers = [(name, text or b"") for name, text in record.headers]
    names = {name for name, _ in headers}
    if CONTROL in names:
        control = old.read_control(number, headers, record.value)
        if control is not None:
            return list(new.control(number, *control)[1])
    elif ORIGIN in names:
        origin = old.read_origin(number, headers, record.value or b"")
        if origin is not None:
            ours = dict(new.forward(number, origin, record.value or b""))
            return [(name, ours.get(name, text)) for name, text in record.headers]
    return list(record.headers)
