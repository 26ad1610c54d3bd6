"""The models that an owner's next step takes: are they here, and if not, a wait by itself."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import Final

from stream.agents.waiting import Arrivals
from stream.partition.control import Control, Kind
from stream.partition.ledger import Ledger
from stream.partition.step import Entry
from stream.pipeline import Pipeline

_WAIT_SECONDS: Final = 0.5
"""How long a turn waits for a model."""

logger = logging.getLogger("bandshift.worker")


class Needs:
    """Of one partition."""

    def __init__(self, partition: int, arrivals: Arrivals | None) -> None:
        """`arrivals`: news of models; None where nothing is learned, or all of it is known."""
        self._partition = partition
        self._arrivals = arrivals
        self.settled = 0
        """The time up to which models must be known before the next step; 0: none need be."""
        self.waits = False
        """Whether a model is missing."""

    def forget(self) -> None:
        """Need nothing, until told so anew."""
        self.settled, self.waits = 0, False

    async def here(self, pipeline: Pipeline, ledger: Ledger) -> bool:
        """Whether all models are here that the next step needs, now or after a little wait."""
        library = pipeline.library

        def enough() -> bool:
            wanted = pipeline.wanted(ledger)
            if not all(library.has(name, version) for name, version in wanted):
                return False
            return not self.settled or library.progress(pipeline.learning_names) >= self.settled

        self.waits = not enough() and (
            self._arrivals is None or not await self._arrivals.until(enough, _WAIT_SECONDS)
        )
        if self.waits:
            return False
        if self.settled:
            for name in pipeline.learning_names:
                self._say_if_unreadable(pipeline, name, library.newest(name, self.settled))
            pipeline.settle(ledger, self.settled)
            self.settled = 0
        return True

    async def as_far(self, pipeline: Pipeline, entries: Sequence[Entry]) -> Sequence[Entry]:
        """The entries up to what they adopt, if that is here; none where it is still to come.

        A step ends at what it adopts: others may read what follows.
        """
        library = pipeline.library
        for number, entry in enumerate(entries):
            if not isinstance(entry.parsed, Control) or entry.parsed.kind is not Kind.ADOPT:
                continue
            adopted = pipeline.adopted_by(entry.parsed)
            if adopted is None or library.has(*adopted):
                if adopted is not None:
                    self._say_if_unreadable(pipeline, *adopted)
                return entries[: number + 1]
            if number:
                return entries[:number]
            if self._arrivals is not None:
                await self._arrivals.until(partial(library.has, *adopted), _WAIT_SECONDS)
            self.waits = not library.has(*adopted)
            return () if self.waits else entries[:1]
        return entries

    def _say_if_unreadable(self, pipeline: Pipeline, outcome: str, version: int) -> None:
        if version and not pipeline.models.readable(outcome, version):
            logger.warning(
                "partition %d: version %d of the model of %s cannot be read with the decisions in force: "
                "the one before stays",
                self._partition,
                version,
                outcome,
            )
