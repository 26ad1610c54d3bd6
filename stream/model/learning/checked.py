"""Arguments of the learners: what is not a usable number is refused by name, before anything is learned."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LARGEST: Final = 1e9
"""Beyond it, squares of features leave nothing of the prior in 53 bits."""


def numbers(
    name: str, values: Floats, shape: tuple[int, ...], low: float = -LARGEST, high: float = LARGEST
) -> Floats:
    """`values` as floats, when they have that shape and lie within low..high; else ValueError."""
    values = np.asarray(values, dtype=np.float64)
    if values.shape != shape:
        raise ValueError(f"{name}: expected the shape {shape}, got {values.shape}")
    # Written so that a NaN, which compares as false, is refused as well.
    if values.size and not (values.min() >= low and values.max() <= high):
        raise ValueError(f"{name}: expected finite numbers from {low:g} to {high:g}")
    return values
