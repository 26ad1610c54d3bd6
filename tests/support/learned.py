"""Models with weights by chance, as a learner could have published them."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from schemas.outcomes import Outcome
from stream.features.vector import Vectorizer
from stream.model.basis import Basis
from stream.model.linear import LEARNED
from stream.model.snapshot import Calibrator, Snapshot, StageWeights, moment
from stream.model.stages import bounds


def random_snapshot(
    outcome: Outcome, vectorizer: Vectorizer, version: int, seed: int, known_to: int = 0
) -> Snapshot:
    """One version of one outcome's model: a third of all weights, far from the prior's."""
    rng = np.random.default_rng(seed)
    names = Basis(outcome, vectorizer).names[1:]
    features = tuple(feature.name for feature in vectorizer.features)

    def some(scale: float, of: tuple[str, ...]) -> dict[str, float]:
        values = rng.normal(0, scale, len(of)) * (rng.random(len(of)) < 1 / 3)
        return {name: value for name, value in zip(of, values.tolist(), strict=True) if value}

    return Snapshot(
        outcome=outcome.name,
        horizon_days=outcome.horizon_days,
        version=version,
        basis=LEARNED,
        known_to=moment(known_to) + timedelta(seconds=version),
        champion="bayes-0.998",
        schema=vectorizer.schema_hash,
        features=features,
        positions={},
        examples=100,
        positives=10,
        trained=(100,) * len(outcome.stage_ends),
        means={name: abs(value) for name, value in some(0.3, features).items()},
        stages=tuple(
            StageWeights(
                start=start,
                end=end,
                prior=bool(rng.random() < 0.8),
                bias=float(rng.normal(0, 0.3)),
                weights=some(0.3, names),
                calibrator=Calibrator(*rng.normal(0, 0.1, 2).tolist()),
            )
            for start, end in bounds(outcome)
        ),
        metrics={},
    )
