"""Time in periods: what must be said, and what must be known, before a step may go on past a moment."""

from __future__ import annotations

from schemas.learning import Learning
from stream.features.grid import HOUR, NEVER
from stream.partition.control import IN_STEP, REPLAY
from stream.partition.ledger import Ledger, Position
from stream.partition.step import Mark, Step


def keeps_step(ledger: Ledger) -> bool:
    """Whether a partition waits for models: while past touchpoints are brought in."""
    return not ledger.live and IN_STEP in ledger.versions


def adopts(ledger: Ledger) -> bool:
    """Whether models take effect by *adopt* records that the learner appends."""
    return not keeps_step(ledger) and REPLAY not in ledger.versions


class Timer:
    """Watermarks at the end of each period; where a log keeps step, also the wait for the period's models.

    `next` (seconds since 1970): nothing happens before it, so a caller need not ask.
    """

    def __init__(self, step: Step, learning: Learning | None) -> None:
        self._step = step
        self.next = NEVER
        self._period = self._lag = 0
        if learning is not None:
            self._keeps_step = keeps_step(step.ledger)
            hours = learning.history_hours if self._keeps_step else learning.live_hours
            self._period, self._lag = hours * HOUR, learning.lag_hours * HOUR
            self._set()

    def _set(self) -> None:
        ledger = self._step.ledger
        self.next = ledger.known_to + self._period
        if self._keeps_step:
            self.next = min(self.next, ledger.learned_to + self._period + self._lag)

    def passes(self, now: int) -> bool:
        """Say what the passing of time up to `now` asks for; True if the step must end first.

        A watermark is a due thing like a scoring: it moves the position, so that it is said once.
        """
        if now < self.next:
            return False
        step, ledger = self._step, self._step.ledger
        known_to = now - now % self._period
        if known_to > ledger.known_to:
            step.watermarks.append(Mark(len(step.scorings), known_to, step.position))
            ledger.known_to = known_to
            step.position = Position(step.position.offset, step.position.cursor + 1)
            if self._keeps_step:
                # The step ends, so that it goes out at once: the learner works while the lag passes.
                return True
        if self._keeps_step:
            settled = (now - self._lag) // self._period * self._period
            if not ledger.learned_to:  # no label is older than the first touchpoint
                ledger.learned_to = settled
            if settled > ledger.learned_to:
                step.waits = settled
                return True
        self._set()
        return False
