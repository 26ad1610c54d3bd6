"""What there is to tell of a step's scores: reasons, and what has moved them since the band changed last."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stream.features.state import UNSCORED
from stream.model.linear import MILLION, Scored
from stream.model.models import Model, Models
from stream.model.reasons import Reason
from stream.partition.bodies import Since
from stream.partition.outputs import Move


class Telling:
    """The scores of a step, row by row, for those rows of which there is something to tell."""

    def __init__(
        self, models: Models, model: Model, raw: NDArray[np.float64], scored: Scored
    ) -> None:
        self.model = model
        self.scored = scored
        self.base: list[int] = model.base.tolist()
        self._models = models
        self._raw = raw
        self._parts: dict[tuple[int, int], list[int]] = {}
        self._words: dict[int, dict[int, str]] = {}
        self._then: dict[tuple[int, int], int] = {}
        self._reasons = models.reasons(model)

    def log_odds(self, number: int) -> list[int]:
        """Of a row, per outcome, in millionths."""
        found: list[int] = self.scored.log_odds[number].tolist()
        return found

    def chances(self, number: int) -> list[int]:
        """The probabilities of a row, per outcome, in millionths."""
        found: list[int] = self.scored.probabilities[number].tolist()
        return found

    def by_models_then(
        self, rows: Sequence[int], versions: Sequence[Sequence[int]]
    ) -> dict[int, list[int]]:
        """Log-odds of rows by other versions, one per outcome, in millionths."""
        if not rows:
            return {}
        matrix = self.model.vectorizer.matrix(self._raw[list(rows)])
        by_place = [
            self._models.log_odds(place, [each[place] for each in versions], matrix)
            for place in range(len(self.base))
        ]
        return {
            row: list(found) for row, found in zip(rows, zip(*by_place, strict=True), strict=True)
        }

    def explain(self, moves: Sequence[tuple[int, int, Move]]) -> None:
        """Work out all that is to be told, at once; `moves` are rows and outcomes."""
        by_place: dict[int, list[int]] = {}
        for number, place, _ in moves:
            by_place.setdefault(place, []).append(number)
        for place, rows in by_place.items():
            parts = self.model.parts_of(self.scored, rows, place).tolist()
            self._parts.update(zip(((row, place) for row in rows), parts, strict=True))
        self._compare(moves)

    def _compare(self, moves: Sequence[tuple[int, int, Move]]) -> None:
        """What the models of the last band changes would say now, where others are in force since."""
        by_place: dict[int, list[tuple[int, int]]] = {}
        for number, place, move in moves:
            if move.came_from != UNSCORED and move.changed_by != move.version:
                by_place.setdefault(place, []).append((number, move.changed_by))
        rows = sorted({number for found in by_place.values() for number, _ in found})
        if not rows:
            return
        matrix = self.model.vectorizer.matrix(self._raw[rows])
        at = {number: row for row, number in enumerate(rows)}
        for place, found in by_place.items():
            versions = [version for _, version in found]
            mine = matrix[[at[number] for number, _ in found]]
            then = self._models.log_odds(place, versions, mine)
            for (number, _), log_odds in zip(found, then, strict=True):
                self._then[number, place] = log_odds

    def because(self, number: int, place: int, move: Move) -> tuple[list[Reason], Since | None]:
        """The reasons of a move, and what has moved the log-odds since the one before; None for the first."""
        raw = array("d", self._raw[number].tobytes())
        words = self._words.setdefault(number, {})
        told = self._reasons.explain(
            self._parts[number, place], raw, words, place, move.log_odds - move.base
        )
        if move.came_from == UNSCORED:
            return told, None
        total = move.log_odds - move.changed_at
        by_model = move.log_odds - self._then.get((number, place), move.log_odds)
        silence = total - move.by_events - by_model
        return told, Since(
            move.changed_at / MILLION,
            move.by_events / MILLION,
            silence / MILLION,
            by_model / MILLION,
        )
