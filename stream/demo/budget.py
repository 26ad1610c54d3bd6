"""How the seconds of a run that ends by itself are divided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_CLOSING_SECONDS: Final = 4.0
"""For the last touchpoints to be taken in, the workers to stop, the summary, and the engines to end."""
_LIVE_SHARE: Final = 0.25
_LEAST_LIVE_SECONDS: Final = 5.0
_LEAST_DAYS: Final = 10.0
_DAY_PER_START: Final = 0.05
"""A machine that is up after s seconds takes 0.05 s or less for one of the shop's days: 11 s and 0.45 s were
measured on two cores that others used as well.
Both are slower by about the same where the machine is slower, or busy."""
_SAFETY: Final = 1.2


@dataclass(frozen=True)
class Budget:
    """Times in seconds since the run began; `seconds` is None where it goes on until told to end."""

    seconds: float | None

    def days(self, up: float) -> float | None:
        """How many of the shop's days to bring in as history, if all is at work after `up` seconds; None: all."""
        if self.seconds is None:
            return None
        live = max(_LEAST_LIVE_SECONDS, self.seconds * _LIVE_SHARE)
        left = self.seconds - up - live - _CLOSING_SECONDS
        return max(_LEAST_DAYS, left / _SAFETY / (up * _DAY_PER_START))

    def live_seconds(self, passed: float) -> float | None:
        """For how long to play live, after so many seconds; None: until told to end."""
        if self.seconds is None:
            return None
        return max(_LEAST_LIVE_SECONDS, self.seconds - passed - _CLOSING_SECONDS)
