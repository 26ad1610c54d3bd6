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
from stream.features.grid import DAY, HOUR, KEPT, LATEST
from stream.features.layout import Layout
from stream.features.pending import Pending
from stream.features.state import REMEMBERED, CustomerState
from stream.features.vector import Vectorizer
from stream.model.labels import Labelled, Schedule
from stream.model.models import Library, Model, Models, UnknownVersionError
from stream.partition.control import (
    CONTROL,
    ORIGIN,
    REPLAY,
    SIGNATURE,
    Control,
    Kind,
    Origin,
    Signer,
)
from stream.partition.dues import DueQueue
from stream.partition.intake import Event, Parsed, Reader, Record
from stream.partition.ledger import END, Ledger, Position
from stream.partition.outputs import TOUCHPOINTS, Output
from stream.partition.size import size_of
from stream.partition.step import MOST_FORWARDED, DeadLetter, Entry, Scoring, Step
from stream.partition.tail import tail_of
from stream.partition.timing import Timer
from stream.partition.verdict import Verdict

AHEAD: Final = 5 * 60
"""Seconds that a touchpoint may lie ahead of the log's clock: producers' clocks differ."""
SETTINGS: Final = "settings"
"""What an adopt record names to bring decisions into force."""
MODEL: Final = "model:"
"""What an adopt record names to bring a model into force: this, and the outcome's name."""
ADOPTIONS: Final = "adoptions_"
"""What a ledger counts under this and the outcome's name: how often a version of its model came into force."""
_OWN: Final = frozenset((CONTROL, ORIGIN, SIGNATURE))


