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
from stream.model.linear import MILLION
from stream.model.models import Model, Models


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
    basis: str
    model_version: int
    reasons: tuple[dict[str, Any], ...]


def evaluate(
    state: CustomerState, models: Models, model: Model, outcomes: Sequence[Outcome], now: int
) -> tuple[Evaluation, ...]:
    """The customer's scores as of `now` (seconds since 1970); at the last decision if that is later."""
    vectorizer = model.vectorizer
    raw = vectorizer.raw(_snapshots(state, now + state.shift))
    scored = model.score(raw)
    reasons = models.reasons(model)
    parts = model.parts(raw, scored, [len(raw) - 1])[0].tolist()
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
                basis=model.bases[place],
                model_version=model.versions[place],
                reasons=tuple(
                    asdict(reason)
                    for reason in reasons.explain(
                        parts[place], last, words, place, path[-1] - int(model.base[place])
                    )
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
