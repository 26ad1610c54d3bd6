"""LightGBM, refitted every day on the same features with the same delay of the labels."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np

from stream.errors import EvaluationError
from stream.evaluation.baselines.days import Block, blocks
from stream.evaluation.baselines.sample import sample
from stream.evaluation.examples import Evaluated
from stream.evaluation.history import Floats
from stream.evaluation.progress import Progress, no_progress

ROWS: Final = 30_000
"""It trains on at most so many of the known examples, drawn by a hash: daily refits must stay feasible."""
_ROUNDS: Final = 100
_WORKERS: Final = 8
_PARAMETERS: Final = {
    "objective": "binary",
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 50,
    "deterministic": True,
    "force_row_wise": True,
    "seed": 1,
    # Several days at once instead: beside other work, LightGBM's own threads wait for each other and took
    # 30 times as long. The models are the same.
    "num_threads": 1,
    "verbosity": -1,
}


def lightgbm(evaluated: Evaluated, first: int, progress: Progress = no_progress) -> Floats:
    """Fixed hyperparameters. NaN while only one class is known. Raises EvaluationError if not installed."""
    try:
        import lightgbm as library  # noqa: PLC0415 -- the worker never loads it
    except ImportError as error:
        raise EvaluationError(
            "LightGBM cannot be compared: the package lightgbm is not installed.",
            hint='Install what the evaluation needs: pip install "bandshift[evaluate]"',
        ) from error

    def predict(day: Block) -> Floats | None:
        rows = sample(day.known, ROWS)
        y = evaluated.converted[rows]
        if y.all() or not y.any():
            return None
        data = library.Dataset(evaluated.x[rows], y.astype(float))
        model = library.train(dict(_PARAMETERS), data, num_boost_round=_ROUNDS)
        return np.asarray(model.predict(evaluated.x[day.first : day.last], num_threads=1))

    p = np.full(len(evaluated.customer), np.nan)
    days = blocks(evaluated, first)
    with ThreadPoolExecutor(min(_WORKERS, os.cpu_count() or 1)) as pool:
        found = zip(days, pool.map(predict, days), strict=True)
        for done, (day, predicted) in enumerate(found, 1):
            if predicted is not None:
                p[day.first : day.last] = predicted
            progress(done, len(days), "LightGBM")
    return p
