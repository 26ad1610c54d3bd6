"""Examples that a step opens: their features are frozen, with what was predicted from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stream.features.vector import Vectorizer
from stream.model.frozen import freeze
from stream.model.linear import Scored
from stream.model.models import Model
from stream.partition.examples import predict
from stream.partition.step import Scoring


def fill(
    scorings: Sequence[Scoring],
    model: Model,
    scored: Scored,
    vectorizer: Vectorizer,
    raw: NDArray[np.float64],
) -> None:
    """Fill in the examples that were opened at these scorings, whose raw rows are `raw`.

    An example that matures later in the same step is filled in too, before its labels go out.
    """
    rows = [number for number, scoring in enumerate(scorings) if scoring.opened is not None]
    if not rows:
        return
    vectors = freeze(vectorizer.matrix(raw[rows]))
    stages = model.stages(scored, rows).tolist()
    chances = scored.probabilities[rows].tolist()
    for number, vector, logits, probabilities in zip(rows, vectors, stages, chances, strict=True):
        pending = scorings[number].opened
        if pending is None:
            continue
        pending.vector, pending.features = vector, vectorizer.schema
        begin = 0
        for place, count in enumerate(model.stage_counts):
            predicted = predict(
                model.versions[place], probabilities[place], logits[begin : begin + count]
            )
            pending.predicted[place] = predicted
            begin += count
