"""The same with a model of River's own: it predicts, and learns from every event, one model per outcome."""

from __future__ import annotations

from math import log

import numpy as np
from river import linear_model, preprocessing
from river.compose import Pipeline

from benchmarks.peers.common import Delivered, Scored, Scorer, since
from stream.model.linear import LEARNED, MILLION
from stream.partition.intake import Event
from stream.settings import Settings


class LearningScorer(Scorer):
    """Predicts with what it has learned so far, from the features that the prior looks at.

    What it learns is the textbook's simplest target: whether a customer's next touchpoint is one that the
    outcome counts, given the features before it.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.bases = (LEARNED,) * len(self.outcomes)
        used = np.flatnonzero(self.model.weights.any(axis=0))
        self._plan = self.vectorizer.plan(used)
        self._names = [self.vectorizer.features[number].name for number in used]
        self._models: list[Pipeline] = [
            preprocessing.StandardScaler() | linear_model.LogisticRegression()
            for _ in self.outcomes
        ]

    def take(
        self, encoded: bytes | None, event: Event, record: Delivered, partition: int
    ) -> Scored:
        state = self.restore(event.customer_id, encoded)
        state.advance(record.timestamp // 1000 + state.shift)
        before = state.snapshot()
        self.add(state, event, record)
        rows = self._plan.matrix(self.vectorizer.raw([before, state.snapshot()])).tolist()
        chances = self._learn_and_predict(event.type, *rows)
        log_odds = [round(log(chance / (1 - chance)) * MILLION) for chance in chances]
        moves = self.moves(state, log_odds, [round(chance * MILLION) for chance in chances])
        decision = self.decision(event, record, partition)
        changes = [decision.band_change(move, [], since(move))[1].value for _, move in moves]
        return Scored(self.write(state), self.body(decision, state), changes)

    def _learn_and_predict(
        self, touchpoint: str, before: list[float], after: list[float]
    ) -> list[float]:
        known = dict(zip(self._names, before, strict=True))
        features = dict(zip(self._names, after, strict=True))
        chances = []
        for model, outcome in zip(self._models, self.outcomes, strict=True):
            counts = touchpoint in outcome.types
            model.learn_one(known, not counts if outcome.kind == "absence" else counts)
            chance = model.predict_proba_one(features).get(True, 0.5)
            chances.append(min(max(chance, 1e-6), 1 - 1e-6))
        return chances
