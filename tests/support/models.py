"""Records of `model-snapshots` and `model-events`, as a learner would write them."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from schemas.bands import BANDS
from stream.model.snapshot import Snapshot, encode_snapshot

_BEGIN = datetime(2017, 1, 5, tzinfo=UTC)
_CUTS = (0.0, 0.05, 0.15, 0.35, 0.65, 1.0)
_BANDS = ((0.021, 5000), (0.09, 3000), (0.25, 2000), (0.3, 900), (0.8, 120))
"""Observed rate and examples per band: the fourth lies below its bounds, the fifth has few examples."""
_BINS = (0.01, 0.02, 0.04, 0.06, 0.09, 0.13, 0.18, 0.26, 0.4, 0.7)


def moment(days: float) -> str:
    """A moment of log time."""
    return (_BEGIN + timedelta(days=days)).isoformat().replace("+00:00", "Z")


def metrics(points: int = 60) -> dict[str, Any]:
    """How well a model does: the champion leaves the prior behind, the base rate is worst."""
    series = []
    for number in range(points):
        left, wave = math.exp(-number / 15), 0.004 * math.sin(number * 2.3)
        series.append({
            "at": moment(6 * number), "count": 300, "positives": 34,
            "champion": 0.3 + 0.05 * left + wave, "prior": 0.35 + wave, "base_rate": 0.39 - wave,
            "bayes-1": 0.307 + 0.05 * left - wave, "bayes-0.995": 0.303 + 0.05 * left,
            "river-lr": 0.33 + 0.1 * left + wave,
        })  # fmt: skip
    bands = []
    for number, (rate, count) in enumerate(_BANDS):
        wide = 1.96 * math.sqrt(rate * (1 - rate) / count)
        low, high = _CUTS[number : number + 2]
        bands.append({
            "band": BANDS[number], "low": low, "high": high, "predicted": rate + 0.01,
            "observed": rate, "count": count, "interval": [rate - wide, rate + wide],
        })  # fmt: skip
    return {
        "log_loss": {"champion": 0.3051, "prior": 0.3502, "base_rate": 0.3911},
        "ece": 0.0102,
        "brier": 0.0912,
        "stage_log_loss": {"bayes-0.998": 0.41, "bayes-1": 0.42, "river-lr": 0.45, "prior": 0.5},
        "reliability": [
            {"predicted": share, "observed": share * 0.97, "count": 1200} for share in _BINS
        ],
        "bands": bands,
        "series": series,
        "drift": [
            {
                "at": moment(150),
                "what": "feature",
                "feature": "purchase_30d",
                "text": "purchase_30d moved from 0.42 to 0.61",
            }
        ],
    }


def snapshot(outcome: str = "purchase", version: int = 7, **other: Any) -> dict[str, Any]:
    """A snapshot with other values in some fields, and the checksum of all."""
    stage = {
        "start": 0,
        "end": 28,
        "prior": True,
        "bias": 0.01,
        "weights": {"purchase_30d": 0.3, "purchase_30d*freshness": -0.1},
        "calibrator": {"bias": 0.0, "slope": 0.0},
    }
    found = {
        "format": 1,
        "outcome": outcome,
        "horizon_days": 28,
        "version": version,
        "basis": "learned",
        "known_to": moment(360),
        "champion": "bayes-0.998",
        "schema": "0123abcd",
        "features": ["purchase_30d", "freshness"],
        "positions": {"0": 1234},
        "examples": 12_345,
        "positives": 2_345,
        "trained": [14_000],
        "means": {"purchase_30d": 0.2},
        "stages": [stage],
        "metrics": metrics(),
    } | other
    whole: dict[str, Any] = json.loads(encode_snapshot(msgspec.convert(found, Snapshot)))
    return whole


def event(number: int = 1, outcome: str = "purchase", kind: str = "drift") -> dict[str, Any]:
    """A CloudEvent about a model."""
    return {
        "specversion": "1.0",
        "id": f"model-event-{number}",
        "source": "/bandshift",
        "type": "bandshift.model-event.v1",
        "subject": outcome,
        "time": moment(number),
        "datacontenttype": "application/json",
        "partitionkey": outcome,
        "data": {
            "outcome": outcome,
            "kind": kind,
            "version": 7,
            "at": moment(number),
            "text": f"news number {number}",
            "details": {"feature": "purchase_30d", "from": None, "to": None},
        },
    }


def written(record: dict[str, Any]) -> bytes:
    """As it stands in a topic."""
    return json.dumps(record).encode()
