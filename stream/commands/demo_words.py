"""The demo's lines: band changes and triggers as rows, the summary as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from rich.table import Table
from rich.text import Text

from schemas.bands import BANDS
from schemas.outputs import BandChange, Trigger
from stream.commands.style import Style, percent, printable
from stream.demo.models import Learned
from stream.demo.summary import Summary

_STYLE: Final = Style(colour=True)
_BAND_WIDTH: Final = max(map(len, BANDS)) + 2
_NAME_WIDTH: Final = 9


def band(name: str, width: int = 0) -> Text:
    """A band in shape, word and colour."""
    return Text.from_ansi(_STYLE.band(name, width - 2 if width else 0))


def day(at: int) -> str:
    """A day (of ms since 1970), in UTC."""
    return f"{datetime.fromtimestamp(at / 1000, UTC):%d %b %Y}"


def left(seconds: float) -> str:
    """How much time is left."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d} left"


def heading(*, live: bool) -> Text:
    """The columns' names."""
    when = "UTC".ljust(8 if live else 12)
    text = (
        f"  {when}  {'who':>6}  {'outcome':12}  {'from':{_BAND_WIDTH}}   "
        f"{'to':{_BAND_WIDTH}} {'now':>6}  cause"
    )
    return Text(text, "bright_black")


def moved(change: BandChange | Trigger, *, live: bool) -> Text:
    """Household, outcome and both bands."""
    at = change.decided_at.astimezone(UTC)
    touchpoint = change.touchpoint
    text = Text("  ")
    text.append(f"{at:%H:%M:%S}" if live else f"{at:%d %b %H:%M}", "bright_black")
    text.append(f"  {printable(change.customer_id):>6}  ", "bold")
    text.append(f"{change.outcome} {change.horizon_days} d".ljust(12) + "  ")
    text.append_text(band(change.from_band, _BAND_WIDTH)).append(" → ", "bright_black")
    text.append_text(band(change.to_band, _BAND_WIDTH))
    text.append(f" {percent(change.probability):>6}")
    cause = touchpoint.type.partition("_")[0] if touchpoint else "silence"
    text.append(f"  {cause}", "" if touchpoint else "italic")
    return text


def fired(trigger: Trigger) -> Text:
    """A trigger: the rule, for whom, and the advice."""
    at = trigger.decided_at.astimezone(UTC)
    text = Text("  ")
    text.append(f"{at:%H:%M:%S}", "bright_black")
    text.append(f"  {printable(trigger.customer_id):>6}  ", "bold")
    text.append(f"! {trigger.rule}", "bold magenta").append("  ")
    text.append_text(band(trigger.to_band))
    return text.append(f"  {trigger.advice}", "bright_black")


def counts(summary: Summary) -> Table:
    """What was taken in, what became of it, and how fast."""
    table = Table.grid(padding=(0, 2), pad_edge=True)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="bright_black")
    for name, number, told in _rows(summary):
        table.add_row(f" {name}", number, told)
    return table


def _rows(summary: Summary) -> Iterator[tuple[str, str, str]]:
    causes, measured = summary.band_changes_by_cause, summary.measured
    reasons = len(summary.rejected_by_reason)
    yield "taken in", f"{summary.events_in:,}", "records of the topic, and what became of them:"
    yield "  scored", f"{summary.scored:,}", f"touchpoints of {summary.customers:,} households"
    yield "  duplicates", f"{summary.duplicates:,}", "sent twice, counted once"
    yield (
        "  rejected",
        f"{summary.rejected:,}",
        f"in the dead letters, for {reasons} different reasons",
    )
    yield "  forwarded", f"{summary.forwarded:,}", "home, from the wrong partition"
    yield "  control", f"{summary.control:,}", "ticks of the clock, going live, new models"
    yield "in silence", f"{summary.silence_scorings:,}", "scorings because time passed"
    yield (
        "band changes",
        f"{summary.band_changes:,}",
        f"{causes['event']:,} by touchpoints, {causes['silence']:,} in silence",
    )
    yield "triggers", f"{summary.triggers:,}", "since going live"
    yield (
        "history",
        f"{summary.events_per_second:,}/s",
        f"touchpoints, with all that silence did ({measured.history_seconds:.0f} s)",
    )
    for name, value in measured.latency_ms.items():
        told = "from the broker's append to the band change read" if name == "p50" else ""
        yield f"latency {name}", "none" if value is None else f"{value:.1f} ms", told
    yield "digest", "", summary.digest


def standing(bands: Mapping[str, Mapping[str, int]]) -> Table:
    """How many households are in which band, per outcome."""
    table = Table(box=None, padding=(0, 2), pad_edge=True, header_style="")
    table.add_column("", no_wrap=True)
    for name in BANDS:
        table.add_column(band(name), justify="right", no_wrap=True)
    for outcome, numbers in bands.items():
        table.add_row(f" {outcome}", *(f"{numbers[name]:,}" for name in BANDS))
    return table


def learning(models: Mapping[str, Learned]) -> list[str]:
    """A line per outcome: what its scores rest on, and how well they and the prior predicted."""
    return [f"{name:{_NAME_WIDTH}} {_state(found)}" for name, found in models.items()]


def _state(found: Learned) -> str:
    told = f"learned, version {found.model_version}" if found.model_version else "prior"
    if not found.examples:
        return told
    losses = found.log_loss
    return (
        f"{told} · {found.examples:,} examples · "
        f"log-loss {losses['champion']:.4f}, prior {losses['prior']:.4f}"
    )


def learned(models: Mapping[str, Learned]) -> Table:
    """How well each outcome was predicted, and by what."""
    table = Table(
        box=None, padding=(0, 1), collapse_padding=True, pad_edge=True, header_style="bright_black"
    )
    table.add_column("", no_wrap=True)
    for name in ("version", "adopted", "examples", "positive", "log-loss", "prior", "base", "ECE"):
        table.add_column(name, justify="right", no_wrap=True)
    for outcome, found in models.items():
        losses = [found.log_loss.get(name) for name in ("champion", "prior", "base_rate")]
        table.add_row(
            f" {outcome}",
            str(found.model_version) if found.model_version else "prior",
            f"{found.adoptions:,}",
            f"{found.examples:,}",
            f"{found.positives:,}",
            *("-" if value is None else f"{value:.4f}" for value in (*losses, found.ece)),
        )
    return table
