"""The second half of a decision: all scorings of a step at once through the model, then bands in order."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from schemas.outcomes import Outcome
from schemas.rules import Rule
from stream.automation.rules import fired
from stream.features.state import MOST_FIRED, UNSCORED
from stream.features.vector import Vectorizer
from stream.model.banding import Banding
from stream.model.models import Model, Models
from stream.partition.bodies import Place
from stream.partition.examples import ExampleRecords, watermark
from stream.partition.opening import fill
from stream.partition.outputs import Decision, Move
from stream.partition.step import Mark, Scoring, Step
from stream.partition.telling import Telling
from stream.partition.timing import adopts

_FEW = 8
"""So few scorings are looked at one by one sooner than all at once."""
_MOST_CHANGE = 2_000_000_000


class Told(NamedTuple):
    """A scoring of which there is something to tell, with the bands as they were then."""

    number: int
    bands: bytes
    moves: list[tuple[int, Move]]


class Verdict:
    """Puts scored customers into bands, and says what moved."""

    def __init__(
        self,
        vectorizer: Vectorizer,
        outcomes: Sequence[Outcome],
        rules: Sequence[Rule],
        models: Models,
    ) -> None:
        self._vectorizer = vectorizer
        self._models = models
        self._outcomes = tuple(outcomes)
        self._examples = ExampleRecords(outcomes, vectorizer.schema_hash)
        self._bandings = tuple(Banding(outcome) for outcome in outcomes)
        numbered = tuple((crc32(rule.name.encode()), rule) for rule in rules)
        self._rules = tuple(
            tuple((number, rule) for number, rule in numbered if rule.outcome == outcome.name)
            for outcome in outcomes
        )
        self._numbers = np.arange(len(outcomes))
        # By outcome and band: where log-odds keep a customer in it; nothing keeps one in "unscored".
        self._low = np.full((len(outcomes), UNSCORED + 1), 1)
        self._high = np.zeros((len(outcomes), UNSCORED + 1), np.int64)
        for place, banding in enumerate(self._bandings):
            for band, (low, high) in enumerate(banding.holds):
                self._low[place, band], self._high[place, band] = low, high

    def give(self, model: Model, partition: int, step: Step) -> None:
        """Score the step's scorings: bands and probabilities go into the states, the rest into its outputs."""
        told: list[Told] = []
        telling = None
        if step.scorings:
            raw = self._vectorizer.raw([scoring.snapshot for scoring in step.scorings])
            scored = model.score(raw)
            fill(step.scorings, model, scored, self._vectorizer, raw)
            telling = Telling(self._models, model, raw, scored)
            told = self._look(telling, step)
            telling.explain([(each.number, *moved) for each in told for moved in each.moves])
        marks = list(step.watermarks)
        saying = {each.number: each for each in told}
        for number, scoring in enumerate(step.scorings):
            while marks and marks[0].before <= number:
                self._mark(step, partition, marks.pop(0))
            if scoring.labelled:
                self._label(step, partition, scoring)
            if number in saying and telling is not None:
                self._tell(telling, saying[number], scoring, partition, step)
        for mark in marks:
            self._mark(step, partition, mark)

    def _look(self, telling: Telling, step: Step) -> list[Told]:
        """Every scoring in order: bands move, and what is to be told is noted."""
        scorings = step.scorings
        told = []
        latest: dict[str, int] = {}
        moved: set[str] = set()
        then = self._by_models_then(telling, scorings)
        for number, outside in enumerate(self._leaves(scorings, telling.scored.log_odds)):
            scoring = scorings[number]
            state = scoring.state
            before = latest.get(state.customer_id)
            latest[state.customer_id] = number
            if scoring.event is not None:
                at_event = then.get(number) or telling.log_odds(number)
                self._moved_by_event(telling, at_event, before, scoring)
            # Seen for the bands before the step: where one has moved since, look again.
            moves = []
            if outside or state.customer_id in moved:
                chances = state.probabilities if before is None else telling.chances(before)
                moves = self._moves(telling, number, scoring, chances)
            if moves:
                moved.add(state.customer_id)
            if moves or scoring.event is not None:
                told.append(Told(number, bytes(state.bands), moves))
        size = 4 * len(self._outcomes)
        versions = array("I", telling.model.versions)
        chances_packed = telling.scored.probabilities.astype(np.uint32).tobytes()
        odds_packed = telling.scored.log_odds.astype(np.int32).tobytes()
        for customer_id, number in latest.items():
            state, row = step.changed[customer_id], slice(size * number, size * (number + 1))
            state.probabilities = array("I", chances_packed[row])
            state.log_odds = array("i", odds_packed[row])
            state.scored_by = versions[:]
        return told

    def _by_models_then(
        self, telling: Telling, scorings: Sequence[Scoring]
    ) -> dict[int, list[int]]:
        """Log-odds by the models that scored the customer last, of touchpoints that come first after a change.

        What the change of models moved is not the touchpoint's doing.
        """
        versions = array("I", telling.model.versions)
        seen: set[str] = set()
        rows = []
        for number, scoring in enumerate(scorings):
            if scoring.state.customer_id not in seen:
                seen.add(scoring.state.customer_id)
                if scoring.event is not None and scoring.state.scored_by != versions:
                    rows.append(number)
        scored = [row for row in rows if scorings[row].state.bands[0] != UNSCORED]
        return telling.by_models_then(scored, [scorings[row].state.scored_by for row in scored])

    @staticmethod
    def _moved_by_event(
        telling: Telling, at_event: Sequence[int], before: int | None, scoring: Scoring
    ) -> None:
        """Between two due moments nothing moves by time alone, so what moved here the event has moved."""
        by_events = scoring.state.by_events
        was = scoring.state.log_odds if before is None else telling.log_odds(before)
        for place, log_odds in enumerate(at_event):
            total = by_events[place] + log_odds - was[place]
            by_events[place] = max(-_MOST_CHANGE, min(_MOST_CHANGE, total))

    def _leaves(self, scorings: Sequence[Scoring], log_odds: NDArray[np.int64]) -> list[bool]:
        """Per scoring, whether any outcome may be outside the band that the customer was in before the step."""
        if len(scorings) < _FEW:
            return [True] * len(scorings)
        stood = b"".join([scoring.state.bands for scoring in scorings])
        bands = np.frombuffer(stood, np.uint8).reshape(log_odds.shape)
        low, high = self._low[self._numbers, bands], self._high[self._numbers, bands]
        outside = np.any((log_odds < low) | (log_odds >= high), axis=1)
        leaves: list[bool] = outside.tolist()
        return leaves

    def _moves(
        self, telling: Telling, number: int, scoring: Scoring, before: Sequence[int]
    ) -> list[tuple[int, Move]]:
        """The outcomes whose band changes, each with its number; the state's bands are set."""
        moves = []
        state, model = scoring.state, telling.model
        bands = state.bands
        log_odds, chances = telling.log_odds(number), telling.chances(number)
        for place, banding in enumerate(self._bandings):
            band = bands[place]
            after = banding.place(log_odds[place], band)
            if after != band:
                bands[place] = after
                move = Move(
                    self._outcomes[place],
                    band,
                    after,
                    before[place],
                    chances[place],
                    log_odds[place],
                    telling.base[place],
                    banding.advice[after],
                    model.bases[place],
                    model.versions[place],
                    state.changed_at[place],
                    state.changed_by[place],
                    state.by_events[place],
                )
                state.changed_at[place] = log_odds[place]
                state.changed_by[place] = model.versions[place]
                state.by_events[place] = 0
                moves.append((place, move))
        return moves

    # -- outputs -----------------------------------------------------------------------------------------

    def _mark(self, step: Step, partition: int, mark: Mark) -> None:
        ledger = step.ledger
        sequence = ledger.counts.get("examples", 0)
        said = watermark(partition, mark.known_to, sequence, adopts=adopts(ledger))
        step.say(mark.place, said)

    def _label(self, step: Step, partition: int, scoring: Scoring) -> None:
        customer_id, at = scoring.state.customer_id, scoring.decided_ms // 1000
        for labelled in scoring.labelled or ():
            step.ledger.count("examples")
            sequence = step.ledger.counts["examples"]
            step.say(
                scoring.place,
                self._examples.example(customer_id, labelled, at, partition, sequence),
            )

    def _tell(
        self, telling: Telling, told: Told, scoring: Scoring, partition: int, step: Step
    ) -> None:
        """Put what there is to say of one scoring into the step."""
        model, event = telling.model, scoring.event
        decision = Decision(
            scoring.state.customer_id,
            scoring.decided_ms,
            Place(partition, scoring.offset, scoring.cursor),
            event,
        )
        chances = telling.chances(told.number)
        step.say(
            scoring.place,
            decision.score(self._outcomes, told.bands, chances, model.bases, model.versions),
        )
        if not told.moves:
            return
        cause = "band_changes_silence" if event is None else "band_changes_event"
        step.ledger.count(cause, len(told.moves))
        for place, move in told.moves:
            reasons, since = telling.because(told.number, place, move)
            identity, changed = decision.band_change(move, reasons, since)
            step.say(scoring.place, changed)
            if scoring.live and self._rules[place]:
                self._fire(decision, place, move, identity, scoring, step)

    def _fire(
        self, decision: Decision, place: int, move: Move, change: str, scoring: Scoring, step: Step
    ) -> None:
        now, last = scoring.decided_ms // 1000, scoring.state.fired
        rules = self._rules[place]
        for number, rule in fired(rules, move.came_from, move.came_to, now=now, last_fired=last):
            if len(last) >= MOST_FIRED and number not in last:
                del last[min(last, key=lambda rule: (last[rule], rule))]  # of rules long renamed
            last[number] = now
            step.say(scoring.place, decision.trigger(move, rule, change))
            step.ledger.count("triggers")
