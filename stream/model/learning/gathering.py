"""Labels and watermarks of all partitions, put together into periods, in an order that no arrival changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from stream.model.learning.orders import Order
from stream.model.learning.records import Labelled, Watermark

_NONE: Final[Mapping[str, Sequence[Order]]] = MappingProxyType({})


class Period(NamedTuple):
    """All labels known after the period before and up to `known_to` (seconds since 1970), by outcome."""

    known_to: int
    labels: dict[str, list[Labelled]]
    orders: Mapping[str, Sequence[Order]] = _NONE
    """To be obeyed before it is learned, by outcome, in their order."""


class Gathering:
    """A period is complete once every partition has said so.

    Periods end at the times that any partition's watermark names: partitions that skip some, for nothing
    happened there, hold nobody up. What is known up to a time that was trained already has come before,
    or is repeated by a former owner: it is dropped.
    """

    def __init__(self, partitions: int, known_to: int = 0) -> None:
        self._marks = [0] * partitions
        self.adopts = [False] * partitions
        """By partition: whether models take effect by *adopt* records, as of its latest watermark."""
        self.known_to = known_to
        self._ends: set[int] = set()
        self._orders: list[tuple[int, str, Order]] = []
        self._waiting: dict[int, dict[str, dict[tuple[str, int], Labelled]]] = defaultdict(dict)

    def label(self, outcome: str, labelled: Labelled) -> None:
        """Take a label in; one that came before changes nothing."""
        if labelled.labelled_at >= self.known_to:
            same_time = self._waiting[labelled.labelled_at]
            same_time.setdefault(outcome, {})[labelled.identity, labelled.stage] = labelled

    def mark(self, watermark: Watermark) -> None:
        """Take a watermark in."""
        partition = watermark.partition
        if watermark.known_to >= self._marks[partition]:  # else a former owner repeats it
            self._marks[partition] = watermark.known_to
            self.adopts[partition] = watermark.adopts
        if watermark.known_to > self.known_to:
            self._ends.add(watermark.known_to)

    def order(self, partition: int, outcome: str, order: Order) -> None:
        """Take an order in: for the first period that ends after what its partition has told so far.

        That period cannot be complete yet, for this partition has not said so: whatever arrives when, the
        order finds the same one. All orders to an outcome come in one partition, in their order.
        """
        self._orders.append((self._marks[partition], outcome, order))

    def complete(self) -> Iterator[Period]:
        """The periods that are complete, in order."""
        least = min(self._marks)
        for end in sorted(each for each in self._ends if each <= least):
            labels: dict[str, list[Labelled]] = defaultdict(list)
            for at in sorted(each for each in self._waiting if each < end):
                for outcome, found in self._waiting.pop(at).items():
                    labels[outcome] += found.values()
            self._ends.discard(end)
            self.known_to = end
            yield Period(end, labels, self._due(end))

    def _due(self, end: int) -> dict[str, list[Order]]:
        orders: dict[str, list[Order]] = defaultdict(list)
        for after, outcome, order in self._orders:
            if after < end:
                orders[outcome].append(order)
        self._orders = [each for each in self._orders if each[0] >= end]
        return orders
