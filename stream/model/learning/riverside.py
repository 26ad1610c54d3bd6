"""What River's estimators take and give: labels, frames of any library, probabilities."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from river.utils import dataframe

from stream.model.learning.checked import Floats

CERTAIN: Final = 30.0
"""Log-odds beyond which a probability is not told: 1 - p would keep too few digits to come back."""


def outcomes(y: Iterable[Any]) -> Floats:
    """Labels as 0 or 1; ValueError for any that is neither True nor False."""
    labels = list(y)
    if not all(label in {False, True} for label in labels):
        raise ValueError("y: expected True or False (or 1 or 0)")
    return np.array(labels, dtype=np.float64)


def table(frame: Any) -> tuple[list[Any], Floats]:
    """The column names and the values (n, columns) of any frame that River takes; missing values are 0."""
    wrapped = dataframe.into_frame(frame)
    values = dataframe.to_numpy(wrapped)
    return list(wrapped.columns), np.where(np.isnan(values), 0.0, values)


def probability(log_odds: Floats) -> Floats:
    """The probability of True, short of 0 and 1."""
    return 1 / (1 + np.exp(-np.clip(log_odds, -CERTAIN, CERTAIN)))


def probabilities(true: Floats, frame: Any) -> Any:
    """The probabilities of False and True per row, as a frame like `frame`."""
    like = dataframe.into_frame(frame)
    return dataframe.to_native_frame({False: 1 - true, True: true}, like=like)


def likelier(true: Floats, frame: Any) -> Any:
    """The likelier of False and True per row, as a series beside `frame`."""
    return dataframe.to_native_series(true > 0.5, name=None, like=dataframe.into_frame(frame))
