"""The share of positives among all labels known so far."""

from __future__ import annotations

import numpy as np

from stream.evaluation.examples import Evaluated
from stream.evaluation.history import Bools, Floats
from stream.evaluation.progress import Progress, no_progress


def base_rate(evaluated: Evaluated, first: int, _progress: Progress = no_progress) -> Floats:
    """The same probability for all examples of a day."""
    return running_rate(evaluated, first, np.ones(len(evaluated.converted), bool))


def running_rate(evaluated: Evaluated, first: int, group: Bools) -> Floats:
    """The known rate of `group` when the day of each example began, half a positive in one example added."""
    known = evaluated.known_by_day
    positives = np.concatenate(([0], np.cumsum(evaluated.converted & group)))
    examples = np.concatenate(([0], np.cumsum(group)))
    p = (positives[known] + 0.5) / (examples[known] + 1)
    p[:first] = np.nan
    return np.asarray(p)
