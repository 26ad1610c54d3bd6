"""One whole run: start everything, break it again and again, let it come to rest, compare."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from stream.partition.outputs import TOUCHPOINTS
from tests.chaos import figures, rebuilds, schedule, verdict
from tests.chaos.deployment import Deployment, Say, prepared
from tests.chaos.faults import FAULTS, Hurt
from tests.chaos.figures import Window
from tests.chaos.fleet import Fleet
from tests.chaos.flow import Flow
from tests.chaos.options import Options
from tests.chaos.watch import OUTPUTS, Watch

_SETTLE_SECONDS: Final = 60.0
_DRAIN_SECONDS: Final = 180.0
_LAG_SECONDS: Final = 2.0
"""Settled: no more records wait than producers send in this time."""


@dataclass
class Run:
    """What belongs to one run."""

    options: Options
    made: Deployment
    say: Say
    began: float = field(default_factory=time.monotonic)
    windows: list[Window] = field(default_factory=list)
    marks: dict[str, float] = field(default_factory=dict)

    @property
    def watch(self) -> Watch:
        return self.made.scene.watch

    @property
    def fleet(self) -> Fleet:
        return self.made.scene.fleet

    @property
    def flow(self) -> Flow:
        return self.made.flow

    # -- faults ----------------------------------------------------------------------------------------------

    async def disturb(self) -> None:
        """All faults, one after the other; half-way through the log goes live."""
        options, chance = self.options, self.made.scene.chance
        kinds = schedule.listed(options, chance) if options.counted else None
        endless = schedule.rounds(chance)
        until = self.began + options.minutes * 60
        number = 0
        while number < len(kinds) if kinds is not None else time.monotonic() < until:
            share = (
                number / len(kinds)
                if kinds
                else 1 - (until - time.monotonic()) / (options.minutes * 60)
            )
            if not self.flow.live and (share >= 0.5 or self.flow.paused):
                await self._go_live()
            await asyncio.sleep(chance.uniform(0.5, 2))
            await self._fault(kinds[number] if kinds else next(endless))
            number += 1
        if not self.flow.live:
            await self._go_live()

    async def _go_live(self) -> None:
        self.say("going live")
        await self.flow.go_live()
        self.marks["live"] = time.monotonic()

    async def _fault(self, kind: str) -> None:
        window = Window(
            kind, time.monotonic(), await self.made.ends.of(OUTPUTS), live=self.flow.live
        )
        if self.windows:
            self.windows[-1].end = window.begin
        self.windows.append(window)
        window.hurt = await FAULTS[kind](self.made.scene)
        await self._settle(window)
        window.end = time.monotonic()
        hurt = window.hurt
        window.any_after = self._after(hurt.back, None)
        window.progress_after = self._after(hurt.back, self._whose(hurt))
        window.rest = self.watch.longest_rest(window.begin, window.end)
        told = "none" if window.progress_after is None else f"{window.progress_after:.1f} s"
        self.say(
            f"{len(self.windows):4d}  {kind:20s} progress after {told:8s} longest rest {window.rest:.1f} s"
            f"{'' if window.settled else '  NOT SETTLED'}"
        )

    def _whose(self, hurt: Hurt) -> set[int]:
        return hurt.partitions or set(range(self.options.partitions))

    def _after(self, back: float, partitions: set[int] | None) -> float | None:
        moved = self.watch.progressed(back, partitions)
        return None if moved is None else moved - back

    async def _settle(self, window: Window) -> None:
        """Wait until what was hurt has moved on, and little waits; or for too long."""
        hurt = window.hurt
        assert hurt is not None
        until = time.monotonic() + _SETTLE_SECONDS
        while time.monotonic() < until:
            await asyncio.sleep(0.2)
            if self._after(hurt.back, self._whose(hurt)) is None:
                continue
            waiting = await self.lag()
            if waiting is not None and waiting <= _LAG_SECONDS * self.options.rate:
                window.settled = True
                return

    async def lag(self) -> float | None:
        """Records that are yet to be taken in; None where that cannot be told."""
        ends = await self.made.ends.of([TOUCHPOINTS])
        looks = self.watch.looks
        if ends is None or not looks or time.monotonic() - looks[-1].at > 2:
            return None
        return sum(
            max(0.0, end - max(0.0, looks[-1].places[number])) for (_, number), end in ends.items()
        )

    # -- the end ---------------------------------------------------------------------------------------------

    async def drain(self) -> bool:
        """Wait until all is taken in, and nothing has happened for a while."""
        self.flow.paused = True
        await self.flow.acknowledged()
        until = time.monotonic() + _DRAIN_SECONDS
        quiet = 0
        while time.monotonic() < until and quiet < 6:
            await asyncio.sleep(0.3)
            waiting = await self.lag()
            quiet = quiet + 1 if waiting is not None and waiting <= self._ends_of_log() else 0
        return quiet >= 6

    def _ends_of_log(self) -> int:
        """Offsets that hold no record: what a transaction sent home ends in a mark."""
        return 4 * self.options.partitions if self.options.delivery == "exactly_once" else 0

    async def rest(self) -> None:
        """Stop the workers; then the learner, when it has nothing more to say."""
        await self.fleet.end()
        before: object = None
        for _ in range(30):
            now = await self.made.ends.of(["model-snapshots"])
            if now is not None and now == before:
                break
            before = now
            await asyncio.sleep(3)
        for member in list(self.fleet.members.values()):
            await self.fleet.stop(member)

    def shown(self) -> dict[str, Any]:
        """What the run itself has shown, before anything is compared."""
        return {
            "sent": dict(self.flow.counts),
            "ended_by_themselves": list(self.fleet.surprises),
            "stops": list(self.fleet.stops),
            "live_at_s": self.marks.get("live", self.began) - self.began,
            "throughput": self.watch.throughput(self.began),
        }


async def work(options: Options, say: Say) -> dict[str, Any]:
    """The whole run; what it showed."""
    async with prepared(options, say) as made:
        run = Run(options, made, say)
        await run.disturb()
        say("coming to rest")
        drained = await run.drain()
        if run.windows:
            run.windows[-1].end = time.monotonic()
        took = time.monotonic() - run.began
        await run.rest()
        shown = run.shown()
        say("comparing with the undisturbed run")
        topics = await verdict.recorded(made.settings)
        found = await verdict.compared(made.settings, topics, run.flow.taken)
        say(f"{found['differences']['total']} differences")
        repeated = figures.count_repeats(run.windows, topics)
        if options.rebuilds:
            found["rebuilds"] = await rebuilds.measure(
                made.settings,
                made.ground,
                run.fleet,
                topics,
                options.rebuilds,
                options.workers,
                say,
            )
    settings = asdict(options) | {
        "delivery": options.delivery or "at_least_once",
        "session_seconds": made.scene.session_seconds,
        "kafka_timeout": made.scene.request_seconds,
    }
    windows = {
        "repeated_outputs": repeated,
        "kinds": figures.by_kind(run.windows),
        "windows": [each.told(run.began) for each in run.windows],
    }
    return found | shown | windows | {"settings": settings, "seconds": took, "drained": drained}
