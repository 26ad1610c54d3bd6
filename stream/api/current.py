"""A customer's scores as of now: the state in Redis, taken through the silence since, and scored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from schemas.home import home
from schemas.outcomes import Outcome
from stream.api import queries, rebuilding
from stream.api.answers import CustomerNow, Decided, OutcomeNow, Point, Why
from stream.api.describe import Describer, moment, moved, word
from stream.api.problems import ProblemError
from stream.api.queries import Placed, Queries, Scored
from stream.api.records import MoveRow
from stream.api.watch import Watch
from stream.errors import StoreError
from stream.features.codec import UnreadableStateError, decode
from stream.model.evaluate import Evaluation, evaluate
from stream.model.linear import MILLION
from stream.partition.ledger import decode_ledger
from stream.partition.rebuilding import Place, behind
from stream.pipeline import Pipelines
from stream.store.port import Store

_POINTS: Final = 100


class Current:
    """Answers for one deployment."""

    def __init__(
        self,
        store: Store,
        ask: Queries,
        describe: Describer,
        pipelines: Pipelines,
        wall: Callable[[], float],
        watch: Watch,
    ) -> None:
        """`wall` is this machine's clock, in seconds since 1970."""
        self._store, self._queries, self._describe = store, ask, describe
        self._pipelines, self._wall, self._watch = pipelines, wall, watch

    async def customer(self, customer_id: str) -> CustomerNow:
        """The customer's scores, by the decisions in force; a problem where nothing has scored it, or its
        partition is rebuilt.
        """
        partition = home(customer_id, self._pipelines.partitions)
        committed = self._watch.committed[partition]
        data = await self._store.read(partition, customer_id)
        (standing,) = await self._store.standings([partition])
        # Sooner than the watch's next look: nobody may see half a state meanwhile.
        if behind(Place(standing.position.offset if standing.position else None, committed)):
            rebuilt = self._watch.rebuilding.get(partition)
            raise rebuilding.problem(self._watch, "This customer's scores are", rebuilt)
        if data is None:
            raise ProblemError(
                404,
                "unscored",
                "No touchpoint of this customer has been scored yet. "
                "Unscored is a state of its own: it says nothing about any probability.",
                state="unscored",
            )
        ledger = decode_ledger(standing.ledger)
        pipeline, model = self._pipelines.in_force(ledger)
        outcomes = pipeline.outcomes
        try:
            (state,) = decode([(customer_id, data)], model.vectorizer.layout, len(outcomes))
        except UnreadableStateError as error:
            message, hint = f"Redis: the {error}", "use the workers' settings for the API too"
            raise StoreError(message, hint) from error
        decided_s = state.at - state.shift
        decided = [(chance / MILLION, decided_s) for chance in state.probabilities]
        now = max(ledger.clock / 1000, self._wall() if ledger.live else 0.0, decided_s)
        found = evaluate(state, pipeline.models, model, outcomes, int(now))
        places = {
            row.outcome: row
            for row in await self._queries.ask(partial(queries.placed, customer=customer_id))
        }
        arrivals = await self._queries.ask(
            partial(queries.arrivals, customer=customer_id, outcomes=len(outcomes))
        )
        trend = await self._queries.ask(
            partial(
                queries.scores, chances=self._describe.chances, customer=customer_id, limit=_POINTS
            )
        )
        return CustomerNow(
            customer_id=customer_id,
            as_of=moment(now * 1000),
            live=ledger.live,
            outcomes=tuple(
                self._outcome(
                    number, each, decided[number], places.get(number), arrivals[number], trend, now
                )
                for number, each in enumerate(found)
            ),
        )

    def _outcome(
        self,
        number: int,
        found: Evaluation,
        decided: tuple[float, int],
        placed: Placed | None,
        arrival: MoveRow | None,
        trend: Sequence[Scored],
        now: float,
    ) -> OutcomeNow:
        outcome: Outcome = found.outcome
        # The view can be a moment behind Redis: then it does not know of this band yet.
        known = placed is not None and word(placed.band) == found.band
        probability, at = decided
        return OutcomeNow(
            outcome=outcome.name,
            horizon_days=outcome.horizon_days,
            probability=found.probability,
            basis=found.basis,
            model_version=found.model_version,
            band=found.band,
            band_now=found.band_now,
            since=moment(placed.moved_ms) if placed and known else None,
            came_from=word(placed.came_from) if placed and known else None,
            moved=moved(arrival) if arrival and word(arrival.came_to) == found.band else None,
            advice=outcome.advise(found.band or found.band_now),
            decided=Decided(
                probability=probability, at=moment(at * 1000), age_seconds=max(0.0, now - at)
            ),
            log_odds=found.log_odds,
            base_log_odds=found.base_log_odds,
            reasons=tuple(Why(**reason) for reason in found.reasons),
            trend=(
                *self._describe.trend(trend, number),
                Point(at=moment(now * 1000), probability=found.probability),
            ),
        )
