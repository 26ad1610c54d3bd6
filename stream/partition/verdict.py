"""The second half of a decision: all scorings of a step at once through the model, then bands in order."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.outcomes import Outcome
from schemas.rules import Rule
from stream.automation.rules import fired
from stream.features.state import UNSCORED, CustomerState
from stream.features.vector import Vectorizer
from stream.model.banding import Banding
from stream.model.linear import LinearModel
from stream.model.reasons import Reasons
from stream.partition.outputs import Decision, Move, band_change, score, trigger
from stream.partition.step import Scoring, Step


class Verdict:
    """Puts scored customers into bands, and says what moved."""

    def __init__(
        self, vectorizer: Vectorizer, outcomes: Sequence[Outcome], rules: Sequence[Rule]
    ) -> None:
        self._vectorizer = vectorizer
        self._outcomes = tuple(outcomes)
        self._bandings = tuple(Banding(outcome) for outcome in outcomes)
        numbered = tuple(enumerate(rules))
        self._rules = tuple(
            tuple((number, rule) for number, rule in numbered if rule.outcome == outcome.name)
            for outcome in outcomes
        )

    def give(self, model: LinearModel, partition: int, step: Step) -> None:
        """Score the step's scorings: bands and probabilities go into the states, the rest into its outputs."""
        if not step.scorings:
            return
        raw = self._vectorizer.raw([scoring.snapshot for scoring in step.scorings])
        scored = model.score(self._vectorizer.matrix(raw))
        reasons = Reasons(self._vectorizer.layout, model.families)
        base = model.base.tolist()
        log_odds, probabilities = scored.log_odds.tolist(), scored.probabilities.tolist()
        for number, scoring in enumerate(step.scorings):
            state, event = scoring.state, scoring.event
            moves = self._moves(state, log_odds[number], probabilities[number], base)
            state.probabilities[:] = probabilities[number]
            if event is None and not moves:
                continue
            decision = Decision(
                state.customer_id,
                scoring.decided_ms,
                partition,
                scoring.offset,
                scoring.cursor,
                event,
                model.basis,
                model.version,
            )
            step.outputs.append(score(decision, self._outcomes, state.bands, state.probabilities))
            if moves:
                words = reasons.describe(raw[number].tolist())
                parts = scored.parts[number].tolist()
                for place, move in moves:
                    self._tell(
                        decision, place, move, reasons.explain(parts[place], words), scoring, step
                    )

    def _moves(
        self, state: CustomerState, log_odds: list[int], probabilities: list[int], base: list[int]
    ) -> list[tuple[int, Move]]:
        """The outcomes whose band changes, each with its number; the state's bands are set."""
        moves = []
        bands = state.bands
        for place, banding in enumerate(self._bandings):
            band = bands[place]
            if band != UNSCORED:
                low, high = banding.holds[band]
                if low <= log_odds[place] < high:
                    continue
            bands[place] = banding.place(log_odds[place], band)
            moves.append((
                place,
                Move(
                    self._outcomes[place],
                    band,
                    bands[place],
                    state.probabilities[place],
                    probabilities[place],
                    log_odds[place],
                    base[place],
                ),
            ))  # fmt: skip
        return moves

    def _tell(
        self,
        decision: Decision,
        place: int,
        move: Move,
        reasons: list[dict[str, object]],
        scoring: Scoring,
        step: Step,
    ) -> None:
        identity, changed = band_change(decision, move, reasons)
        step.outputs.append(changed)
        step.ledger.count("band_changes_event" if scoring.event else "band_changes_silence")
        if not scoring.live:
            return
        state = scoring.state
        now = scoring.decided_ms // 1000
        for number, rule in fired(
            self._rules[place], move.came_from, move.came_to, now=now, last_fired=state.fired
        ):
            state.fired[number] = now
            step.outputs.append(trigger(decision, move, rule, identity))
            step.ledger.count("triggers")
