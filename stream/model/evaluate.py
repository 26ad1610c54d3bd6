"""A customer's scores as of a moment: the state's due times up to then are taken in, as the pipeline will.

For readers. The state is changed; nobody may write it back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from msgspec.structs import asdict

from schemas.bands import BANDS, Band
from schemas.outcomes import Outcome
from stream.features.state import UNSCORED, CustomerState
from stream.model.banding import Banding
from stream.model.linear import MILLION, LinearModel
from stream.model.reasons import Reasons


@dataclass(frozen=True)
class Evaluation:
    """One outcome of one customer.

    `band` is the one last decided (and published), None where nothing has been; `band_now` is the one that
    `probability` leads to, with hysteresis: it differs only while the worker is behind.
    `base_log_odds` and the contributions of all reasons add up to `log_odds` exactly.
    """

    outcome: Outcome
    band: Band | None
    band_now: Band
    probability: float
    log_odds: float
    base_log_odds: float
    reasons: tuple[dict[str, Any], ...]


def evaluate(
    state: CustomerState, model: LinearModel, outcomes: Sequence[Outcome], now: int
) -> tuple[Evaluation, ...]:
    """The customer's scores as of `now` (seconds since 1970); at the last decision if that is later."""
    vectorizer = model.vectorizer
    raw = vectorizer.raw(_snapshots(state, now + state.shift))
    scored = model.score(raw)
    reasons = Reasons(vectorizer.layout, model.families)
    last: list[float] = raw[-1].tolist()
    words: dict[int, str] = {}
    found = []
    for place, outcome in enumerate(outcomes):
        path = scored.log_odds[:, place].tolist()
        banding, decided = Banding(outcome), state.bands[place]
        band = decided
        for log_odds in path:
            band = banding.place(log_odds, band)
        found.append(
            Evaluation(
                outcome=outcome,
                band=None if decided == UNSCORED else BANDS[decided],
                band_now=BANDS[band],
                probability=int(scored.probabilities[-1, place]) / MILLION,
                log_odds=path[-1] / MILLION,
                base_log_odds=int(model.base[place]) / MILLION,
                reasons=tuple(
                    asdict(reason)
                    for reason in reasons.explain(scored.parts[-1, place].tolist(), last, words)
                ),
            )
        )
    return tuple(found)


def _snapshots(state: CustomerState, now: int) -> list[bytes]:
    """The raw row at every due time up to local `now`, and at `now`."""
    found = []
    while (due := state.due()) <= now:
        state.advance(due)
        found.append(state.snapshot())
    state.advance(max(now, state.at))
    found.append(state.snapshot())
    return found
