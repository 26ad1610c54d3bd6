"""Everybody over the same log, in turns, and whether they decided the same."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import asdict
from statistics import median
from typing import Any, Final

from benchmarks.bench import Bench
from benchmarks.contestants import ALL, COMPARED, FAUST, FAUST_LEARNING, OURS, QUIX, Contestant
from benchmarks.ground import create, environment, rows, write
from benchmarks.log import Recipe, touches
from benchmarks.program import ContestantError
from benchmarks.race import Run, race
from benchmarks.same import changes, compare

Round = dict[str, Run]
_ALONE_EVENTS: Final = 20_000


async def measure(bench: Bench, contestants: Sequence[Contestant] = ALL) -> dict[str, Any]:
    """Rounds in which each contestant runs once; medians, and medians of the rounds' ratios."""
    recipe = Recipe(events=bench.events, customers=bench.customers, seed=bench.seed)
    log = touches(recipe)
    rounds, changed = [], 0
    for number in range(bench.runs):
        settings = bench.settings("throughput")
        await create(settings, [each.space(settings.namespace) for each in contestants])
        await write(settings, rows(settings, log))
        found: Round = {}
        for contestant in contestants:
            bench.tell(f"throughput, round {number + 1} of {bench.runs}: {contestant.title}")
            found[contestant.name] = await race(bench, contestant, settings, len(log))
        bench.tell(f"throughput, round {number + 1} of {bench.runs}: comparing the band changes")
        expected = await changes(settings, OURS.space(settings.namespace).band_changes)
        changed = sum(map(len, expected.values()))
        for peer in COMPARED:
            if peer in contestants:
                topic = peer.space(settings.namespace).band_changes
                compare(peer.title, expected, await changes(settings, topic))
        rounds.append(found)
    return _summary(rounds, contestants) | {
        "band_changes": changed,
        "band_changes_per_event": changed / len(log),
        "events": len(log),
        "arithmetic_alone_cpu_us": await _alone(bench),
    }


async def _alone(bench: Bench) -> float:
    """CPU microseconds of the arithmetic that peers share, without any streaming."""
    bench.tell("throughput: the arithmetic alone")
    events = min(bench.events, _ALONE_EVENTS)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.peers.alone"),
        *map(str, (events, bench.customers, bench.seed)),
        env=environment(bench.settings("alone")),
        stdout=asyncio.subprocess.PIPE,
    )
    bench.cores.hand_over(process.pid)
    told, _ = await process.communicate()
    if process.returncode:
        raise ContestantError(f"the arithmetic alone ended with status {process.returncode}")
    return float(told)


def _summary(rounds: Sequence[Round], contestants: Sequence[Contestant]) -> dict[str, Any]:
    def ratio(peer: Contestant) -> float | None:
        if peer not in contestants:
            return None
        found = [each[peer.name].wall_us / each[OURS.name].wall_us for each in rounds]
        return float(median(found))

    def middle(contestant: Contestant, what: str) -> float:
        return float(median(getattr(each[contestant.name], what) for each in rounds))

    return {
        "ratio_faust": ratio(FAUST),
        "ratio_faust_learning": ratio(FAUST_LEARNING),
        "ratio_quix": ratio(QUIX),
        "cpu_us_per_event": middle(OURS, "cpu_us"),
        "contestants": {
            each.name: {
                "title": each.title,
                **{what: middle(each, what) for what in ("wall_us", "cpu_us", "peak_mb")},
                "runs": [asdict(found[each.name]) for found in rounds],
            }
            for each in contestants
        },
    }
