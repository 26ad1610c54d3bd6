"""BG/NBD: customers buy at their own rate and drop out for good after a purchase with their own chance.

Fader, Hardie and Lee (2005), fitted by maximum likelihood on each customer's repeat purchases x, the time t_x of
the last one and the time T observed, both since the first purchase.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import betaln, gammaln, hyp2f1

from stream.evaluation.history import Floats

# The logarithms of the parameters. Where nobody drops out, the likelihood rises without end.
_BOUNDS = (-7.0, 9.0)


class BgNbd(NamedTuple):
    """The four parameters; alpha is a time, in the unit that the data has."""

    r: float
    alpha: float
    a: float
    b: float

    def log_likelihood(self, x: Floats, t_x: Floats, t: Floats) -> Floats:
        """Of each customer."""
        r, alpha, a, b = self
        known = gammaln(r + x) - gammaln(r) + r * np.log(alpha) - betaln(a, b)
        alive = betaln(a, b + x) - (r + x) * np.log(alpha + t)
        # Only who has bought again can have dropped out.
        again = np.maximum(x, 1)
        gone = betaln(a + 1, b + again - 1) - (r + x) * np.log(alpha + t_x)
        return np.asarray(known + np.where(x > 0, np.logaddexp(alive, gone), alive))

    def alive(self, x: Floats, t_x: Floats, t: Floats) -> Floats:
        """The probability that a customer has not dropped out."""
        r, alpha, a, b = self
        odds = a / (b + np.maximum(x, 1) - 1) * ((alpha + t) / (alpha + t_x)) ** (r + x)
        return np.asarray(np.where(x > 0, 1 / (1 + odds), 1.0))

    def occurs(self, x: Floats, t_x: Floats, t: Floats, h: float) -> Floats:
        """The probability of a purchase within `h` from now: not dropped out, and not silent for so long."""
        silent = ((self.alpha + t) / (self.alpha + t + h)) ** (self.r + x)
        return np.asarray(self.alive(x, t_x, t) * (1 - silent))

    def expected(self, x: Floats, t_x: Floats, t: Floats, h: float) -> Floats:
        """The expected number of purchases within `h` from now; for a > 1 or not, as published."""
        r, alpha, a, b = self
        series = hyp2f1(r + x, b + x, a + b + x - 1, h / (alpha + t + h))
        shrink = ((alpha + t) / (alpha + t + h)) ** (r + x)
        return np.asarray(self.alive(x, t_x, t) * (a + b + x - 1) / (a - 1) * (1 - shrink * series))


def fit(x: Floats, t_x: Floats, t: Floats, start: BgNbd | None = None) -> BgNbd | None:
    """The parameters of highest likelihood; None where none can be found (no repeat purchase, say)."""
    if not len(x) or not np.any(x > 0):
        return None
    # Customers of the same figures are one row with a weight: whole days make many of them.
    rows, weight = np.unique(np.stack((x, t_x, t)), axis=1, return_counts=True)

    def cost(logs: Floats) -> float:
        likelihood = BgNbd(*np.exp(logs)).log_likelihood(*rows)
        return float(-(weight @ likelihood) / weight.sum())

    begin = np.log(start) if start else np.log([1.0, max(float(t.mean()), 1e-3), 1.0, 1.0])
    found = minimize(
        cost,
        np.clip(begin, *_BOUNDS),
        method="L-BFGS-B",
        bounds=[_BOUNDS] * 4,
        options={"ftol": 1e-13},
    )
    return BgNbd(*map(float, np.exp(found.x))) if np.isfinite(found.fun) else None
