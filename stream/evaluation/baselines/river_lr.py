"""River's StandardScaler | LogisticRegression, learning online from each label when it is known.

One step for each label. River's mini-batches take one step for a whole batch instead: with a day's labels in
each, the model would have learnt next to nothing.
"""

from __future__ import annotations

import numpy as np
from river import linear_model, preprocessing

from stream.evaluation.baselines.days import blocks
from stream.evaluation.examples import Evaluated
from stream.evaluation.history import Floats
from stream.evaluation.progress import Progress, no_progress


def river_lr(evaluated: Evaluated, first: int, progress: Progress = no_progress) -> Floats:
    """All of River's defaults; NaN before the first label."""
    model = preprocessing.StandardScaler() | linear_model.LogisticRegression()
    names = evaluated.features
    p = np.full(len(evaluated.customer), np.nan)
    days, learnt = blocks(evaluated, first), 0
    for done, day in enumerate(days, 1):
        rows = evaluated.x[learnt : day.known].tolist()
        labels = evaluated.converted[learnt : day.known].tolist()
        for row, label in zip(rows, labels, strict=True):
            model.learn_one(dict(zip(names, row, strict=True)), label)
        learnt = max(learnt, day.known)
        if learnt:
            p[day.first : day.last] = [
                model.predict_proba_one(dict(zip(names, row, strict=True)))[True]
                for row in evaluated.x[day.first : day.last].tolist()
            ]
        progress(done, len(days), "River's logistic regression")
    return p
