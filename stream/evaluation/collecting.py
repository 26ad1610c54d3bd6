"""What an evaluation keeps of a log's steps: every example whose horizon is over, and how bands moved.

Compact, so that millions of examples fit: a frozen vector takes two bytes for each feature that is not zero.
"""

from __future__ import annotations

from array import array
from base64 import b64decode
from collections import Counter
from datetime import datetime
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.bands import BANDS, UNSCORED
from schemas.decisions import Decisions
from schemas.learning import Learning
from schemas.types import TypeRegistry
from stream.evaluation.examples import Evaluated
from stream.evaluation.history import DAY, Floats, History, Ints
from stream.features.layout import Layout
from stream.features.vector import Vectorizer
from stream.model.frozen import thaw
from stream.model.prior import prior_terms
from stream.partition.outputs import BAND_CHANGES, EXAMPLES, SILENCE
from stream.partition.step import Step

_CHUNK: Final = 20_000
_YEAR: Final = 365.25 * DAY
_NUMBERS: Final = {str(band): number for number, band in enumerate(BANDS)} | {UNSCORED: -1}


class _Place(msgspec.Struct):
    offset: int
    cursor: int


class _Move(msgspec.Struct, rename={"came_from": "from", "came_to": "to"}):
    cause: str
    position: _Place
    came_from: str
    came_to: str


class _MoveRecord(msgspec.Struct):
    data: _Move


class _Label(msgspec.Struct):
    final: bool
    occurred: bool
    probability: float


class _Example(msgspec.Struct):
    customer_id: str = ""
    opened_at: datetime | None = None
    vector: str = ""
    labels: list[_Label] = []


class _ExampleRecord(msgspec.Struct):
    data: _Example


_move = msgspec.json.Decoder(_MoveRecord).decode
_example = msgspec.json.Decoder(_ExampleRecord).decode


