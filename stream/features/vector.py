"""Raw rows of many customers -> the feature matrix, columns ordered by family."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stream.features.declared import DECLARED, Compute, Feature
from stream.features.layout import Layout


class Vectorizer:
    """Computes the declared features.

    `features` are the columns, in order; features of one family stand side by side, and `families` names
    each family with its slice of columns. `schema_hash` tells one list of features from another.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        by_entry = [tuple(entry.features(layout)) for entry in DECLARED]
        self.sizes: tuple[int, ...] = tuple(len(features) for features in by_entry)
        """How many features each entry of the declaration has."""
        declared = [feature for features in by_entry for feature in features]
        names = list(dict.fromkeys(feature.family for feature in declared))
        order = sorted(
            range(len(declared)), key=lambda column: names.index(declared[column].family)
        )
        self.order: NDArray[np.int64] = np.array(order)
        """Per column, its number in the order of declaration."""
        self.features: tuple[Feature, ...] = tuple(declared[column] for column in order)
        self.families: dict[str, slice] = {}
        begin = 0
        for name in names:
            size = sum(feature.family == name for feature in declared)
            self.families[name] = slice(begin, begin + size)
            begin += size
        text = repr([(feature.name, feature.scale) for feature in declared])
        self.schema_hash = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
        self.schema = bytes.fromhex(self.schema_hash)[:4]
        """The hash's beginning, as examples carry it."""
        self.column: dict[str, int] = {feature.name: i for i, feature in enumerate(self.features)}

    def raw(self, snapshots: Sequence[bytes]) -> NDArray[np.float64]:
        """Snapshots of states, as one matrix of raw rows (n, layout.width)."""
        return np.frombuffer(b"".join(snapshots)).reshape(len(snapshots), self.layout.width)

    def plan(self, columns: NDArray[np.int64]) -> Plan:
        """How to compute these features only; `columns` are numbers of `features`, rising."""
        return Plan(self, columns)

    def matrix(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """All features (n, len(features)) of raw rows (n, layout.width)."""
        return self.plan(np.arange(len(self.features))).matrix(raw)


class Plan:
    """Computes chosen features of raw rows; a row's features depend on that row alone, to the last bit."""

    def __init__(self, vectorizer: Vectorizer, columns: NDArray[np.int64]) -> None:
        self._layout = vectorizer.layout
        declared = vectorizer.order[columns]
        self._computes: list[Compute] = []
        begin = 0
        for entry, size in zip(DECLARED, vectorizer.sizes, strict=True):
            inside = np.sort(declared[(declared >= begin) & (declared < begin + size)])
            if len(inside):
                self._computes.append(entry.plan(self._layout, inside - begin))
            begin += size
        self._order = np.argsort(np.argsort(declared))
        self.columns: NDArray[np.int64] = columns[np.argsort(declared)]
        """The numbers of the chosen features, in the order in which `parts` computes them."""

    def parts(self, raw: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """The chosen features of raw rows (n, layout.width), as matrices that stand side by side."""
        return [compute(raw) for compute in self._computes]

    def matrix(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """The chosen features (n, m) of raw rows (n, layout.width), in the order of their numbers."""
        return np.concatenate(self.parts(raw), axis=1).take(self._order, axis=1)
