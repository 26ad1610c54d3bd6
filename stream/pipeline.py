"""The whole decision: records of one partition and the states of its customers -> what changes and goes out.

Pure: no I/O, and no clock but the log's. The same records give the same states and outputs, byte for byte,
however they are cut into steps: features are taken scoring by scoring in the log's order, all of a step go
through the model as one matrix whose rows do not touch each other, and bands follow in the log's order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Final

from schemas.decisions import Decisions
from schemas.home import home
from schemas.rejections import Reason, Rejection
from schemas.types import TypeRegistry
from stream.errors import StoreError
from stream.features.codec import VERSION
from stream.features.grid import DAY, KEPT, LATEST
from stream.features.layout import Layout
from stream.features.state import REMEMBERED, CustomerState
from stream.features.vector import Vectorizer
from stream.model.linear import LinearModel
from stream.model.prior import prior
from stream.partition.control import CONTROL, ORIGIN, SIGNATURE, Control, Kind, Origin, Signer
from stream.partition.dues import DueQueue
from stream.partition.intake import Event, Reader, Record
from stream.partition.ledger import Ledger, Position
from stream.partition.outputs import TOUCHPOINTS, Output
from stream.partition.size import size_of
from stream.partition.step import MOST_FORWARDED, DeadLetter, Entry, Scoring, Step
from stream.partition.verdict import Verdict

AHEAD: Final = 5 * 60
"""Seconds that a touchpoint may lie ahead of the log's clock: producers' clocks differ."""
SETTINGS: Final = "settings"
"""What an adopt record names to bring decisions into force."""
REPLAY: Final = "replay"
"""What the first adopt record of a replay's log names."""
_OWN: Final = frozenset((CONTROL, ORIGIN, SIGNATURE))


class Pipeline:
    """Decides as given decisions have it, over a fixed number of partitions."""

    def __init__(
        self, decisions: Decisions, signer: Signer, partitions: int, *, silence: bool = True
    ) -> None:
        """Without `silence`, time alone changes nothing (for comparisons only)."""
        self.outcomes = decisions.outcomes
        self.vectorizer = Vectorizer(Layout(TypeRegistry(decisions.types)))
        self.models: dict[int, LinearModel] = {0: prior(self.outcomes, self.vectorizer)}
        """By version."""
        self.partitions = partitions
        self.silence = silence
        self.reader = Reader(self.vectorizer.layout.registry, signer)
        self._verdict = Verdict(self.vectorizer, self.outcomes, decisions.rules)
        self._signer = signer

    def states(self, types: int) -> str:
        """Hash of what states are made with: the first so many types, and the outcomes, in order."""
        kinds = self.vectorizer.layout.registry.names[:types]
        outcomes = [outcome.name for outcome in self.outcomes]
        return blake2b(repr((VERSION, kinds, outcomes)).encode(), digest_size=8).hexdigest()

    def fits(self, ledger: Ledger) -> bool:
        """Whether it can work on a partition's states. Types may have been added: they follow those known."""
        if not ledger.states:
            return True
        enough = ledger.types <= self.vectorizer.layout.types
        return enough and ledger.states == self.states(ledger.types)

    def decide(
        self,
        partition: int,
        start: Position,
        entries: Sequence[Entry],
        ledger: Ledger,
        dues: DueQueue,
        states: Mapping[str, CustomerState],
    ) -> Step:
        """One step from `start` on: as far as the entries, the states given and a step's limits allow.

        `entries` begin with the record at `start`; `states` hold customers at home here, known or new.
        `ledger`, `dues` and `states` are changed in place: after a failure all three must be read anew.
        """
        step = Step(start, ledger)
        model = self.models[ledger.versions.get("model", 0)]
        for entry in entries:
            record, parsed = entry
            clock = turned(ledger.clock, record)
            if step.position.offset != record.offset:
                step.position = Position(
                    record.offset
                )  # the log skips offsets where it was compacted
            if self.silence and not self._take_dues(step, clock, dues, states):
                break
            if isinstance(parsed, Event):
                if parsed.customer_id in states:
                    if not step.has_room(parsed.customer_id):
                        break
                    self._take_event(step, record, parsed, clock, dues, states[parsed.customer_id])
                elif not self._forward(step, record, parsed, partition):
                    break
            elif isinstance(parsed, Control):
                _take_control(ledger, parsed)
            else:
                _reject(step, record, parsed)
            step.taken += 1
            ledger.clock = clock
            step.position = Position(record.offset + 1)
            if isinstance(parsed, Control) and parsed.kind is Kind.ADOPT:
                break  # the next record may be another model's
        ledger.count("in", step.taken)
        ledger.count("scored", step.events)
        ledger.count("silence_scorings", len(step.scorings) - step.events)
        self._verdict.give(model, partition, step)
        return step

    def _take_dues(
        self, step: Step, clock: int, dues: DueQueue, states: Mapping[str, CustomerState]
    ) -> bool:
        """Take whoever is due by `clock`, in (due, id) order, each at its own due time; False to end the step."""
        now = clock // 1000
        offset, cursor = step.position
        complete = True
        while (first := dues.first()) is not None and first[0] <= now:
            due, customer_id = first
            if customer_id not in states or not step.has_room(customer_id):
                complete = False
                break
            state = states[customer_id]
            state.advance(due + state.shift)
            self._scored(step, state, due * 1000, offset, cursor, None, dues)
            cursor += 1
        step.position = Position(offset, cursor)
        return complete and now < dues.horizon

    def _take_event(
        self,
        step: Step,
        record: Record,
        event: Event,
        clock: int,
        dues: DueQueue,
        state: CustomerState,
    ) -> None:
        ledger, now = step.ledger, clock // 1000 + state.shift
        if event.origin is not None and not _first_time(ledger, event.origin):
            ledger.count("duplicates")
        elif (late := _check_time(event, clock)) is not None:
            _reject(step, record, late)
        elif event.hash in state.ids and state.ids[event.hash] + REMEMBERED > now:
            ledger.count("duplicates")
        else:
            state.advance(now)
            state.add(
                event.hash, event.kind, event.stage, event.happened + state.shift, event.cents
            )
            self._scored(step, state, clock, *step.position, event, dues)
            step.events += 1

    def _scored(
        self,
        step: Step,
        state: CustomerState,
        decided_ms: int,
        offset: int,
        cursor: int,
        event: Event | None,
        dues: DueQueue,
    ) -> None:
        """Note a moment at which the customer is scored, and when the next one is due."""
        customer_id, snapshot = state.customer_id, state.snapshot()
        scoring = Scoring(state, snapshot, decided_ms, offset, cursor, event, step.ledger.live)
        step.scorings.append(scoring)
        step.changed[customer_id] = state
        step.due[customer_id] = due = state.due() - state.shift
        dues.set(customer_id, due)

    def _forward(self, step: Step, record: Record, event: Event, partition: int) -> bool:
        """Send a touchpoint to its customer's home; False if this is its home, or the step is full."""
        target, value = home(event.customer_id, self.partitions), record.value or b""
        size = size_of(record.key, value, record.headers)
        if target == partition or (step.forwarded and step.forwarded + size > MOST_FORWARDED):
            return False
        # A byte of a name that is no UTF-8 could not be sent: "?", so that the size stays the same.
        kept = tuple(
            (name.encode("utf-8", "replace").decode(), text)
            for name, text in record.headers
            if name not in _OWN
        )
        headers = kept + self._signer.forward(target, Origin(partition, record.offset), value)
        step.outputs.append(
            Output(TOUCHPOINTS, target, record.key, value, headers, record.timestamp)
        )
        step.forwarded += size
        step.ledger.count("forwarded")
        return True


