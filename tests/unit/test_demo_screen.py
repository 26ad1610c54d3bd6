"""The demo's screen: it fits a terminal of 80 columns, keeps plain where it is piped, and colours are optional."""

from __future__ import annotations

import asyncio
import io
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from schemas.bands import BANDS
from schemas.outputs import BandChange, Trigger
from stream.commands import demo_words as words
from stream.commands.demo_screen import Screen
from stream.demo import guard
from stream.demo.models import Learned
from stream.demo.summary import Measured, Summary
from stream.errors import DemoError

COLOUR = re.compile(r"\x1b\[[\d;]*3\d")
LONG = "a sentence that goes on " * 10


def decision(kind: type[BandChange | Trigger], **more: Any) -> Any:
    """A decision with the longest words that the demo can show."""
    return kind.model_validate(
        {
            "customer_id": "2469-2",
            "cause": "event",
            "touchpoint": {"event_id": "e1", "type": "campaign_received"},
            "basis": "prior",
            "model_version": 0,
            "decided_at": datetime(2026, 5, 20, 14, 31, 7, tzinfo=UTC),
            "position": {"partition": 0, "offset": 0, "cursor": 0},
            "outcome": "purchase",
            "horizon_days": 7,
            "from": "very low",
            "to": "very high",
            "probability": 0.9876,
            "advice": LONG,
            **more,
        }
    )


def change() -> BandChange:
    """Such a band change."""
    return decision(  # type: ignore[no-any-return]
        BandChange,
        previous_probability=0.1,
        log_odds=0,
        base_log_odds=0,
        reasons=[],
        since_last_change=None,
    )


def learned(examples: int = 12_345_678) -> dict[str, Learned]:
    """What was learned by a run that goes on for days; of one outcome nothing yet."""
    losses = dict.fromkeys(("champion", "prior", "base_rate"), 0.12345)
    found = Learned(
        model_version=12_345,
        examples=examples,
        positives=examples,
        log_loss=losses,
        ece=0.01234,
        adoptions=12_345,
    )
    return {"purchase": found, "churn": Learned(log_loss={})}


def summary() -> Summary:
    """A summary of a run that goes on for hours."""
    number = 123_456_789
    measured = Measured(
        history_touchpoints=number,
        history_seconds=1,
        live_touchpoints=number,
        live_seconds=1,
        latency_ms={"p50": 8.4, "p99": None},
        latency_samples=number,
        workers=2,
        kafka_version="4.1.0",
        redis_version="6.2.14",
    )
    return Summary(
        events_in=5 * number,
        scored=number,
        duplicates=number,
        rejected=number,
        forwarded=number,
        control=number,
        silence_scorings=number,
        customers=number,
        band_changes=2 * number,
        band_changes_by_cause={"event": number, "silence": number},
        triggers=number,
        rejected_by_reason={"not_json": number},
        bands={"purchase": dict.fromkeys(map(str, BANDS), number)},
        models=learned(),
        seconds=1.0,
        events_per_second=number,
        digest="0" * 32,
        measured=measured,
    )


def show(screen: Screen) -> None:
    """Everything that the screen can show."""
    screen.title("title", "more")
    screen.part(1, "Part", LONG)
    screen.fact("fact", LONG)
    for live in (False, True):
        screen.line(words.heading(live=live))
        screen.line(words.moved(change(), live=live))
    trigger = decision(Trigger, rule="win-back", band_change_id="b1")
    screen.line(words.fired(trigger))
    screen.doing("waiting")
    screen.status(0.5, "0:10 left", [LONG, *words.learning(learned())], "http://127.0.0.1:1")
    screen.table(words.counts(summary()))
    screen.table(words.standing(summary().bands))
    screen.table(words.learned(learned()))
    screen.clear()


def printed(monkeypatch: pytest.MonkeyPatch, *, terminal: bool, colour: bool = True) -> str:
    """What is written then."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    if not colour:
        monkeypatch.setenv("NO_COLOR", "1")
    file = io.StringIO()
    show(Screen(Console(file=file, force_terminal=terminal, width=80, highlight=False)))
    return file.getvalue()


def test_plain_lines_where_it_is_piped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal there is no escape code, nothing is cut, and how far it is stands on a line."""
    text = printed(monkeypatch, terminal=False)

    assert "\x1b" not in text
    assert f"  fact     {LONG.rstrip()}" in text
    assert f"  50%; 0:10 left; {LONG.rstrip()}" in text
    assert "● very high 98.8 %  campaign" in text
    assert "waiting" not in text
    told = "learned, version 12345 · 12,345,678 examples · log-loss 0.1235, prior 0.1235; churn     prior"
    assert told in text


def test_a_terminal_of_80_columns_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is longer, and no band change is cut; the status is taken away in the end."""
    text = printed(monkeypatch, terminal=True)
    lines = re.sub(r"\x1b\[[\d;?]*\w", "", text).replace("\r", "\n").splitlines()

    assert max(map(len, lines)) <= 80
    assert sum(line.endswith("98.8 %  campaign") for line in lines) == 2
    assert any("Ctrl-C ends" in line for line in lines)
    (row,) = [line for line in lines if line.startswith("  purchase ") and "0.0123" in line]
    assert row.split()[1:5] == ["12345", "12,345", "12,345,678", "12,345,678"]
    assert row.split()[5:] == ["0.1235"] * 3 + ["0.0123"]
    assert COLOUR.search(text)
    assert text.endswith("\x1b[2K"), "the last thing is to erase a line"


def test_colours_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """With NO_COLOR there is none: words and shapes say everything."""
    text = printed(monkeypatch, terminal=True, colour=False)

    assert not COLOUR.search(text)
    assert "● very high" in text


async def test_work_is_given_up_when_what_it_rests_on_has_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first failed check ends the work, even work that does not want to end."""
    monkeypatch.setattr(guard, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(guard, "_LEAVE_SECONDS", 0.01)
    given_up = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            try:
                await asyncio.sleep(3600)
            finally:
                given_up.set()

    def check() -> None:
        raise DemoError("Kafka has gone")

    with pytest.raises(DemoError, match="Kafka has gone"):
        await guard.guarded(work(), check)

    assert given_up.is_set()
    assert await guard.guarded(asyncio.sleep(0, "done"), lambda: None) == "done"
