"""The demo's two parts as they are told: what they are about, what happens, how far they are."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from schemas.outputs import Trigger
from stream.commands import demo_words as words
from stream.commands.demo_screen import Screen
from stream.demo.careless import MISROUTED_ONE_IN, TWICE_ONE_IN, UNUSABLE_ONE_IN
from stream.demo.history import Came
from stream.demo.live import CALM_RATE, RATE, Live
from stream.demo.outputs import Read
from stream.demo.shop import DAY_MS, Shop

_ROW_SECONDS: Final = 0.33
"""Between two band changes on the screen: more could not be read."""
_TRIGGER_SECONDS: Final = 1.0
_STATUS_SECONDS: Final = 0.25
_FORESEEABLE: Final = 0.03


class HistoryPart:
    """Tells of the history."""

    def __init__(self, screen: Screen, shop: Shop, address: str) -> None:
        self._screen, self._shop, self._address = screen, shop, address
        self._began = time.monotonic()

    def begin(self) -> None:
        """What it is about."""
        shop = self._shop
        days = round((time.time() * 1000 - shop.begin) / DAY_MS)
        self._screen.part(
            1,
            f"History: the shop's {f'last {days} days' if shop.cut else 'year'}, "
            "as fast as this machine can",
            f"The sequence is real; the calendar is moved by {shop.weeks} weeks, so that it ends now. "
            "Every decision is made as of its own time, those in silence as well; each partition goes "
            "at its own pace. A learner compares the scores with what came of them: the prior gives way to "
            "models of its own. No triggers go out."
            + (" There is no time for the whole year." if shop.cut else ""),
        )
        self._screen.line(words.heading(live=False))

    def tell(self, came: Came) -> None:
        """How far it has come."""
        if came.change is not None:
            self._screen.line(words.moved(came.change, live=False))
        counts, seconds = came.counts, time.monotonic() - self._began
        done = came.touchpoints
        share = done / len(self._shop.history)
        left = words.left(seconds * (1 - share) / share) if share > _FORESEEABLE else ""
        changes = counts.get("band_changes_event", 0) + counts.get("band_changes_silence", 0)
        day = f"{words.day(came.clock)} · " if came.clock else ""
        facts = [
            f"{day}{done:,} touchpoints, {done / max(seconds, 0.1):,.0f} a second",
            f"{counts.get('silence_scorings', 0):,} scorings in silence · {changes:,} band changes",
        ]
        self._screen.status(share, left, [*facts, *words.learning(came.models)], self._address)


class LivePart:
    """Tells of what happens live."""

    def __init__(self, screen: Screen, live: Live, shop: Shop, address: str) -> None:
        self._screen, self._live, self._shop, self._address = screen, live, shop, address
        self._next = dict.fromkeys(("row", "trigger", "status"), 0.0)
        self._again = False
        self._began = time.monotonic()
        self._seconds: float | None = None

    def begin(self, seconds: float | None) -> None:
        """What it is about; it goes on for so many seconds, or until told to end."""
        self._began, self._seconds = time.monotonic(), seconds
        length = "" if seconds is None else f", for {seconds:.0f} seconds"
        self._screen.part(
            2,
            f"Live: the shop's next weeks, {RATE:.0f} touchpoints a second{length}",
            "They happen now: the broker stamps them on arrival, and triggers (!) go out. On purpose, "
            f"1 in {TWICE_ONE_IN} is sent twice, 1 in {MISROUTED_ONE_IN} to the wrong partition, "
            f"and for 1 in {UNUSABLE_ONE_IN} an unusable one comes along.",
        )
        self._screen.line(words.heading(live=True))

    def _due(self, what: str, seconds: float) -> bool:
        now = time.monotonic()
        if now < self._next[what]:
            return False
        self._next[what] = now + seconds
        return True

    def tell(self, found: Sequence[Read]) -> None:
        """What was read just now, a few of it; and how far it is."""
        screen = self._screen
        for read in found:
            if isinstance(read.said, Trigger):
                if self._due("trigger", _TRIGGER_SECONDS):
                    screen.line(words.fired(read.said))
            elif self._due("row", _ROW_SECONDS):
                screen.line(words.moved(read.said, live=True))
        if self._due("status", _STATUS_SECONDS):
            self._tell_again()
            screen.status(*self._status(), self._address)

    def _tell_again(self) -> None:
        if not self._again and self._live.player.played > len(self._shop.held_back):
            self._again = True
            self._screen.line()
            self._screen.paragraph(
                "That was the shop's log. From here on its households come again as new ones, "
                f"{CALM_RATE:.0f} touchpoints a second, until you end it."
            )
            self._screen.line()

    def _status(self) -> tuple[float | None, str, list[str]]:
        played, lived = self._live.player.played, self._live.lived
        facts = [
            f"{played:,} touchpoints · {lived.changes:,} band changes · {lived.triggers:,} triggers"
        ]
        p50, p99 = (lived.latencies.quantile(share) for share in (0.5, 0.99))
        if p50 is not None and p99 is not None:
            facts.append(f"band change readable after {p50:.0f} ms (p50), {p99:.0f} ms (p99)")
        return *self._share(played), [*facts, *words.learning(lived.models)]

    def _share(self, played: int) -> tuple[float | None, str]:
        """How much of the time is over, or of the log without an end; and that in words."""
        if self._seconds is not None:
            left = max(0.0, self._seconds - (time.monotonic() - self._began))
            return 1 - left / self._seconds, words.left(left)
        whole = len(self._shop.held_back)
        return None if self._again else min(1.0, played / whole), f"{played:,} of {whole:,}"
