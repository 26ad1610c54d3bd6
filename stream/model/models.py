"""Every version that scores may rest on: snapshots as they come in, and the models made of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.outcomes import Outcome
from stream.features.vector import Vectorizer
from stream.model.basis import Basis
from stream.model.learned import Learned, LearnedModel, log_odds_by, nothing
from stream.model.linear import LinearModel
from stream.model.prior import prior, prior_terms
from stream.model.reasons import Reasons
from stream.model.snapshot import (
    Snapshot,
    UnreadableSnapshotError,
    learned,
    pack_snapshot,
    unpack_snapshot,
)

Model = LinearModel | LearnedModel
_MOST_MADE: Final = 64
_MOST_KEPT: Final = 1_024
"""Versions that are ready to score with; others are made ready again when somebody asks for them."""


class UnknownVersionError(LookupError):
    """A version of a model that is not known here, not yet or not at all."""


class Library:
    """The snapshots of all outcomes, by version, and how far their learners have come."""

    def __init__(self) -> None:
        self._by_version: dict[tuple[str, int], bytes] = {}
        """Packed: a year of hourly versions of three outcomes would take gigabytes as objects."""
        self._known: dict[str, list[tuple[int, int]]] = {}
        self._progress: dict[str, int] = {}
        self._spoiled: set[tuple[str, int]] = set()

    def add(self, snapshot: Snapshot) -> None:
        """Take a snapshot in; in the order in which its learner made them. Repeated ones change nothing."""
        name, at = snapshot.outcome, snapshot.known_s
        if snapshot.version and (name, snapshot.version) not in self._by_version:
            self._by_version[name, snapshot.version] = pack_snapshot(snapshot)
            self._known.setdefault(name, []).append((at, snapshot.version))
            self._known[name].sort()
        self._progress[name] = max(self._progress.get(name, 0), at)

    def spoil(self, outcome: str, version: int, known_to: int) -> None:
        """Note a version whose record cannot be read: it is waited for no longer, and never used."""
        self._spoiled.add((outcome, version))
        self._progress[outcome] = max(self._progress.get(outcome, 0), known_to)

    def has(self, outcome: str, version: int) -> bool:
        """Whether a version has come, readable or not; the prior, 0, always has."""
        key = outcome, version
        return not version or key in self._by_version or key in self._spoiled

    def get(self, outcome: str, version: int) -> Snapshot:
        """Raises UnknownVersionError, or UnreadableSnapshotError for one that was damaged."""
        if (outcome, version) in self._spoiled:
            raise UnreadableSnapshotError(f"model of {outcome}: version {version} is damaged")
        found = self._by_version.get((outcome, version))
        if found is None:
            raise UnknownVersionError(f"model of {outcome}: version {version} is not known here")
        return unpack_snapshot(found)

    def progress(self, outcomes: Sequence[str]) -> int:
        """Up to when all of these outcomes' learners have seen all labels."""
        return min(self._progress.get(name, 0) for name in outcomes)

    def newest(self, outcome: str, known_to: int) -> int:
        """The newest version that knows labels up to `known_to` at most; 0 where there is none."""
        found = self._known.get(outcome, [])
        place = bisect_right(found, (known_to, 1 << 62))
        return found[place - 1][1] if place else 0


class Models:
    """The models of one pipeline's outcomes."""

    def __init__(
        self, vectorizer: Vectorizer, outcomes: Sequence[Outcome], library: Library
    ) -> None:
        self.library = library
        self._vectorizer = vectorizer
        self._outcomes = tuple(outcomes)
        self._prior = prior(outcomes, vectorizer)
        self._terms = [prior_terms(outcome, vectorizer) for outcome in outcomes]
        self._bases = [Basis(outcome, vectorizer) for outcome in outcomes]
        self._made: dict[tuple[int, ...], Model] = {self._prior.versions: self._prior}
        self._kept: dict[tuple[int, int], Learned] = {}
        self._told: dict[int, tuple[Model, Reasons]] = {}

    def get(self, versions: tuple[int, ...]) -> Model:
        """The model of these versions, one per outcome. Raises UnknownVersionError."""
        found = self._made.get(versions)
        if found is None:
            parts = [self._learned(place, version) for place, version in enumerate(versions)]
            found = LearnedModel(self._vectorizer, self._outcomes, self._terms, self._bases, parts)
            while len(self._made) >= _MOST_MADE:
                self._made.pop(next(each for each in self._made if any(each)))
            self._made[versions] = found
        return found

    def readable(self, outcome: str, version: int) -> bool:
        """Whether a version that the library has fits these outcomes and features."""
        place = next((n for n, each in enumerate(self._outcomes) if each.name == outcome), None)
        return place is not None and self._learned(place, version).version == version

    def _learned(self, place: int, version: int) -> Learned:
        """A version; the prior in place of one that is of other stages or features, as after an adoption."""
        found = self._kept.get((place, version))
        if found is None:
            outcome, basis = self._outcomes[place], self._bases[place]
            found = nothing(basis, outcome)
            if version:
                with suppress(UnreadableSnapshotError):
                    found = self._read(place, version)
            while len(self._kept) >= _MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[place, version] = found
        return found

    def _read(self, place: int, version: int) -> Learned:
        outcome = self._outcomes[place]
        snapshot = self.library.get(outcome.name, version)
        return learned(snapshot, outcome, self._bases[place], self._vectorizer)

    def log_odds(
        self, place: int, versions: Sequence[int], matrix: NDArray[np.float64]
    ) -> list[int]:
        """One outcome's log-odds, in millionths: of each row of features (n, features) by its own version."""
        return log_odds_by(
            [self._learned(place, version) for version in versions],
            self._outcomes[place],
            self._terms[place],
            self._bases[place],
            matrix,
        )

    def reasons(self, model: Model) -> Reasons:
        """What puts a model's parts into words."""
        found = self._told.get(id(model))
        if found is None or found[0] is not model:
            if len(self._told) >= _MOST_MADE:
                self._told.clear()
            means = [self._learned(p, v).mean for p, v in enumerate(model.versions)]
            made = Reasons(self._vectorizer, model.families, means)
            found = self._told[id(model)] = model, made
        return found[1]
