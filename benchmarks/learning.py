"""What learning costs: stage examples a second, and a decision with learned models against the prior."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any, Final

from benchmarks.bench import Bench
from benchmarks.ground import environment
from benchmarks.program import ContestantError

_EVENTS_EACH: Final = 12


async def measure(bench: Bench) -> dict[str, Any]:
    """Figures of a process that has a core of its own, and one thread."""
    customers = 150 if bench.quick else 1_000
    bench.tell(f"learning: {customers:,} customers, {customers * _EVENTS_EACH:,} touchpoints")
    settings = bench.settings("learning", learning={"enabled": True})
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.learning_alone"),
        *map(str, (customers * _EVENTS_EACH, customers, bench.seed, bench.runs)),
        env=environment(settings, OPENBLAS_NUM_THREADS="1"),
        stdout=asyncio.subprocess.PIPE,
    )
    bench.cores.hand_over(process.pid)
    told, _ = await process.communicate()
    if process.returncode:
        raise ContestantError(f"learning alone ended with status {process.returncode}")
    found: dict[str, Any] = json.loads(told)
    return found | {"ratio_learned": found["decision"].pop("ratio_learned")}
