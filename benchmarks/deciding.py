"""What a decision costs with learned models in force, against the prior: same records, same process, in turns.

No Kafka and no Redis: touchpoints that are read already, all states in memory. What is timed is everything
between a touchpoint and its outputs: due times, features, scores, bands, reasons, examples, bodies.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final, NamedTuple

from benchmarks.ground import TICK_MS
from benchmarks.log import Touch
from schemas.decisions import Decisions
from stream.agents.collector import Collector
from stream.features.grid import NEVER
from stream.features.state import CustomerState
from stream.model.snapshot import Snapshot
from stream.partition.control import Control, Headers, Kind, Signer
from stream.partition.dues import DueQueue
from stream.partition.intake import Event
from stream.partition.ledger import Ledger, Position
from stream.partition.step import Entry
from stream.pipeline import MODEL, Pipeline, Pipelines

_STEP_RECORDS: Final = 1_000


class _Record(NamedTuple):
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass
class Decided:
    """What one run over the log took, and what came out of it."""

    seconds: float = 0.0
    scorings: int = 0
    outputs: Counter[str] = field(default_factory=Counter)


class Deciding:
    """One log, read, in one partition; decided on as often as asked."""

    def __init__(
        self, decisions: Decisions, log: Sequence[Touch], snapshots: Sequence[Snapshot]
    ) -> None:
        pipelines = Pipelines(decisions, Signer(b"", ""), 1)
        for snapshot in snapshots:
            pipelines.library.add(snapshot)
        self.pipeline: Pipeline = pipelines.get("")
        self._learned = {f"{MODEL}{each.outcome}": each.version for each in snapshots}
        self._entries = self._read(log)

    def _read(self, log: Sequence[Touch]) -> list[Entry]:
        found: list[Entry] = []
        day = log[0].at // TICK_MS
        for at, _, value in log:
            if at // TICK_MS > day:
                day = at // TICK_MS
                tick = _Record(len(found), day * TICK_MS, b"", None)
                found.append(Entry(tick, Control(Kind.TICK)))
            record = _Record(len(found), at, None, value)
            found.append(Entry(record, self.pipeline.reader.parse(record, 0)))
        return found

    def run(self, *, learned: bool, records: int = _STEP_RECORDS) -> Decided:
        """Decide on the whole log from the start, in steps of so many records at the most."""
        pipeline, entries = self.pipeline, self._entries
        # Live, so that nobody waits for models: the versions stay as they are.
        ledger = Ledger(
            live=True,
            types=pipeline.vectorizer.layout.types,
            versions=dict(self._learned) if learned else {},
        )
        dues, states = DueQueue(), self._states()
        dues.extend((), NEVER)
        pipeline.model(ledger)  # made once, and kept
        found, position = Decided(), Position(0)
        with Collector():  # as in the worker
            while position.offset < len(entries):
                ahead = entries[position.offset : position.offset + records]
                begin = time.process_time()
                step = pipeline.decide(0, position, ahead, ledger, dues, states)
                found.seconds += time.process_time() - begin
                found.scorings += len(step.scorings)
                found.outputs.update(each.topic for each in step.outputs)
                position = step.position
        return found

    def _states(self) -> dict[str, CustomerState]:
        layout, outcomes = self.pipeline.vectorizer.layout, len(self.pipeline.outcomes)
        return {
            entry.parsed.customer_id: CustomerState(entry.parsed.customer_id, layout, outcomes)
            for entry in self._entries
            if isinstance(entry.parsed, Event)
        }


def compare(deciding: Deciding, runs: int) -> dict[str, Any]:
    """Pairs of runs, the prior and learned models in turns; the median of the pairs' ratios."""
    pairs = [(deciding.run(learned=False), deciding.run(learned=True)) for _ in range(max(1, runs))]
    prior, learned = pairs[-1]
    return {
        "ratio_learned": median(mine.seconds / plain.seconds for plain, mine in pairs),
        "pairs": [[plain.seconds, mine.seconds] for plain, mine in pairs],
        "scorings": prior.scorings,
        "prior_us_per_scoring": median(pair[0].seconds for pair in pairs) / prior.scorings * 1e6,
        "learned_us_per_scoring": median(pair[1].seconds for pair in pairs) / prior.scorings * 1e6,
        "outputs": {"prior": dict(prior.outputs), "learned": dict(learned.outputs)},
    }
