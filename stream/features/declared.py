"""The features, declared in one list. A new one is one entry: its columns are computed from the raw row.

An entry stands for a family of like features (one per type, window or stage, or a single one); it names
them, says what they mean and how they are scaled, and computes all of them for many customers at once.
Every feature is log1p of a number that grows with the customer's activity, over a constant scale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import log1p

import numpy as np
from numpy.typing import NDArray

from schemas.types import STAGES
from stream.features.grid import AGE_STEPS, DAY, HOUR, HOURS_COUNTED, MOST_AGE, WINDOWS
from stream.features.layout import Layout

Rows = NDArray[np.float64]
Numbers = NDArray[np.int64]
Compute = Callable[[Rows], Rows]
ACTIVITY = "activity"
PURCHASES = "purchases"
_STAGE_FAMILY = dict(zip(STAGES, (ACTIVITY, PURCHASES, ACTIVITY), strict=True))
_COUNT_SCALE = {"1h": log1p(1), "1d": log1p(2), "7d": log1p(4), "30d": log1p(8), "90d": log1p(16)}
_VALUE_SCALE = log1p(100)
_AGES = np.array(AGE_STEPS, np.float64)
_FRESHNESS = np.log1p(np.maximum(0.0, MOST_AGE - _AGES) / (1 + _AGES)) / log1p(MOST_AGE)


@dataclass(frozen=True)
class Feature:
    """One column of the feature matrix.

    `window` is empty where the feature looks back over everything that is kept; `scale` is what log1p of
    the number is divided by.
    """

    name: str
    family: str
    meaning: str
    unit: str
    window: str
    scale: float


@dataclass(frozen=True)
class Entry:
    """A family of features, and how some of them are computed.

    `plan` takes the layout and the numbers of those wanted within the family (m); what it gives turns raw
    rows (n, width) into them (n, m). All that does not depend on the rows is worked out in the plan: live,
    a batch is often a single row.
    """

    features: Callable[[Layout], Iterator[Feature]]
    plan: Callable[[Layout, Numbers], Compute]


def _type_counts(layout: Layout) -> Iterator[Feature]:
    for window in WINDOWS:
        for kind in layout.registry.kinds:
            name, meaning = f"{kind.name}_{window.name}", f"{kind.name} touchpoints"
            scale = _COUNT_SCALE[window.name]
            yield Feature(name, kind.family, meaning, "count", window.name, scale)
        for stage in STAGES:
            name, meaning = f"{stage}_stage_{window.name}", f"touchpoints of stage {stage}"
            scale = _COUNT_SCALE[window.name]
            yield Feature(name, _STAGE_FAMILY[stage], meaning, "count", window.name, scale)


def _counts(layout: Layout, wanted: Numbers) -> Compute:
    every = np.repeat([_COUNT_SCALE[window.name] for window in WINDOWS], layout.per_window)
    scales = every[wanted]

    def compute(rows: Rows) -> Rows:
        found: Rows = np.log1p(rows.take(wanted, axis=1))
        found /= scales
        return found

    return compute


def _stage_values(layout: Layout) -> Iterator[Feature]:
    for window in WINDOWS:
        for stage in STAGES:
            name, meaning = f"{stage}_value_{window.name}", f"sum of values in stage {stage}"
            yield Feature(name, _STAGE_FAMILY[stage], meaning, "money", window.name, _VALUE_SCALE)
    del layout


def _values(layout: Layout, wanted: Numbers) -> Compute:
    columns = layout.values + wanted

    def compute(rows: Rows) -> Rows:
        cents = rows.take(columns, axis=1)
        return np.copysign(np.log1p(np.abs(cents) / 100) / _VALUE_SCALE, cents)

    return compute


def _freshness_features(layout: Layout) -> Iterator[Feature]:
    unit = "2160 h / age"
    for kind in layout.registry.kinds:
        meaning = f"how recent the latest {kind.name} is"
        yield Feature(f"{kind.name}_freshness", kind.family, meaning, unit, "", log1p(MOST_AGE))
    yield Feature(
        "freshness", ACTIVITY, "how recent the latest touchpoint is", unit, "", log1p(MOST_AGE)
    )


def _freshness(layout: Layout, wanted: Numbers) -> Compute:
    columns = layout.last + wanted[wanted < layout.types]
    anything = bool((wanted == layout.types).any())  # the last one of the family

    def compute(rows: Rows) -> Rows:
        hours = rows.take(columns, axis=1)
        if anything:
            latest = rows[:, layout.last : layout.facts].max(axis=1, keepdims=True)
            hours = np.concatenate((hours, latest), axis=1)
        return _FRESHNESS.take(_ages(rows, hours))

    return compute


def _ages(rows: Rows, last_hours: Rows) -> Numbers:
    """Index into AGE_STEPS (see `grid.age_index`), for hours in which something was last seen."""
    last = last_hours.astype(np.int64)
    hour = rows[:, -1:].astype(np.int64) // HOUR
    days = hour // 24 - last // 24
    young, old = np.maximum(hour - last, 0), HOURS_COUNTED + np.minimum(days, 92)
    found: Numbers = np.where(days < 2, young, old)
    return found


def _rhythm_features(_: Layout) -> Iterator[Feature]:
    yield Feature("tenure", ACTIVITY, "time since the first touchpoint", "days", "", log1p(90))
    yield Feature("purchase_gap", PURCHASES, "mean time between purchases", "days", "", log1p(90))
    yield Feature(
        "purchase_gap_ratio",
        PURCHASES,
        "time since the last purchase over the mean gap",
        "ratio",
        "",
        log1p(4),
    )
    # Beyond the 90 days for which touchpoints are kept: who bought twice a year ago is not who never did.
    yield Feature("purchases_ever", PURCHASES, "purchases since the first", "count", "", log1p(16))
    yield Feature(
        "since_purchase", PURCHASES, "time since the last purchase", "days", "", log1p(90)
    )
    # Who is in a log's first days comes often, or would not be; who comes later is mostly new.
    yield Feature(
        "came_after", ACTIVITY, "age of the log at the first touchpoint", "days", "", log1p(90)
    )


def _rhythm(layout: Layout, wanted: Numbers) -> Compute:
    return lambda rows: _rhythms(rows[:, layout.facts :]).take(wanted, axis=1)


def _rhythms(rows: Rows) -> Rows:
    first, purchases, first_purchase, last_purchase, came, at = rows.T
    tenure = np.where(first > 0, np.maximum(0.0, at // DAY - first // DAY), 0.0)
    gaps = np.maximum(purchases - 1, 0)
    mean = np.divide(
        last_purchase - first_purchase, gaps * DAY, out=np.zeros_like(at), where=gaps > 0
    )
    present = _AGES.take(_ages(rows, last_purchase[:, None] // HOUR)[:, 0]) / 24
    ratio = np.divide(present, mean, out=np.zeros_like(at), where=mean > 0)
    since = np.where(purchases > 0, np.maximum(0.0, at // DAY - last_purchase // DAY), 0.0)
    found: Rows = np.log1p(np.stack((tenure, mean, ratio, purchases, since, came), axis=1))
    found /= [log1p(90), log1p(90), log1p(4), log1p(16), log1p(90), log1p(90)]
    return found


DECLARED: tuple[Entry, ...] = (
    Entry(_type_counts, _counts),
    Entry(_stage_values, _values),
    Entry(_freshness_features, _freshness),
    Entry(_rhythm_features, _rhythm),
)
