"""A log through the whole decision, in memory: the pipeline, the labels and the learner of the live path.

Partitions keep step with the learner as a replay does, so the examples are those that a replay through
Kafka and Redis writes, byte for byte.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from schemas.decisions import Decisions
from schemas.home import home
from stream.features.grid import DAY, NEVER
from stream.features.state import CustomerState
from stream.model.learning.gathering import Gathering
from stream.model.learning.records import Watermark, read_example
from stream.model.learning.school import School
from stream.partition.control import IN_STEP, Control, Headers, Kind, Signer
from stream.partition.dues import DueQueue
from stream.partition.intake import Event
from stream.partition.ledger import Ledger, Position
from stream.partition.outputs import EXAMPLES, Output
from stream.partition.step import Entry, Step
from stream.partition.ticks import Ticks
from stream.pipeline import Pipeline, Pipelines

_TICK_MS: Final = DAY * 1000


class Touch(NamedTuple):
    """A row of a log: whose, when (ms since 1970), and the touchpoint as a record's value."""

    customer_id: str
    at: int
    value: bytes


class _Record(NamedTuple):
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class _Partition:
    """One partition's log, as far as it is not done, and all its states."""

    def __init__(self, number: int, pipeline: Pipeline) -> None:
        self.number = number
        self._pipeline = pipeline
        self._entries: deque[Entry] = deque()
        self._end = 0
        self._position = Position(0)
        self._waits = 0
        self.ledger = Ledger(versions={IN_STEP: 1})
        self._dues = DueQueue()
        self._dues.extend((), NEVER)
        self._states: dict[str, CustomerState] = {}

    def touch(self, touch: Touch) -> Entry:
        """Append a touchpoint."""
        record = _Record(self._end, touch.at, None, touch.value)
        entry = Entry(record, self._pipeline.reader.parse(record, self.number))
        self._append(entry)
        if isinstance(entry.parsed, Event) and entry.parsed.customer_id not in self._states:
            customer = entry.parsed.customer_id
            layout, outcomes = self._pipeline.vectorizer.layout, len(self._pipeline.outcomes)
            self._states[customer] = CustomerState(customer, layout, outcomes)
        return entry

    def tick(self, at: int) -> None:
        """Append a tick."""
        self._append(Entry(_Record(self._end, at, b"", None), Control(Kind.TICK)))

    def _append(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._end += 1

    def work(self) -> Iterable[Step]:
        """Steps, until there is nothing more or models must be known first."""
        pipeline = self._pipeline
        while self._entries:
            if self._waits:
                if pipeline.library.progress(pipeline.learning_names) < self._waits:
                    return
                pipeline.settle(self.ledger, self._waits)
                self._waits = 0
            step = pipeline.decide(
                self.number,
                self._position,
                [self._entries[n] for n in range(min(1_000, len(self._entries)))],
                self.ledger,
                self._dues,
                self._states,
            )
            self._waits = step.waits
            self._position = step.position
            while self._entries and self._entries[0].record.offset < step.position.offset:
                self._entries.popleft()
            yield step


Watch = Callable[[Step], None]


class Driver:
    """Runs rows, in their order, through all partitions and the learner."""

    def __init__(self, decisions: Decisions, partitions: int, watch: Watch) -> None:
        """`watch` is shown every step: what was scored, and what would have gone out."""
        pipelines = Pipelines(decisions, Signer(b"", ""), partitions)
        self.pipeline = pipelines.get("")
        self.school = School(self.pipeline.vectorizer, decisions)
        self._partitions = [_Partition(n, self.pipeline) for n in range(partitions)]
        self._gathering = Gathering(partitions)
        self._ticks = Ticks(_TICK_MS)
        self._watch = watch
        self._clock = 0
        self.rejected = 0
        self.late = 0

    def run(self, touches: Iterable[Touch], progress: Callable[[int], None]) -> None:
        """All rows; `progress` is told the log's time (ms) once a day of it."""
        for touch in touches:
            at = touch.at
            if at >= self._clock:
                tick = self._ticks.passed(at)
                if tick is not None:
                    self._tick(tick)
                    self._work()
                    progress(at)
                self._clock = at
            else:
                self.late += 1
            partition = home(touch.customer_id, len(self._partitions))
            entry = self._partitions[partition].touch(touch)
            self.rejected += not isinstance(entry.parsed, Event)
        self._tick(self._clock)
        self._work()

    def _tick(self, at: int) -> None:
        for partition in self._partitions:
            partition.tick(at)

    def _work(self) -> None:
        """Let all partitions take in what there is, and learn as far as all have come."""
        moved = True
        while moved:
            moved = False
            for partition in self._partitions:
                for step in partition.work():
                    moved = True
                    self._watch(step)
                    for output in step.outputs:
                        if output.topic == EXAMPLES:
                            self._gather(output)
            for period in self._gathering.complete():
                moved = True
                for snapshot in self.school.train(period).snapshots:
                    self.pipeline.library.add(snapshot)

    def _gather(self, output: Output) -> None:
        found = read_example(output.value)
        if isinstance(found, Watermark):
            self._gathering.mark(found)
            return
        for name, labelled in found.labels.items():
            self._gathering.label(name.rpartition(":")[0], labelled)
