"""`python -m benchmarks`: measures, shows a table, and writes benchmarks/results/latest.json."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from benchmarks import (
    adoption,
    delivery,
    flood,
    latency,
    learning,
    memory,
    scale,
    silence,
    throughput,
)
from benchmarks.bench import Bench, connections
from benchmarks.goals import verdicts
from benchmarks.log import SEED
from benchmarks.machine import Cores, describe
from benchmarks.table import show
from stream.embedded.kafka import EmbeddedKafka
from stream.embedded.redis import EmbeddedRedis
from stream.errors import BandshiftError

Part = Callable[[Bench], Awaitable[dict[str, Any]]]
PARTS: Final[dict[str, Part]] = {
    "throughput": throughput.measure,
    "silence": silence.measure,
    "latency": latency.measure,
    "memory": memory.measure,
    "scale": scale.measure,
    "learning": learning.measure,
    "adoption": adoption.measure,
    "delivery": delivery.measure,
    "flood": flood.measure,
}
ASKED_FOR: Final = frozenset({"flood"})
"""Parts that take long, and are measured only where they are named."""
TOP: Final = (
    "ratio_faust",
    "ratio_faust_learning",
    "ratio_quix",
    "cpu_us_per_event",
    "latency_ms",
    "latency_core_share",
    "cpu_us_per_silence",
    "redis_bytes_per_customer",
    "redis_bytes_per_customer_learning",
    "ratio_100k_customers",
    "learner_per_second",
    "learner_per_second_challengers",
    "ratio_learned",
    "adoption_ms",
    "ratio_exactly_once",
    "latency_ms_exactly_once",
    "flood_growth",
)
"""Figures that stand at the top of the results; the rest stands under its part."""
RESULTS: Final = Path(__file__).parent / "results" / "latest.json"
_QUICK_EVENTS: Final = 10_000


def _usual() -> list[str]:
    return [name for name in PARTS if name not in ASKED_FOR]


def _parts(_ctx: click.Context, _parameter: click.Parameter, text: str | None) -> Sequence[str]:
    names = [name.strip() for name in text.split(",")] if text else _usual()
    for name in names:
        if name not in PARTS:
            raise click.BadParameter(f"expected some of {', '.join(PARTS)}; got {name!r}")
    return names


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--only", callback=_parts, metavar="PART,…", help=f"Of {', '.join(PARTS)}.")
@click.option("--events", type=click.IntRange(1_000), help="Touchpoints in the log; 60,000.")
@click.option("--runs", type=click.IntRange(1), help="Runs of each contestant; 3.")
@click.option("--minutes", type=click.IntRange(1), default=10, help="Of a flood; 10.")
@click.option("--seed", type=int, default=SEED, show_default=True, help="Of the log.")
@click.option("--quick", is_flag=True, help="One small run of all: to see that it works.")
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), default=RESULTS, help="Results."
)
def main(
    *,
    only: Sequence[str],
    events: int | None,
    runs: int | None,
    minutes: int,
    seed: int,
    quick: bool,
    output: Path,
) -> None:
    """Measure this worker beside what one would build otherwise, on one Kafka and one Redis.

    Both are started here, on another core than the one that is measured.
    """
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    console = Console()
    cores = Cores.split()
    cores.keep_off()
    began = time.monotonic()
    try:
        with (
            console.status("starting Kafka and Redis") as status,
            tempfile.TemporaryDirectory(prefix="bandshift-benchmarks-") as scratch,
            EmbeddedKafka(
                Path(scratch) / "kafka",
                progress=lambda done, total, what: status.update(f"{what}: {done} of {total}"),
            ) as kafka,
            EmbeddedRedis(Path(scratch) / "redis") as redis,
        ):
            bench = Bench(
                connections(kafka, redis),
                Path(scratch),
                cores,
                events=events or (_QUICK_EVENTS if quick else 60_000),
                runs=runs or (1 if quick else 3),
                seed=seed,
                flood_minutes=minutes,
                quick=quick,
                told=status.update,
            )
            results: dict[str, Any] = {
                "machine": describe(cores, kafka.version, redis.version),
                "seed": bench.seed,
                "events": bench.events,
                "runs": bench.runs,
                "quick": quick,
            }
            for name in only:
                results |= _lifted(name, asyncio.run(_measure(PARTS[name], bench)))
    except BandshiftError as error:
        console.print(f"benchmarks: {error}", style="red", markup=False)
        if error.hint:
            console.print(error.hint, markup=False)
        sys.exit(1)
    results["seconds"] = round(time.monotonic() - began, 1)
    results["goals"] = verdicts(results)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    show(console, results)
    console.print(f"{results['seconds']:.0f} s; details in {output}")


async def _measure(part: Part, bench: Bench) -> dict[str, Any]:
    return await part(bench)


def _lifted(name: str, found: dict[str, Any]) -> dict[str, Any]:
    """A part's results: its figures to the top, all else under its name."""
    top = {key: found[key] for key in TOP if key in found}
    return top | {name: {key: each for key, each in found.items() if key not in top}}


if __name__ == "__main__":
    main()
