"""The second half of a decision: all scorings of a step at once through the model, then bands in order."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from schemas.outcomes import Outcome
from schemas.rules import Rule
from stream.automation.rules import fired
from stream.features.state import MOST_FIRED, UNSCORED, CustomerState
from stream.features.vector import Vectorizer
from stream.model.banding import Banding
from stream.model.linear import LinearModel, Scored
from stream.model.reasons import Reason, Reasons
from stream.partition.bodies import Place
from stream.partition.outputs import Decision, Move
from stream.partition.step import Scoring, Step

_FEW = 8
"""So few scorings are looked at one by one sooner than all at once."""


class Verdict:
    """Puts scored customers into bands, and says what moved."""

    def __init__(
        self, vectorizer: Vectorizer, outcomes: Sequence[Outcome], rules: Sequence[Rule]
    ) -> None:
        self._vectorizer = vectorizer
        self._reasons: dict[tuple[str, ...], Reasons] = {}
        self._outcomes = tuple(outcomes)
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

    def give(self, model: LinearModel, partition: int, step: Step) -> None:
        """Score the step's scorings: bands and probabilities go into the states, the rest into its outputs."""
        scorings = step.scorings
        if not scorings:
            return
        raw = self._vectorizer.raw([scoring.snapshot for scoring in scorings])
        scored = model.score(raw)
        telling = _Telling(model, self._reasons_of(model), scored)
        latest: dict[str, int] = {}
        moved: set[str] = set()
        for number, outside in enumerate(self._leaves(scorings, scored.log_odds)):
            scoring = scorings[number]
            state = scoring.state
            before = latest.get(state.customer_id)
            latest[state.customer_id] = number
            # Seen for the bands before the step: where one has moved since, look again.
            moves = []
            if outside or state.customer_id in moved:
                chances = state.probabilities if before is None else telling.chances(before)
                moves = self._moves(telling, number, state, chances)
            if moves:
                moved.add(state.customer_id)
            if moves or scoring.event is not None:
                self._tell(telling, number, scoring, moves, partition, step)
        size = 4 * len(self._outcomes)
        packed = scored.probabilities.astype(np.uint32).tobytes()
        for customer_id, number in latest.items():
            row = packed[size * number : size * (number + 1)]
            step.changed[customer_id].probabilities = array("I", row)

    def _reasons_of(self, model: LinearModel) -> Reasons:
        found = self._reasons.get(model.families)
        if found is None:
            found = Reasons(self._vectorizer.layout, model.families)
            self._reasons[model.families] = found
        return found

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
        self, telling: _Telling, number: int, state: CustomerState, before: Sequence[int]
    ) -> list[tuple[int, Move]]:
        """The outcomes whose band changes, each with its number; the state's bands are set."""
        moves = []
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
                )
                moves.append((place, move))
        return moves

    def _tell(
        self,
        telling: _Telling,
        number: int,
        scoring: Scoring,
        moves: Sequence[tuple[int, Move]],
        partition: int,
        step: Step,
    ) -> None:
        """Put what there is to say of one scoring into the step."""
        state, event = scoring.state, scoring.event
        decision = Decision(
            state.customer_id,
            scoring.decided_ms,
            Place(partition, scoring.offset, scoring.cursor),
            event,
            telling.model.basis,
            telling.model.version,
        )
        outputs = step.outputs
        outputs.append(decision.score(self._outcomes, state.bands, telling.chances(number)))
        if not moves:
            return
        cause = "band_changes_silence" if event is None else "band_changes_event"
        step.ledger.count(cause, len(moves))
        told = telling.reasons(number, scoring.snapshot, moves)
        for (place, move), reasons in zip(moves, told, strict=True):
            identity, changed = decision.band_change(move, reasons)
            outputs.append(changed)
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
            step.outputs.append(decision.trigger(move, rule, change))
            step.ledger.count("triggers")


class _Telling:
    """The scores of a step, row by row, for those rows of which there is something to tell."""

    def __init__(self, model: LinearModel, reasons: Reasons, scored: Scored) -> None:
        self.model = model
        self.base: list[int] = model.base.tolist()
        self._scored = scored
        self._reasons = reasons

    def log_odds(self, number: int) -> list[int]:
        found: list[int] = self._scored.log_odds[number].tolist()
        return found

    def chances(self, number: int) -> list[int]:
        found: list[int] = self._scored.probabilities[number].tolist()
        return found

    def reasons(
        self, number: int, snapshot: bytes, moves: Sequence[tuple[int, Move]]
    ) -> list[list[Reason]]:
        """The reasons of each move."""
        if not moves:
            return []
        raw, words = array("d", snapshot), dict[int, str]()
        parts = self._scored.parts[number].tolist()
        return [self._reasons.explain(parts[place], raw, words) for place, _ in moves]
