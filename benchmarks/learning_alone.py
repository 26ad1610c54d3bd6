"""What learning costs, with no Kafka and no Redis: a process of its own, on the core that is measured.

Run with: python -m benchmarks.learning_alone EVENTS CUSTOMERS SEED RUNS
It prints JSON: how fast the learner learns, and what a decision costs with what it has learned.
"""

from __future__ import annotations

import asyncio
import json
import sys
from statistics import median

from benchmarks.deciding import Deciding, compare
from benchmarks.log import Recipe, touches
from benchmarks.studying import Course, course, study
from schemas.decisions import Decisions
from stream.settings import load


def main() -> None:
    """Learn from a log, decide on it, and say what each took."""
    events, customers, seed, runs = map(int, sys.argv[1:])
    decisions = load().decisions
    log = touches(Recipe(events=events, customers=customers, seed=seed))
    learned = course(decisions, log)
    found = compare(Deciding(decisions, log, learned.snapshots), runs)
    print(json.dumps({"decision": found} | asyncio.run(_learner(decisions, learned, runs))))


async def _learner(decisions: Decisions, learned: Course, runs: int) -> dict[str, object]:
    rounds = [
        [await study(decisions, learned, challengers=challengers) for challengers in (False, True)]
        for _ in range(runs)
    ]
    speeds = [[each["stage_examples_per_second"] for each in found] for found in rounds]
    return {
        "learner_per_second": median(alone for alone, _ in speeds),
        "learner_per_second_challengers": median(every for _, every in speeds),
        "learner": rounds,
    }


if __name__ == "__main__":
    main()
