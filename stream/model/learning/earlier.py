"""Vectors of earlier lists of features, brought to the present one.

Touchpoint types may be added while examples wait for their labels. What was frozen before knows nothing of the
new types, which is what a customer has who has done nothing of them.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.types import DEFAULT_TYPES, TypeRegistry
from stream.features.layout import Layout
from stream.features.vector import Vectorizer
from stream.model.frozen import fits, freeze, thaw

_SHORT: Final = 8
"""Hexadecimal digits of a list's hash that examples carry which were opened under an earlier list."""


class UnknownFeaturesError(ValueError):
    """The list of features is neither the present one nor one before types were added."""


class Earlier:
    """The present list of features, and those before each type was added."""

    def __init__(self, vectorizer: Vectorizer) -> None:
        self._own = vectorizer.schema_hash
        self._width = len(vectorizer.features)
        self._columns: dict[str, NDArray[np.int64]] = {}
        built_in = {kind.name for kind in DEFAULT_TYPES}
        kinds = vectorizer.layout.registry.kinds
        begin = [kind for kind in kinds if kind.name in built_in]
        added = [kind for kind in kinds if kind.name not in built_in]
        for number in range(len(added)):
            before = Vectorizer(Layout(TypeRegistry([*begin, *added[:number]])))
            columns = [vectorizer.column[feature.name] for feature in before.features]
            self._columns[before.schema_hash[:_SHORT]] = np.array(columns)

    def present(self, features: str, vector: bytes) -> bytes:
        """A vector frozen with the list of this hash, over the present list; as it is where it is none at all.

        Raises UnknownFeaturesError.
        """
        if features == self._own:
            return vector
        columns = self._columns.get(features[:_SHORT])
        if columns is None:
            if features == self._own[:_SHORT]:
                return vector
            raise UnknownFeaturesError(features)
        if not fits(vector, len(columns)):
            return b""
        matrix = np.zeros((1, self._width))
        matrix[:, columns] = thaw([vector], len(columns))
        return freeze(matrix)[0]
