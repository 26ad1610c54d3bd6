"""Raw rows of many customers -> the feature matrix, columns ordered by family."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stream.features.declared import DECLARED, Feature
from stream.features.layout import Layout


class Vectorizer:
    """Computes the declared features.

    `features` are the columns, in order; features of one family stand side by side, and `families` names
    each family with its slice of columns. `schema_hash` tells one list of features from another.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        declared = [feature for entry in DECLARED for feature in entry.features(layout)]
        names = list(dict.fromkeys(feature.family for feature in declared))
        order = sorted(
            range(len(declared)), key=lambda column: names.index(declared[column].family)
        )
        self._order = np.array(order)
        self.features: tuple[Feature, ...] = tuple(declared[column] for column in order)
        self.families: dict[str, slice] = {}
        begin = 0
        for name in names:
            size = sum(feature.family == name for feature in declared)
            self.families[name] = slice(begin, begin + size)
            begin += size
        text = repr([(feature.name, feature.scale) for feature in declared])
        self.schema_hash = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
        self.column: dict[str, int] = {feature.name: i for i, feature in enumerate(self.features)}

    def raw(self, snapshots: Sequence[bytes]) -> NDArray[np.float64]:
        """Snapshots of states, as one matrix of raw rows (n, layout.width)."""
        return np.frombuffer(b"".join(snapshots)).reshape(len(snapshots), self.layout.width)

    def matrix(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """Features (n, len(features)) of raw rows (n, layout.width); a row depends on itself alone."""
        computed = [entry.compute(raw, self.layout) for entry in DECLARED]
        return np.concatenate(computed, axis=1).take(self._order, axis=1)
