"""The arithmetic that all peers share, with no streaming around it: a loop, and a dict for a store.

Run with: python -m benchmarks.peers.alone EVENTS CUSTOMERS SEED
It prints the microseconds that one touchpoint takes. What a peer needs more than this is its framework's.
"""

from __future__ import annotations

import sys
import time

from benchmarks.log import Recipe, touches
from benchmarks.peers.common import Delivered, Scorer
from stream.settings import load


def main() -> None:
    """Work through the log and say what a touchpoint took."""
    events, customers, seed = map(int, sys.argv[1:])
    log = touches(Recipe(events=events, customers=customers, seed=seed))
    scorer = Scorer(load())
    states: dict[str, bytes] = {}
    begin = time.process_time()
    for offset, (at, customer, value) in enumerate(log):
        record = Delivered(offset, at, customer.encode(), value)
        event = scorer.read(record, 0)
        if event is not None:
            states[customer] = scorer.take(states.get(customer), event, record, 0).state
    print((time.process_time() - begin) / len(log) * 1e6)


if __name__ == "__main__":
    main()