class Collecting:
    """Shown every step of a run."""

    def __init__(self, decisions: Decisions) -> None:
        """`decisions` are about one outcome, of occurrence."""
        (outcome,) = decisions.outcomes
        self._outcome = outcome
        self._vectorizer = vectorizer = Vectorizer(Layout(TypeRegistry(decisions.types)))
        self._grace_days = (decisions.learning or Learning()).grace_days
        places = vectorizer.layout.registry.places
        self._kinds = frozenset(places[name].number for name in outcome.types)
        self._least = None if outcome.min_value is None else round(outcome.min_value * 100)
        self.scorings = 0
        self.rejected: Counter[str] = Counter()
        """Touchpoints that were not taken, by reason."""
        self._numbers: dict[str, int] = {}
        self._first = array("q")
        self._bands = array("b")
        self._directions = array("b")
        self._moves = Counter[str]()
        self._occurrences = array("q"), array("q"), array("q")
        self._open: dict[tuple[int, int], int] = {}
        self._customer = array("q")
        self._opened = array("q")
        self._converted = array("b")
        self._given = array("d")
        self._band = array("b")
        self._vectors = bytearray()
        self._ends = array("q", [0])

    def __call__(self, step: Step) -> None:
        """Take a step in."""
        self.scorings += len(step.scorings)
        self.rejected.update(str(dead.rejection.reason) for dead in step.dead)
        moves = {
            (place.offset, place.cursor): move
            for output in step.outputs
            if output.topic == BAND_CHANGES
            for move in (_move(output.value).data,)
            for place in (move.position,)
        }
        for scoring in step.scorings:
            event, opened = scoring.event, scoring.opened
            if event is not None:
                self._touched(
                    event.customer_id,
                    scoring.decided_ms // 1000,
                    event.happened,
                    event.kind,
                    event.cents,
                )
            move = moves.get((scoring.offset, scoring.cursor)) if moves else None
            if move is None and opened is None:
                continue
            number = self._numbers[scoring.state.customer_id]
            if move is not None:
                self._moved(number, move)
            if opened is not None:
                self._open[number, opened.opened] = self._bands[number]
        for output in step.outputs:
            if output.topic == EXAMPLES:
                self._labelled(_example(output.value).data)

    def _touched(self, customer_id: str, at: int, happened: int, kind: int, cents: int) -> None:
        number = self._numbers.get(customer_id)
        if number is None:
            number = self._numbers[customer_id] = len(self._numbers)
            self._first.append(happened)
            self._bands.append(-1)
            self._directions.append(0)
        if kind in self._kinds and (self._least is None or cents >= self._least):
            # Known from when it arrived: what happened before that could not be seen by any model.
            for column, value in zip(
                self._occurrences, (number, max(at, happened), cents), strict=True
            ):
                column.append(value)

    def _moved(self, number: int, move: _Move) -> None:
        before, after = _NUMBERS[move.came_from], _NUMBERS[move.came_to]
        self._bands[number] = after
        if before < 0:
            return
        direction = 1 if after > before else -1
        self._moves["changes"] += 1
        self._moves["silent"] += move.cause == SILENCE
        self._moves["reversals"] += direction == -self._directions[number]
        self._directions[number] = direction

    def _labelled(self, example: _Example) -> None:
        final = next((label for label in example.labels if label.final), None)
        if final is None or example.opened_at is None:
            return
        number, opened = self._numbers[example.customer_id], int(example.opened_at.timestamp())
        self._customer.append(number)
        self._opened.append(opened)
        self._converted.append(final.occurred)
        self._given.append(final.probability)
        self._band.append(self._open.pop((number, opened)))
        self._vectors += b64decode(example.vector)
        self._ends.append(len(self._vectors))

    def evaluated(self, log: str, began_at: float, ended_at: float) -> Evaluated:
        """All that was seen of the log of this name, its times in seconds since 1970.

        Examples are in the order of their opening, those of one second by customer, whatever the partitions.
        """
        rank = _ranks(list(self._numbers))
        customer, opened = rank[np.asarray(self._customer)], np.asarray(self._opened, np.int64)
        order = np.lexsort((customer, opened))
        features, x, prior = self._features(order)
        whose, times, cents = (np.asarray(column, np.int64) for column in self._occurrences)
        wait = (self._outcome.horizon_days + self._grace_days) * DAY
        return Evaluated(
            log=log,
            outcome=self._outcome.name,
            types=self._outcome.types,
            min_value=self._outcome.min_value,
            horizon_days=self._outcome.horizon_days,
            grace_days=self._grace_days,
            cuts=self._outcome.cuts,
            began_at=began_at,
            ended_at=ended_at,
            features=features,
            customer=customer[order],
            opened_at=opened[order].astype(float),
            known_at=opened[order].astype(float) + wait,
            converted=np.asarray(self._converted, bool)[order],
            x=x,
            prior=prior,
            bandshift=np.asarray(self._given)[order],
            band=np.asarray(self._band, np.int64)[order],
            history=History.of(len(rank), rank[whose], times.astype(float), cents / 100),
            changes=self._moves["changes"],
            reversals=self._moves["reversals"],
            changes_in_silence=self._moves["silent"],
            customer_years=float(np.sum(ended_at - np.asarray(self._first, float))) / _YEAR,
        )

    def _features(self, order: Ints) -> tuple[tuple[str, ...], NDArray[np.float16], Floats]:
        """Names of the features that are not always zero, their values (n x these), the prior's probabilities (n)."""
        terms = prior_terms(self._outcome, self._vectorizer)
        used = np.zeros(len(terms.weights), bool)
        prior = np.empty(len(order))
        for begin in range(0, len(order), _CHUNK):
            rows = self._thawed(order[begin : begin + _CHUNK])
            used |= rows.any(axis=0)
            prior[begin : begin + _CHUNK] = 1 / (1 + np.exp(-(terms.base + rows @ terms.weights)))
        # In half precision, as they are frozen: nothing is lost, and a million examples take 2 MB a feature.
        x = np.empty((len(order), int(used.sum())), np.float16)
        for begin in range(0, len(order), _CHUNK):
            x[begin : begin + _CHUNK] = self._thawed(order[begin : begin + _CHUNK])[:, used]
        names = [feature.name for feature in self._vectorizer.features]
        return tuple(name for name, is_used in zip(names, used, strict=True) if is_used), x, prior

    def _thawed(self, places: Ints) -> Floats:
        vectors = [
            bytes(self._vectors[self._ends[place] : self._ends[place + 1]])
            for place in places.tolist()
        ]
        return thaw(vectors, len(self._vectorizer.features))


def _ranks(names: list[str]) -> Ints:
    """The place of each name in their order."""
    ranks = np.empty(len(names), np.int64)
    ranks[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    return ranks
