"""A program of bandshift with a switch that no user has: `python -m tests.chaos.launcher worker`.

A worker's or API's clock goes an hour ahead at SIGUSR1, and back at SIGUSR2. A learner told SIGUSR1 dies in the
middle of the next versions it publishes: the first is acknowledged, the others were never sent.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

READY: Final = "the switch is in place"
HOUR: Final = 3600.0

AHEAD: Final = "CHAOS_AHEAD_S"
"""By how many seconds the clock is wrong from the beginning, as an environment variable."""

_told = {"ahead": float(os.environ.get(AHEAD, "0")), "dies": False}


def _turn_the_clock() -> None:
    right = time.time

    def wrong() -> float:
        return right() + _told["ahead"]

    def step(number: int, _frame: object) -> None:
        _told["ahead"] = HOUR if number == signal.SIGUSR1 else 0.0

    time.time = wrong
    signal.signal(signal.SIGUSR1, step)
    signal.signal(signal.SIGUSR2, step)


def _die_while_publishing() -> None:
    from stream.agents.desk import KafkaDesk

    publish = KafkaDesk.publish

    async def half(desk: KafkaDesk, snapshots: Sequence[Any]) -> None:
        if _told["dies"] and snapshots:
            await publish(desk, snapshots[:1])
            os.kill(os.getpid(), signal.SIGKILL)
        await publish(desk, snapshots)

    def arm(_number: int, _frame: object) -> None:
        _told["dies"] = True

    KafkaDesk.publish = half  # type: ignore[assignment, method-assign]
    signal.signal(signal.SIGUSR1, arm)


def main() -> None:
    """Put the switch in place, then be the program."""
    if sys.argv[1] == "learner":
        _die_while_publishing()
    else:
        _turn_the_clock()
    print(READY, flush=True)

    from stream.cli import main as bandshift

    bandshift(prog_name="bandshift")


if __name__ == "__main__":
    main()
