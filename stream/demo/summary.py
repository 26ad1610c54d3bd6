"""What one run came to: counts from the partitions' own ledgers, read once the workers have stopped."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from schemas.bands import BANDS
from stream.demo.deployment import Deployment
from stream.demo.models import Learned, conclude
from stream.errors import DemoError
from stream.features.codec import decode
from stream.features.layout import Layout
from stream.partition.ledger import totals
from stream.store.digest import digest

FILE: Final = "demo-summary.json"
NOTES: Final = {
    "events_in": "records of the topic that were taken in: "
    "events_in = scored + duplicates + rejected + forwarded + control",
    "events_per_second": "touchpoints of the history, from the first one sent until workers had taken "
    "in the last one, with all scorings in silence and all outputs",
    "latency_ms": "live: from the broker's append of a touchpoint until the band change it caused was "
    "read by a consumer",
    "models": "by outcome, of the version in force: examples are those whose horizon has ended; log_loss (nats) "
    "is of the probabilities as they were given when the examples were opened, champion being what was in force "
    "then; ece of the latest 5,000; adoptions: how often a version came into force, in the partition where it "
    "happened most often",
}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What the ledgers do not know."""

    history_touchpoints: int
    history_seconds: float
    live_touchpoints: int
    live_seconds: float
    latency_ms: dict[str, float | None]
    latency_samples: int
    workers: int
    kafka_version: str
    redis_version: str


@dataclass(frozen=True, kw_only=True)
class Summary:
    """All of it; `asdict` is what the file holds."""

    events_in: int
    scored: int
    duplicates: int
    rejected: int
    forwarded: int
    control: int
    silence_scorings: int
    customers: int
    band_changes: int
    band_changes_by_cause: dict[str, int]
    triggers: int
    rejected_by_reason: dict[str, int]
    bands: dict[str, dict[str, int]]
    """Per outcome, how many customers are in each band."""
    models: dict[str, Learned]
    """Per outcome, what was learned."""
    seconds: float
    events_per_second: int
    digest: str
    measured: Measured

    @property
    def reconciles(self) -> bool:
        """Whether every record that was taken in is accounted for."""
        ends = self.scored + self.duplicates + self.rejected + self.forwarded + self.control
        return self.events_in == ends

    def data(self) -> dict[str, Any]:
        """As plain data, the measured figures beside the counts, with what they mean."""
        found: dict[str, Any] = asdict(self)
        measured: dict[str, Any] = found.pop("measured")
        return found | measured | {"notes": NOTES}

    def write(self, directory: Path) -> Path:
        """Write it as JSON, whole or not at all; DemoError where that is not possible."""
        path = directory / FILE
        part = path.with_name(f".{FILE}.{os.getpid()}")
        try:
            part.write_text(json.dumps(self.data(), indent=2) + "\n", encoding="utf-8")
            part.replace(path)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise DemoError(
                f"{path}: expected a file that can be written, got: {error.strerror}"
            ) from error
        return path


async def sum_up(deployment: Deployment, measured: Measured, seconds: float) -> Summary:
    """The summary of a deployment at which no worker changes anything any more."""
    ledgers = await deployment.ledgers()
    counts = totals(ledgers)
    states = await digest(deployment.store, range(deployment.partitions))
    causes = {cause: counts.get(f"band_changes_{cause}", 0) for cause in ("event", "silence")}
    rate = measured.history_touchpoints / measured.history_seconds
    rejected = {
        name.removeprefix("rejected_"): number
        for name, number in sorted(counts.items())
        if name.startswith("rejected_")
    }
    return Summary(
        events_in=counts.get("in", 0),
        scored=counts.get("scored", 0),
        duplicates=counts.get("duplicates", 0),
        rejected=counts.get("rejected", 0),
        forwarded=counts.get("forwarded", 0),
        control=counts.get("control", 0),
        silence_scorings=counts.get("silence_scorings", 0),
        customers=states.customers,
        band_changes=sum(causes.values()),
        band_changes_by_cause=causes,
        triggers=counts.get("triggers", 0),
        rejected_by_reason=rejected,
        bands=await _bands(deployment),
        models=await conclude(deployment, ledgers),
        seconds=round(seconds, 1),
        events_per_second=round(rate),
        digest=states.text,
        measured=measured,
    )


async def _bands(deployment: Deployment) -> dict[str, dict[str, int]]:
    settings = deployment.settings
    layout, outcomes = Layout(settings.registry), settings.outcomes
    standing: dict[str, Sequence[int]] = {}  # a scan may show a customer twice
    for partition in range(deployment.partitions):
        async for part in deployment.store.customers(partition):
            for state in decode(part, layout, len(outcomes)):
                standing[state.customer_id] = state.bands
    counted = [Counter(bands) for bands in zip(*standing.values(), strict=True)]
    return {
        outcome.name: {str(band): counter[number] for number, band in enumerate(BANDS)}
        for outcome, counter in zip(outcomes, counted, strict=False)
    }
