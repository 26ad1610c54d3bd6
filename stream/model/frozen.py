"""Feature vectors as they are frozen in examples: small, and the same for training, wherever they are read.

A vector is its non-zero features: how many (u16), their columns (u8 each, or u16 where there are more than
256 features), their values in half precision (2 bytes each: exact to 1 in 2,000, half the size of single).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_FEW = 256


def freeze(matrix: NDArray[np.float64]) -> list[bytes]:
    """Each row of a feature matrix (n, features) as bytes."""
    rows, columns = matrix.shape
    halves = matrix.astype(np.float16)
    at, column = np.nonzero(halves)
    numbers = column.astype(_width(columns))
    values = halves[at, column]
    ends = np.cumsum(np.bincount(at, minlength=rows)).tolist()
    found, begin = [], 0
    for end in ends:
        size = (end - begin).to_bytes(2, "little")
        found.append(size + numbers[begin:end].tobytes() + values[begin:end].tobytes())
        begin = end
    return found


def thaw(vectors: Sequence[bytes], features: int) -> NDArray[np.float64]:
    """The matrix (n, features) of frozen vectors. Raises ValueError for bytes that are none."""
    width = _width(features)
    sizes = [int.from_bytes(vector[:2], "little") for vector in vectors]
    for size, vector in zip(sizes, vectors, strict=True):
        if len(vector) != 2 + size * (width.itemsize + 2):
            raise ValueError(f"vector: expected {size} features, got {len(vector)} bytes")
    columns = b"".join(v[2 : 2 + s * width.itemsize] for s, v in zip(sizes, vectors, strict=True))
    values = b"".join(v[2 + s * width.itemsize :] for s, v in zip(sizes, vectors, strict=True))
    numbers = np.frombuffer(columns, width)
    if numbers.size and numbers.max() >= features:
        raise ValueError(f"vector: expected columns below {features}, got {numbers.max()}")
    matrix = np.zeros((len(vectors), features))
    matrix[np.repeat(np.arange(len(vectors)), sizes), numbers] = np.frombuffer(values, np.float16)
    return matrix


def _width(features: int) -> np.dtype[np.unsignedinteger]:
    return np.dtype(np.uint8 if features <= _FEW else "<u2")
