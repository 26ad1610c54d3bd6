"""A learner's state from one list of features to another, when touchpoint types have been added."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def moved(state: dict[str, Any], columns: Sequence[str], features: Sequence[str]) -> dict[str, Any]:
    """The state over other basis columns and features; what is new begins as nothing known.

    Raises KeyError where a column or feature that was learned is there no more.
    """
    column = {name: number for number, name in enumerate(columns)}
    feature = {name: number for number, name in enumerate(features)}
    old_columns = [column.get(name, -1) for name in state["columns"]]
    old_features = [feature[name] for name in state["features"]]

    def spread(values: Sequence[float]) -> list[float]:
        found = np.zeros(len(features))
        found[old_features] = values
        return [float(value) for value in found]

    drift = state["drift"] | {
        name: spread(state["drift"][name]) for name in ("fast", "slow", "square")
    }
    contenders = {
        name: each
        | {
            "stages": [
                _bayes(stage, old_columns)
                if "precision" in stage
                else stage | {"active": [old_features[number] for number in stage["active"]]}
                for stage in each["stages"]
            ]
        }
        for name, each in state["contenders"].items()
    }
    return state | {"contenders": contenders, "drift": drift, "means": spread(state["means"])}


def _bayes(state: dict[str, Any], columns: Sequence[int]) -> dict[str, Any]:
    active = [columns[number] for number in state["active"]]
    if -1 in active:
        raise KeyError(f"column {state['active'][active.index(-1)]}")
    size = len(active)
    lower = np.tril_indices(size)
    precision = np.zeros((size, size))
    precision[lower] = state["precision"]
    precision = precision + np.tril(precision, -1).T
    order = np.argsort(active)
    return {
        "active": [active[number] for number in order],
        "precision": precision[np.ix_(order, order)][lower].tolist(),
        "mean": [state["mean"][number] for number in order],
    }
