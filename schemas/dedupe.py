"""For consumers of what is delivered at least once: has this id been seen before?

Outputs carry deterministic ids, and one that is delivered again comes soon: a worker that takes a partition over
publishes the last step again, of 1,000 scorings at the most; where Redis was lost with the former worker, all since the
last commit of offsets, a second of work. So a bounded memory is enough. Keep one per partition:
a partition's outputs come from one worker at a time, and what was read goes with the partition.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

MOST: Final = 100_000


class Dedupe:
    """Remembers the latest ids of one partition, up to `most`; with 100,000 about 17 MB."""

    __slots__ = ("_most", "_seen")

    def __init__(self, most: int = MOST) -> None:
        """Raises ValueError where `most` is not positive."""
        if most < 1:
            raise ValueError(f"most: expected at least 1, got {most}")
        self._most = most
        self._seen: OrderedDict[str, None] = OrderedDict()

    def first_time(self, identity: str) -> bool:
        """Whether the id is none of those remembered; it is from now on, and counts as the latest."""
        seen = self._seen
        if identity in seen:
            seen.move_to_end(identity)
            return False
        if len(seen) >= self._most:
            seen.popitem(last=False)
        seen[identity] = None
        return True

    def __len__(self) -> int:
        """How many ids are remembered."""
        return len(self._seen)
