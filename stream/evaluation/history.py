"""The outcome's occurrences of every customer, and what was known of them at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

DAY = 86_400.0


@dataclass(frozen=True)
class State:
    """What is known of customers, one entry each; first and last are NaN where count is 0."""

    count: Ints
    first: Floats  # seconds since 1970
    last: Floats
    total: Floats  # of the values

    def of(self, places: Ints | Bools) -> State:
        """Only the entries at `places`."""
        return State(self.count[places], self.first[places], self.last[places], self.total[places])


@dataclass(frozen=True)
class History:
    """Occurrences by customer, in time order: customer c's are those from starts[c] to starts[c + 1]."""

    starts: Ints  # customers + 1
    times: Floats  # seconds since 1970
    values: Floats  # 0 where an occurrence has none

    @classmethod
    def of(cls, customers: int, customer: Ints, times: Floats, values: Floats) -> History:
        """From occurrences in any order; `customer` runs from 0 to `customers` - 1."""
        order = np.lexsort((times, customer))
        counts = np.bincount(customer, minlength=customers)
        starts = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
        return cls(starts, times[order].astype(float), values[order].astype(float))

    @property
    def customers(self) -> int:
        """How many customers there are, those without any occurrence included."""
        return len(self.starts) - 1

    @property
    def owners(self) -> Ints:
        """The customer of each occurrence."""
        return np.repeat(np.arange(self.customers), np.diff(self.starts))

    def at(self, customer: Ints, when: Floats) -> State:
        """What was known of each customer at each time (occurrences at that very time included)."""
        count = self._count(customer, when)
        start = self.starts[customer]
        some = count > 0
        first = np.full(len(count), np.nan)
        last = np.full(len(count), np.nan)
        first[some] = self.times[start[some]]
        last[some] = self.times[(start + count - 1)[some]]
        sums = np.concatenate(([0.0], np.cumsum(self.values)))
        return State(count, first, last, sums[start + count] - sums[start])

    def all_at(self, when: float) -> State:
        """What was known of all customers at one time."""
        return self.at(np.arange(self.customers), np.full(self.customers, when))

    def by_day(self) -> History:
        """Only the first occurrence of each customer and UTC day, at its own time.

        Not moved to midnight: an occurrence in the afternoon would be known in the morning.
        """
        owners, days = self.owners, np.floor(self.times / DAY)
        new = np.ones(len(days), bool)
        new[1:] = (np.diff(owners) != 0) | (np.diff(days) != 0)
        return History.of(self.customers, owners[new], self.times[new], self.values[new])

    def _count(self, customer: Ints, when: Floats) -> Ints:
        """How many occurrences each customer had by each time."""
        events, asked = len(self.times), len(customer)
        who = np.concatenate((self.owners, customer))
        times = np.concatenate((self.times, when))
        question = np.concatenate((np.zeros(events, np.int8), np.ones(asked, np.int8)))
        order = np.lexsort((question, times, who))
        passed = np.cumsum(order < events)
        count = np.empty(asked, np.int64)
        places = order >= events
        count[order[places] - events] = passed[places]
        return count - self.starts[customer]
