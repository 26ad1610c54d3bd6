"""From the view's numbers to the API's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from schemas.bands import BANDS, UNSCORED, Band
from schemas.outcomes import Outcome
from stream.api.answers import BandChangeOf, BandInfo, Member, Moved, OutcomeInfo, Point
from stream.api.queries import Placed, Scored
from stream.api.records import NONE, Chances, MoveRow
from stream.model.linear import MILLION


def moment(milliseconds: float) -> datetime:
    """The time so many ms after 1970 began."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def word(band: int) -> Band | Any:
    """A band by its number; "unscored" for none."""
    return UNSCORED if band == NONE else BANDS[band]


def moved(row: MoveRow) -> Moved | None:
    """What led to a band change since the one before."""
    parts = row.stood_at, row.by_events, row.by_silence, row.by_model
    known = [part / MILLION for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    log_odds, events, silence, model = known
    return Moved(log_odds=log_odds, events=events, silence=silence, model=model)


class Describer:
    """Words for the outcomes of one deployment."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes = tuple(outcomes)
        self.chances = Chances([outcome.name for outcome in outcomes])
        self.places = {outcome.name: place for place, outcome in enumerate(outcomes)}

    def score(self, customer: str, row: Scored) -> dict[str, Any]:
        """A score, as the live feed tells it."""
        return {
            "customer_id": customer,
            "decided_at": moment(row.decided_ms),
            "scores": [
                {"outcome": outcome.name, "probability": chance / MILLION, "band": word(band)}
                for outcome, (chance, band) in zip(self.outcomes, row.chances, strict=True)
                if chance != NONE
            ],
        }

    def trend(self, rows: Sequence[Scored], place: int) -> list[Point]:
        """One outcome's part of a trend."""
        return [
            Point(at=moment(row.decided_ms), probability=row.chances[place][0] / MILLION)
            for row in rows
            if row.chances[place][0] != NONE
        ]

    def change(self, row: MoveRow) -> BandChangeOf:
        """One band change of a history."""
        return BandChangeOf(
            id=row.id,
            outcome=self.outcomes[row.outcome].name,
            came_from=word(row.came_from),
            came_to=word(row.came_to),
            probability=row.probability / MILLION,
            previous_probability=None if row.previous is None else row.previous / MILLION,
            cause="silence" if row.event_id is None else "event",
            touchpoint_id=row.event_id,
            touchpoint_type=row.event_type,
            decided_at=moment(row.decided_ms),
            basis=row.basis,
            model_version=row.model_version,
            since_last_change=moved(row),
        )

    def member(self, row: Placed) -> Member:
        """One customer of a band."""
        return Member(
            customer_id=row.customer,
            probability=row.probability / MILLION,
            decided_at=moment(row.decided_ms),
            since=moment(row.moved_ms),
            came_from=word(row.came_from),
        )

    def outcome(
        self, outcome: Outcome, place: int, counts: Mapping[tuple[int, int], int]
    ) -> OutcomeInfo:
        """One outcome, as it is in force, with its bands and how many customers are in each."""
        ends = (0.0, *outcome.cuts, 1.0)
        return OutcomeInfo(
            outcome=outcome.name,
            horizon_days=outcome.horizon_days,
            kind=outcome.kind,
            types=outcome.types,
            hysteresis=outcome.hysteresis,
            bands=tuple(
                BandInfo(
                    band=band,
                    low=ends[number],
                    high=ends[number + 1],
                    advice=outcome.advise(band),
                    customers=counts.get((place, number), 0),
                )
                for number, band in enumerate(BANDS)
            ),
        )
