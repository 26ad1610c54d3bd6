"""Who is due when: the customers of a partition whose features move next by time alone.

Only the near future is held, up to `horizon`; the rest lies in the store and is read when time gets there.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush, heapreplace


class DueQueue:
    """Customers by (due, id); times in whole seconds since 1970.

    Whoever is due before `horizon` is in it. An entry of the heap counts only while it is the customer's
    latest, so a change is one push.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, str]] = []
        self._due: dict[str, int] = {}
        self.horizon = 0

    def extend(self, found: Iterable[tuple[str, int]], horizon: int) -> None:
        """Take in all customers due from the present horizon up to a later one."""
        for customer_id, due in found:
            self._due[customer_id] = due
            self._heap.append((due, customer_id))
        heapify(self._heap)
        self.horizon = horizon

    def first(self) -> tuple[int, str] | None:
        """The first (due, id) before the horizon."""
        heap, latest = self._heap, self._due
        while heap:
            due, customer_id = heap[0]
            if latest.get(customer_id) == due:
                return heap[0]
            heappop(heap)
        return None

    def set(self, customer_id: str, due: int) -> None:
        """The customer is now due at another time."""
        heap = self._heap
        if heap and heap[0][1] == customer_id and due < self.horizon:  # the one just taken
            self._due[customer_id] = due
            heapreplace(heap, (due, customer_id))
        elif due < self.horizon:
            self._due[customer_id] = due
            heappush(heap, (due, customer_id))
        else:
            self._due.pop(customer_id, None)

    def until(self, time: int, most: int) -> list[str]:
        """Up to `most` customers due at `time` or before, the first ones first."""
        heap, latest = self._heap, self._due
        found, todo = [], [0]
        while todo:
            at = todo.pop()
            if at < len(heap) and heap[at][0] <= time:
                todo += (2 * at + 1, 2 * at + 2)
                if latest.get(heap[at][1]) == heap[at][0]:
                    found.append(heap[at])
        return [customer_id for _, customer_id in sorted(found)[:most]]
