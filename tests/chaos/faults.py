"""The faults, one function each: inject it, and say when whatever was hurt was back."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from tests.chaos.fleet import Fleet, Member
from tests.chaos.ground import Ground
from tests.chaos.launcher import READY
from tests.chaos.options import Options
from tests.chaos.watch import LogEnds, Watch

_MINUTES_OLD: Final = 300.0
_SECONDS_OLD: Final = 5.0
_LEARNS_SECONDS: Final = 60


@dataclass
class Scene:
    """All that a fault may lay hands on."""

    options: Options
    chance: random.Random
    ground: Ground
    fleet: Fleet
    watch: Watch
    ends: LogEnds
    session_seconds: float
    request_seconds: float
    more: int = 0
    """Workers that came and went besides the usual ones."""

    async def somebody(self, command: str = "worker") -> Member:
        """A running process of this kind, that is at work."""
        while True:
            found = [
                each
                for each in self.fleet.members.values()
                if each.command == command
                and each.child.exit_status is None
                and READY in each.text()
            ]
            if command == "worker":  # one that owns something, so that it matters
                found = [each for each in found if each.owned()]
            if found:
                return self.chance.choice(sorted(found, key=lambda each: each.name))
            await asyncio.sleep(0.1)


@dataclass
class Hurt:
    """What came of a fault, by the monotonic clock."""

    back: float
    """When it was over: the server answers again, the process goes on, or was killed."""
    partitions: set[int] | None = None
    """Whose owner was lost."""
    notes: dict[str, Any] = field(default_factory=dict)


Fault = Callable[[Scene], Awaitable[Hurt]]


async def worker_killed(scene: Scene) -> Hurt:
    """SIGKILL; started again after a second, or only when the others have long gone on."""
    member = await scene.somebody()
    owned = member.owned()
    later = scene.chance.choice((1.0, 2 * scene.session_seconds))
    scene.fleet.kill(member, back_in=later)
    return Hurt(time.monotonic(), owned, {"worker": member.name, "again_after_s": later})


async def worker_paused(scene: Scene) -> Hurt:
    """SIGSTOP for longer than the session's time-out, then SIGCONT."""
    member = await scene.somebody()
    owned = member.owned()
    member.signal(signal.SIGSTOP)
    began = time.monotonic()
    await asyncio.sleep(scene.session_seconds + scene.chance.uniform(1.5, 3))
    member.signal(signal.SIGCONT)
    return Hurt(began, owned, {"paused_s": time.monotonic() - began})


async def worker_stopped(scene: Scene) -> Hurt:
    """SIGTERM under load; started again a second after it has ended."""
    member = await scene.somebody()
    owned = member.owned()
    began = time.monotonic()
    await scene.fleet.stop(member, back_in=1.0)
    return Hurt(began, owned, {"seconds": scene.fleet.stops[-1]["seconds"]})


async def workers_come_and_go(scene: Scene) -> Hurt:
    """Three more workers join in quick succession, and leave again, killed or asked to."""
    names = []
    for _ in range(3):
        scene.more += 1
        names.append(f"extra-{scene.more}")
        scene.fleet.start(names[-1])
        await asyncio.sleep(scene.chance.uniform(0.3, 2))
    await asyncio.sleep(2)
    for name in names:
        member = scene.fleet.members.get(name)
        if member is None:
            continue  # it could not start, and is being started again
        if scene.chance.random() < 0.5 or READY not in member.text():
            scene.fleet.kill(member, back_in=None)
        else:
            await scene.fleet.stop(member)
        await asyncio.sleep(scene.chance.uniform(0.2, 1))
    return Hurt(time.monotonic())


async def kafka_killed(scene: Scene) -> Hurt:
    """SIGKILL, and started again on the same data."""
    scene.ground.kafka.kill()
    await asyncio.sleep(scene.chance.uniform(0, 3))
    began = time.monotonic()
    await asyncio.to_thread(scene.ground.kafka.start)
    return Hurt(time.monotonic(), notes={"start_s": time.monotonic() - began})


async def kafka_paused(scene: Scene) -> Hurt:
    """SIGSTOP for longer than a request's time-out."""
    pid = scene.ground.kafka.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    await asyncio.sleep(scene.request_seconds + scene.chance.uniform(1, 3))
    os.kill(pid, signal.SIGCONT)
    return Hurt(time.monotonic())