class Pipeline:
    """Decides as given decisions have it, over a fixed number of partitions."""

    def __init__(
        self,
        decisions: Decisions,
        signer: Signer,
        partitions: int,
        library: Library,
        *,
        silence: bool = True,
    ) -> None:
        """Without `silence`, time alone changes nothing (for comparisons only)."""
        self.outcomes = decisions.outcomes
        self.vectorizer = Vectorizer(Layout(TypeRegistry(decisions.types)))
        self.models = Models(self.vectorizer, self.outcomes, library)
        self.learning = decisions.learning
        registry = self.vectorizer.layout.registry
        self._schedule = (
            Schedule(decisions.learning, self.outcomes, registry) if decisions.learning else None
        )
        self._names = tuple(f"{MODEL}{outcome.name}" for outcome in self.outcomes)
        self.partitions = partitions
        self.silence = silence
        self.reader = Reader(self.vectorizer.layout.registry, signer)
        self._verdict = Verdict(self.vectorizer, self.outcomes, decisions.rules, self.models)
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
        stop: Position = END,
    ) -> Step:
        """One step from `start` on: as far as the entries, the states given and a step's limits allow.

        It ends at `stop` at the latest. `entries` begin with the record at `start`; `states` hold customers at home
        here, known or new.
        `ledger`, `dues` and `states` are changed in place: after a failure all three must be read anew.
        """
        step = Step(start, ledger)
        model = self.model(ledger)
        timer = Timer(step, self.learning)
        for entry in entries:
            record, parsed = entry
            clock = turned(ledger.clock, record)
            if step.position.offset != record.offset:
                step.position = Position(
                    record.offset
                )  # the log skips offsets where it was compacted
            if self.silence and not self._take_dues(step, timer, clock, dues, states, stop):
                break
            if step.position >= stop or timer.passes(clock // 1000) or step.position >= stop:
                break
            if not ledger.began:
                ledger.began = clock // 1000
            if isinstance(parsed, Event):
                if parsed.customer_id in states:
                    if not step.has_room(parsed.customer_id):
                        break
                    self._take_event(step, record, parsed, clock, dues, states[parsed.customer_id])
                elif not self._forward(step, record, parsed, partition):
                    break
            elif isinstance(parsed, Control):
                self._take_control(ledger, parsed)
                timer = Timer(step, self.learning)  # it may be live from here on
            else:
                _reject(step, record, parsed)
            step.taken += 1
            ledger.clock = clock
            step.position = Position(record.offset + 1)
            if isinstance(parsed, Control) and parsed.kind is Kind.ADOPT:
                break  # the next record may be another model's
        if step.taken:
            last = entries[step.taken - 1].record
            ledger.tail, ledger.tail_at = tail_of(last), last.offset
        ledger.count("in", step.taken)
        ledger.count("scored", step.events)
        ledger.count("silence_scorings", len(step.scorings) - step.events)
        self._verdict.give(model, partition, step)
        return step

    @property
    def library(self) -> Library:
        """The snapshots known here."""
        return self.models.library

    @property
    def learning_names(self) -> list[str]:
        """The outcomes that are learned."""
        return [outcome.name for outcome in self.outcomes]

    def wanted(self, ledger: Ledger) -> list[tuple[str, int]]:
        """The versions in force, by outcome."""
        versions = ledger.versions
        return [
            (outcome.name, versions.get(name, 0))
            for outcome, name in zip(self.outcomes, self._names, strict=True)
        ]

    def adopted_by(self, parsed: Parsed) -> tuple[str, int] | None:
        """The outcome and version of a model that a record brings into force."""
        if not isinstance(parsed, Control) or parsed.what not in self._names:
            return None
        return parsed.what.removeprefix(MODEL), parsed.version

    def model(self, ledger: Ledger) -> Model:
        """The model in force. Raises UnknownVersionError where one of its versions is not known here."""
        versions = ledger.versions
        return self.models.get(tuple(versions.get(name, 0) for name in self._names))

    def says_time(self, ledger: Ledger, now: int) -> bool:
        """Whether the learner would like to hear from this live partition that a period is over."""
        return (
            self.learning is not None and now >= ledger.known_to + self.learning.live_hours * HOUR
        )

    def settle(self, ledger: Ledger, known_to: int) -> None:
        """Before a log goes live: put those models in force that know labels up to `known_to`."""
        ledger.learned_to = known_to
        for outcome, name in zip(self.outcomes, self._names, strict=True):
            version = self.models.library.newest(outcome.name, known_to)
            if version > ledger.versions.get(name, 0) and self.models.readable(
                outcome.name, version
            ):
                ledger.versions[name] = version
                ledger.count(ADOPTIONS + outcome.name)

    def _take_control(self, ledger: Ledger, control: Control) -> None:
        what, version = control.what, control.version
        if control.kind is Kind.LIVE:
            ledger.live = (
                REPLAY not in ledger.versions
            )  # a replay's log says so, and never goes live
        elif control.kind is Kind.ADOPT and version > ledger.versions.get(what, 0):
            # What cannot be read changes nothing, nor does a model of an outcome that there is no more.
            if not what.startswith(MODEL) or self.models.readable(
                what.removeprefix(MODEL), version
            ):
                ledger.versions[what] = version
                if what.startswith(MODEL):
                    ledger.count(ADOPTIONS + what.removeprefix(MODEL))
            if what == SETTINGS:
                ledger.settings = control.body
        ledger.count("control")

    def _take_dues(
        self,
        step: Step,
        timer: Timer,
        clock: int,
        dues: DueQueue,
        states: Mapping[str, CustomerState],
        stop: Position,
    ) -> bool:
        """Take whoever is due by `clock`, in (due, id) order, each at its own due time; False to end the step."""
        now = clock // 1000
        complete = True
        while (first := dues.first()) is not None and first[0] <= now:
            due, customer_id = first
            if customer_id not in states or not step.has_room(customer_id):
                complete = False
                break
            if step.position >= stop:
                complete = False
                break
            if due >= timer.next and timer.passes(due):
                complete = False
                break
            state = states[customer_id]
            state.advance(due + state.shift)
            labelled, opened = None, None
            if self._schedule is not None:
                if due >= state.matures:
                    labelled = self._schedule.mature(state)
                if self._schedule.opens(state):
                    opened = self._schedule.open(state)
            self._scored(step, state, due * 1000, None, dues, opened, labelled)
            step.position = Position(step.position.offset, step.position.cursor + 1)
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
            if state.is_new:
                state.came(clock // 1000 - ledger.began)
            opened = None
            if self._schedule is not None:
                self._schedule.occurred(state, event.kind, event.cents, event.happened)
                if self._schedule.opens_by_event(state):
                    opened = self._schedule.open(state)
            state.add(
                event.hash, event.kind, event.stage, event.happened + state.shift, event.cents
            )
            self._scored(step, state, clock, event, dues, opened)
            step.events += 1

    def _scored(
        self,
        step: Step,
        state: CustomerState,
        decided_ms: int,
        event: Event | None,
        dues: DueQueue,
        opened: Pending | None = None,
        labelled: list[Labelled] | None = None,
    ) -> None:
        """Note a moment at which the customer is scored, and when the next one is due."""
        customer_id, snapshot = state.customer_id, state.snapshot()
        live = step.ledger.live
        scoring = Scoring(
            state, snapshot, decided_ms, *step.position, event, live, opened, labelled
        )
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
        step.say(
            step.position,
            Output(TOUCHPOINTS, target, record.key, value, headers, record.timestamp),
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
        self.library = Library()
        """The snapshots known here, for all decisions."""
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
            found = Pipeline(
                decisions, self._signer, self.partitions, self.library, silence=self.silence
            )
            self._made[text] = found
        return found

    def in_force(self, ledger: Ledger) -> tuple[Pipeline, Model]:
        """The pipeline and the model that a partition decides by.

        Raises StoreError where the model's version is not known here.
        """
        pipeline = self.get(ledger.settings)
        try:
            return pipeline, pipeline.model(ledger)
        except UnknownVersionError as error:
            raise StoreError(str(error)) from None


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


def _reject(step: Step, record: Record, rejection: Rejection) -> None:
    step.dead.append(DeadLetter(record, rejection))
    step.ledger.count("rejected")
    step.ledger.count(f"rejected_{rejection.reason}")
