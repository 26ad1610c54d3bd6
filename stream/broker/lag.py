"""How far workers are behind the log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from aiokafka import AIOKafkaConsumer

from stream.broker.reading import bounds
from stream.broker.topics import Topics
from stream.errors import BrokerError
from stream.partition.ledger import decode_ledger
from stream.store.port import Store

PATIENCE: Final = 30.0
"""Seconds without any movement after which nobody can be at work: a worker takes a second to take over."""
_LOOK_SECONDS: Final = 0.2


class Lag(NamedTuple):
    """One partition: up to where it is taken in, where its log ends, and how many records lie between.

    `clock` is the log's time taken in so far, in ms since 1970 (0: none).
    """

    partition: int
    position: int | None
    end: int
    behind: int
    clock: int
    live: bool


async def lags(
    consumer: AIOKafkaConsumer, store: Store, topics: Topics, partitions: int
) -> list[Lag]:
    """Of all partitions, as of now."""
    logs = await bounds(consumer, topics.touchpoints, partitions)
    found = []
    for number, standing in enumerate(await store.standings(range(partitions))):
        begin, end = logs[number]
        ledger = decode_ledger(standing.ledger)
        position = standing.position.offset if standing.position else None
        behind = max(0, end - (begin if position is None else position))
        found.append(Lag(number, position, end, behind, ledger.clock, ledger.live))
    return found


async def taken_in(
    consumer: AIOKafkaConsumer,
    store: Store,
    topics: Topics,
    partitions: int,
    *,
    watch: Callable[[Sequence[Lag]], None] | None = None,
    patience: float = PATIENCE,
) -> None:
    """Wait until workers have taken in what the log holds now; BrokerError if none moves for `patience` seconds."""
    ends = [found.end for found in await bounds(consumer, topics.touchpoints, partitions)]
    loop = asyncio.get_running_loop()
    best, moved = None, loop.time()
    while True:
        found = await lags(consumer, store, topics, partitions)
        if watch is not None:
            watch(found)
        waiting = sum(lag.behind > lag.end - end for lag, end in zip(found, ends, strict=True))
        if not waiting:
            return
        # By position, not by lag: producers may go on meanwhile.
        place = [(lag.position or 0, lag.clock) for lag in found]
        if place != best:
            best, moved = place, loop.time()
        elif loop.time() - moved >= patience:
            behind = sum(lag.behind for lag in found)
            option = f" --namespace {topics.namespace}" if topics.namespace else ""
            raise BrokerError(
                f"no worker has moved for {patience:.0f} seconds; {behind} records wait to be taken in",
                f"start one: bandshift worker{option}; `bandshift doctor{option}` shows who owns what",
            )
        await asyncio.sleep(_LOOK_SECONDS)