class Pipelines:
    """The pipeline of whichever decisions are in force."""

    def __init__(
        self, own: Decisions, signer: Signer, partitions: int, *, silence: bool = True
    ) -> None:
        """`own` decide where the log has adopted none."""
        self.own = own
        self.partitions = partitions
        self.silence = silence
        self._signer = signer
        self._made: dict[str, Pipeline] = {}
        self._own_text = own.text

    def get(self, text: str) -> Pipeline:
        """The pipeline of decisions given as text; empty: of our own."""
        text = text or self._own_text
        found = self._made.get(text)
        if found is None:
            decisions = self.own if text == self._own_text else Decisions.model_validate_json(text)
            found = Pipeline(decisions, self._signer, self.partitions, silence=self.silence)
            self._made[text] = found
        return found

    def in_force(self, ledger: Ledger) -> tuple[Pipeline, LinearModel]:
        """The pipeline and the model that a partition decides by.

        Raises StoreError where the model's version is not known here.
        """
        pipeline, version = self.get(ledger.settings), ledger.versions.get("model", 0)
        if version not in pipeline.models:
            raise StoreError(f"model: expected version {version} to be known here, it is not yet")
        return pipeline, pipeline.models[version]


def turned(clock: int, record: Record) -> int:
    """The log's clock after a record, in ms; a time beyond all that states can hold does not turn it."""
    return record.timestamp if clock < record.timestamp < LATEST * 1000 else clock


def _first_time(ledger: Ledger, origin: Origin) -> bool:
    """Whether a forwarded touchpoint is new here: a partition forwards in the order of its offsets."""
    name = str(origin.partition)
    if origin.offset <= ledger.origins.get(name, -1):
        return False
    ledger.origins[name] = origin.offset
    return True


def _check_time(event: Event, clock: int) -> Rejection | None:
    ahead = event.happened - clock // 1000
    if ahead > AHEAD:
        detail = (
            f"occurred_at: expected at most {AHEAD} seconds ahead of the log's clock, got {ahead}"
        )
        return Rejection(Reason.TIME_AHEAD, "occurred_at", detail)
    if -ahead > KEPT:
        detail = f"occurred_at: expected at most {KEPT // DAY} days ago, got {-ahead // DAY} days"
        return Rejection(Reason.TIME_TOO_OLD, "occurred_at", detail)
    return None


def _take_control(ledger: Ledger, control: Control) -> None:
    if control.kind is Kind.LIVE:
        ledger.live = REPLAY not in ledger.versions  # a replay's log says so, and never goes live
    elif control.kind is Kind.ADOPT and control.version > ledger.versions.get(control.what, 0):
        ledger.versions[control.what] = control.version
        if control.what == SETTINGS:
            ledger.settings = control.body
    ledger.count("control")


def _reject(step: Step, record: Record, rejection: Rejection) -> None:
    step.dead.append(DeadLetter(record, rejection))
    step.ledger.count("rejected")
    step.ledger.count(f"rejected_{rejection.reason}")
