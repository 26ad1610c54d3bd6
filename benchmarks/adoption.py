"""How long after a snapshot was published all of a live namespace decides by it.

The desk of the learner publishes versions and appends *adopt* records, as it does when an hour is over; the
clock runs from the snapshots' acknowledgement until the last partition's ledger in Redis has all of them in
force. Customers are busy meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

from msgspec.structs import replace

from benchmarks.bench import Bench
from benchmarks.contestants import OURS_WITH_SILENCE
from benchmarks.ground import PARTITIONS, create, environment, rows, write
from benchmarks.latency import go_live, percentiles
from benchmarks.load import Load
from benchmarks.log import DAY, Recipe, touches
from benchmarks.program import ContestantError, Program, running
from stream.agents.desk import KafkaDesk
from stream.broker import client
from stream.broker.topics import Topics
from stream.model.learning.school import School
from stream.model.snapshot import Snapshot, moment
from stream.partition.control import Signer
from stream.partition.ledger import decode_ledger
from stream.pipeline import MODEL, Pipelines
from stream.settings import Settings
from stream.store.connect import connect
from stream.store.redis import RedisStore

_RATE: Final = 100
_LOOK_SECONDS: Final = 0.005
_PATIENCE_SECONDS: Final = 30.0
_PAUSE_SECONDS: Final = 0.5


async def measure(bench: Bench) -> dict[str, Any]:
    """Percentiles in milliseconds over all adoptions, each of every outcome in every partition."""
    bench.tell("adoption: history, then live")
    settings = bench.settings("adoption", learning={"enabled": True, "history_hours": 24 * 28})
    await create(settings, [OURS_WITH_SILENCE.space(settings.namespace)])
    history = touches(
        Recipe(
            events=1_000,
            customers=bench.customers,
            days=1,
            start=int(time.time()) - DAY,
            everybody=False,
            seed=bench.seed,
        )
    )
    records = await write(settings, rows(settings, history))
    told = environment(settings, **OURS_WITH_SILENCE.environment(settings.namespace))
    output = bench.directory / f"{settings.namespace}.log"
    async with running(OURS_WITH_SILENCE.command, told, bench.cores, output) as program:
        await go_live(bench, settings, program, records)
        return await _adoptions(bench, settings, program)


async def _adoptions(bench: Bench, settings: Settings, program: Program) -> dict[str, Any]:
    times, count = [], 5 if bench.quick else 60
    topics = Topics(settings.namespace)
    signer = Signer(settings.control_key(), topics.touchpoints)
    load = Load(settings, bench.customers, _RATE, seed=bench.seed + 1)
    store = connect(settings)
    try:
        async with client.producer(settings.kafka) as producer, load.connected():
            desk = KafkaDesk(producer, topics, PARTITIONS, signer)
            # The load counts what it causes: seconds enough for all adoptions and their pauses.
            busy = asyncio.create_task(load.run(5 if bench.quick else 40))
            for number in range(count):
                bench.far(number, count)
                times.append(await _adopt(desk, store, _versions(settings, number + 1), program))
                await asyncio.sleep(_PAUSE_SECONDS)
            await busy
    finally:
        await store.close()
    return {
        "adoption_ms": percentiles(times),
        "adoptions": len(times),
        "partitions": PARTITIONS,
        "touchpoints_per_second": _RATE,
    }


def _versions(settings: Settings, version: int) -> list[Snapshot]:
    """A next version of every outcome's model. What it says is the prior's: how long it takes is asked."""
    decisions = settings.decisions
    vectorizer = Pipelines(decisions, Signer(b"", ""), 1).get("").vectorizer
    found = []
    for trainer in School(vectorizer, decisions).trainers.values():
        made = trainer.publish()
        found.append(replace(made, version=version, known_to=moment(int(time.time()))))
    return found


async def _adopt(
    desk: KafkaDesk, store: RedisStore, snapshots: Sequence[Snapshot], program: Program
) -> float:
    """Seconds until all partitions have these versions in force."""
    await desk.publish(snapshots)
    begin = time.perf_counter()
    for partition in range(PARTITIONS):
        for each in snapshots:
            await desk.adopt(partition, each.outcome, each.version)
    wanted = {f"{MODEL}{each.outcome}": each.version for each in snapshots}
    while True:
        standings = await store.standings(range(PARTITIONS))
        seconds = time.perf_counter() - begin
        ledgers = [decode_ledger(each.ledger) for each in standings]
        if all(wanted.items() <= each.versions.items() for each in ledgers):
            return seconds
        program.check()
        if seconds > _PATIENCE_SECONDS:
            raise ContestantError(
                f"expected {wanted} everywhere within {_PATIENCE_SECONDS:g} seconds", program.tail()
            )
        await asyncio.sleep(_LOOK_SECONDS)
