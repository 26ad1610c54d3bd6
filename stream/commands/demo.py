"""What `bandshift demo` does, from the engines' start to the summary."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final

from stream.commands import demo_words as words
from stream.commands.common import run as run_async
from stream.commands.demo_parts import HistoryPart, LivePart
from stream.commands.demo_screen import Screen
from stream.demo import signals
from stream.demo.budget import Budget
from stream.demo.deployment import Deployment, deployed, workers_here
from stream.demo.engines import Ground, ground
from stream.demo.guard import guarded
from stream.demo.history import bring_in
from stream.demo.live import Live, Lived, gone_live
from stream.demo.models import Models, models
from stream.demo.outputs import Outputs, outputs
from stream.demo.settings import settings_for
from stream.demo.shop import Shop, divide
from stream.demo.summary import Measured, Summary, sum_up
from stream.demo.workplace import workplace

_VAR: Final = Path("var")
_SHOP: Final = "Complete Journey, CC0"


def run(seconds: float | None) -> None:
    """Run the demo, for about so many seconds or until told to end; its files go to `var`, here.

    Raises a BandshiftError where it cannot begin or go on, KeyboardInterrupt where it is interrupted
    before there is anything to sum up. Whatever happens, nothing is left running.
    """
    began = time.monotonic()
    with signals.interruptible(), Screen() as screen:
        screen.title("bandshift demo")
        screen.doing("Starting Kafka and Redis ...")
        with workplace(_VAR) as directory, ground(directory, screen.preparing) as found:
            screen.clear()
            demo = _Demo(screen, found, Budget(seconds), began + found.prepared)
            try:
                summary = run_async(demo.run())
            finally:
                signals.ignore()
        screen.line(f"  {summary.write(_VAR)}")
        screen.line(
            "  Kafka, Redis, workers, learner and API have ended, and their data is removed."
        )


class _Demo:
    """One run on running engines."""

    def __init__(self, screen: Screen, found: Ground, budget: Budget, began: float) -> None:
        self._screen, self._ground, self._budget, self._began = screen, found, budget, began
        self._asked = asyncio.Event()
        """Whether it is to end."""
        self._address = ""

    @property
    def _passed(self) -> float:
        return time.monotonic() - self._began

    async def run(self) -> Summary:
        """Both parts, then the summary, which is shown."""
        found = self._ground
        settings = settings_for(found.kafka, found.redis, found.directory)
        engines, workers = (found.kafka, found.redis), workers_here()
        self._introduce()
        self._screen.doing("Starting a worker, the learner and the API ...")
        async with deployed(settings, found.directory, engines, workers) as deployment:
            measured = await guarded(self._work(deployment), deployment.check)
            await deployment.stop()
            summary = await sum_up(deployment, measured, self._passed)
        self._conclude(summary)
        return summary

    async def _work(self, deployment: Deployment) -> Measured:
        self._address = await deployment.ready()
        self._screen.clear()
        self._screen.fact("page", self._address)
        days = self._budget.days(self._passed)
        shop = divide(self._ground.rows, int(time.time() * 1000), days)
        async with (
            outputs(deployment.settings.kafka, deployment.topics, deployment.partitions) as reader,
            models(deployment) as learning,
        ):
            with signals.asking(self._asked.set):
                return await self._show(deployment, reader, learning, shop)

    def _introduce(self) -> None:
        kafka, redis, rows = self._ground.kafka, self._ground.redis, self._ground.rows
        households = len({row.customer_id for row in rows})
        fact = self._screen.fact
        fact(
            "engines", f"Apache Kafka {kafka.version} and Redis {redis.version}, for this run alone"
        )
        fact(
            "shop",
            f"{len(rows):,} touchpoints of {households:,} real households ({_SHOP})",
        )

    async def _show(
        self, deployment: Deployment, reader: Outputs, learning: Models, shop: Shop
    ) -> Measured:
        began = time.monotonic()
        brought = await self._history(deployment, reader, learning, shop)
        history = time.monotonic() - began
        played, lived = 0, Lived()
        began = time.monotonic()
        if not self._asked.is_set():
            async with gone_live(deployment, reader, learning) as live:
                began = time.monotonic()
                await self._live(live, shop)
                played, lived = live.player.played, live.lived
        return Measured(
            history_touchpoints=brought,
            history_seconds=history,
            live_touchpoints=played,
            live_seconds=time.monotonic() - began,
            latency_ms={
                name: lived.latencies.quantile(share)
                for name, share in (("p50", 0.5), ("p99", 0.99))
            },
            latency_samples=lived.latencies.number,
            workers=len(deployment.workers),
            kafka_version=self._ground.kafka.version,
            redis_version=self._ground.redis.version,
        )

    async def _history(
        self, deployment: Deployment, reader: Outputs, learning: Models, shop: Shop
    ) -> int:
        part = HistoryPart(self._screen, shop, self._address)
        part.begin()
        brought = await bring_in(deployment, shop, reader, learning, part.tell, self._asked)
        self._screen.clear()
        return brought

    async def _live(self, live: Live, shop: Shop) -> None:
        seconds = self._budget.live_seconds(self._passed)
        part = LivePart(self._screen, live, shop, self._address)
        part.begin(seconds)
        if seconds is not None:
            asyncio.get_running_loop().call_later(seconds, self._asked.set)
        await live.play(shop, part.tell, self._asked)
        self._screen.clear()

    def _conclude(self, summary: Summary) -> None:
        screen = self._screen
        screen.line()
        screen.title("What came of it", f"{summary.seconds:.0f} s")
        screen.table(words.counts(summary))
        screen.line()
        screen.line("  Where the households stand now:")
        screen.table(words.standing(summary.bands))
        screen.line()
        screen.line(
            "  What was learned of past scores; their log-loss beside that of prior and base rate:"
        )
        screen.table(words.learned(summary.models))
        screen.line()