async def redis_killed(scene: Scene) -> Hurt:
    """SIGKILL, and started again on the same file."""
    scene.ground.redis.kill()
    await asyncio.sleep(scene.chance.uniform(0, 3))
    await asyncio.to_thread(scene.ground.redis.start)
    return Hurt(time.monotonic())


async def _redis_turned_back(scene: Scene, seconds: float) -> Hurt:
    old = await asyncio.to_thread(scene.ground.turn_redis_back, seconds)
    await asyncio.to_thread(scene.ground.redis.start)
    return Hurt(time.monotonic(), notes={"old_s": old})


async def redis_seconds_old(scene: Scene) -> Hurt:
    """Redis comes back as it was 5 s ago."""
    return await _redis_turned_back(scene, _SECONDS_OLD)


async def redis_minutes_old(scene: Scene) -> Hurt:
    """Redis comes back as it was 5 minutes ago, or as long ago as it has been running."""
    return await _redis_turned_back(scene, _MINUTES_OLD)


async def redis_emptied(scene: Scene) -> Hurt:
    """FLUSHALL while everybody works."""
    async with scene.ground.client() as client:
        await client.flushall()
    return Hurt(time.monotonic())


async def redis_stalled(scene: Scene) -> Hurt:
    """SIGSTOP for 10 s."""
    pid = scene.ground.redis.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    await asyncio.sleep(10)
    os.kill(pid, signal.SIGCONT)
    return Hurt(time.monotonic())


async def redis_full(scene: Scene) -> Hurt:
    """No memory left for some seconds, under `noeviction`."""
    async with scene.ground.client() as client:
        await client.config_set("maxmemory", "1mb")
        await asyncio.sleep(scene.chance.uniform(3, 6))
        await client.config_set("maxmemory", "0")
    return Hurt(time.monotonic())


async def learner_killed(scene: Scene) -> Hurt:
    """SIGKILL when the first of several versions is out; started again after a second."""
    member = await scene.somebody("learner")
    began = len(scene.fleet.surprises)
    while_publishing = await _dies_publishing(scene, member, began)
    if not while_publishing:
        scene.fleet.kill(member)
    back = time.monotonic()
    notes: dict[str, Any] = {"while_publishing": while_publishing}
    if while_publishing:  # while history comes in, everybody waits for what it learns next
        before = None
        for _ in range(_LEARNS_SECONDS * 2):
            await asyncio.sleep(0.5)
            now = await scene.ends.of(["model-snapshots"])
            if before is not None and now is not None and now != before:
                notes["published_again_after_s"] = time.monotonic() - back
                break
            before = now if before is None else before
    return Hurt(back, notes=notes)


async def _dies_publishing(scene: Scene, member: Member, began: int) -> bool:
    """Whether it died in the middle of what it published next; not where nothing is due for publishing."""
    member.signal(signal.SIGUSR1)
    for _ in range(100):
        await asyncio.sleep(0.1)
        if member.child.exit_status is not None:
            while len(scene.fleet.surprises) == began:  # noqa: ASYNC110 -- another process
                await asyncio.sleep(0.05)
            scene.fleet.surprises.pop()
            return True
    return False


async def clock_stepped(scene: Scene) -> Hurt:
    """A worker's wall clock goes an hour ahead, and back some seconds later."""
    member = await scene.somebody()
    member.signal(signal.SIGUSR1)
    await asyncio.sleep(scene.chance.uniform(3, 6))
    member.signal(signal.SIGUSR2)
    return Hurt(time.monotonic())


async def api_killed(scene: Scene) -> Hurt:
    """SIGKILL; started again after a second."""
    scene.fleet.kill(await scene.somebody("api"))
    return Hurt(time.monotonic())


FAULTS: Final[dict[str, Fault]] = {
    "worker-killed": worker_killed,
    "worker-paused": worker_paused,
    "worker-stopped": worker_stopped,
    "workers-come-and-go": workers_come_and_go,
    "kafka-killed": kafka_killed,
    "kafka-paused": kafka_paused,
    "redis-killed": redis_killed,
    "redis-5s-old": redis_seconds_old,
    "redis-5min-old": redis_minutes_old,
    "redis-emptied": redis_emptied,
    "redis-stalled": redis_stalled,
    "redis-full": redis_full,
    "learner-killed": learner_killed,
    "clock-stepped": clock_stepped,
    "api-killed": api_killed,
}
KAFKA: Final = ("kafka-killed", "kafka-paused")
REDIS: Final = ("redis-killed", "redis-stalled", "redis-5s-old", "redis-5min-old")
