"""Whether each band holds what its bounds say."""

from __future__ import annotations

from typing import Any

from schemas.bands import BANDS
from stream.evaluation.intervals import rate
from stream.evaluation.models import OURS, Scores


def bands(cuts: tuple[float, ...], scores: Scores) -> list[dict[str, Any]]:
    """By band: bounds, mean prediction, observed rate with its 95 % interval over customers.

    `inside`: the interval meets the bounds; None for a band without examples.
    """
    edges = (0.0, *cuts, 1.0)
    found = []
    for number, (name, low, high) in enumerate(zip(BANDS, edges, edges[1:], strict=False)):
        here = scores.band == number
        count = int(here.sum())
        seen = rate(scores.y[here], scores.customer[here])
        found.append(
            {
                "name": str(name),
                "low": low,
                "high": high,
                "predicted": float(scores.models[OURS][here].mean()) if count else None,
                "observed": seen.mean,
                "count": count,
                "interval": [seen.low, seen.high],
                "inside": bool(seen.low <= high and seen.high >= low) if count else None,
            }
        )
    return found
