"""Touchpoint types that nobody declared, taken as they come."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple
from unicodedata import normalize

from schemas.types import MOST_TYPES, Stage, TouchpointType, TypeRegistry
from stream.errors import EvaluationError

_LONGEST: Final = 48
_LONGEST_FAMILY: Final = 32
_SHARED: Final = "other"
_MOST_NAMED: Final = 20


class Taken(NamedTuple):
    """How the types of a log are taken."""

    types: tuple[TouchpointType, ...]
    """Beside the built-in ones: those declared, then those that the log brings."""
    names: dict[str, str]
    """Name in the log -> name of the type."""
    outcome: tuple[str, ...]
    """The types that the outcome counts."""
    shared: int
    """How many names of the log share one type, because there are too many."""


def take(
    counts: Mapping[str, int], declared: Sequence[TouchpointType], outcome: Sequence[str]
) -> Taken:
    """`counts`: how often each name occurs in the log; `outcome`: names that the outcome counts.

    A name that differs from a known type's only in its writing ("Purchase") is that type, unless the log has
    both. Raises EvaluationError for an outcome's name that is neither in the log nor known.
    """
    known = TypeRegistry(declared).names
    for name in outcome:
        if name not in counts and name not in known:
            raise _unknown(name, counts)
    order = sorted(counts, key=lambda name: (name not in outcome, -counts[name], name))
    names = {name: name for name in order if name in known}
    for name in order:
        alias = slug(name)
        if name not in names and alias in known and alias not in names.values():
            names[name] = alias
    new = [name for name in order if name not in names]
    room = MOST_TYPES - len(known)
    if sum(name in outcome for name in new) > room - (len(new) > room):
        raise EvaluationError(
            f"--outcome-types: expected at most {room} types that the settings do not know"
        )
    alone = new if len(new) <= room else new[: room - 1]
    types = []
    for name in alone:
        names[name] = _free(slug(name), {*known, *names.values()})
        types.append(_type(names[name], name, counts=name in outcome))
    shared = new[len(alone) :]
    if shared:
        together = _free(_SHARED, {*known, *names.values()})
        names |= dict.fromkeys(shared, together)
        types.append(_type(together, _SHARED, counts=False))
    counted = tuple(dict.fromkeys(names.get(name, name) for name in outcome))
    return Taken((*declared, *types), names, counted, len(shared))


def slug(name: str) -> str:
    """The name as a type's: letters of ASCII in lower case, digits and underscores."""
    plain = normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    found = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    if not found[:1].isalpha():
        found = f"type_{found}".rstrip("_")
    return found[:_LONGEST]


def _free(name: str, used: Collection[str]) -> str:
    found, number = name, 1
    while found in used:
        number += 1
        tail = f"_{number}"
        found = name[: _LONGEST - len(tail)] + tail
    return found


def _type(name: str, raw: str, *, counts: bool) -> TouchpointType:
    """A type of its own family; one that the outcome counts is a purchase, so that gaps between them are features."""
    words = name.replace("_", " ")
    return TouchpointType(
        name=name,
        stage=Stage.PURCHASE if counts else Stage.PRE_PURCHASE,
        family="purchases" if counts else words[:_LONGEST_FAMILY].strip(),
        label=" ".join(raw.split())[:_LONGEST] if raw.isprintable() else "",
    )


def _unknown(name: str, counts: Mapping[str, int]) -> EvaluationError:
    often = sorted(counts, key=lambda each: (-counts[each], each))
    listed = ", ".join(each[:_LONGEST] for each in often[:_MOST_NAMED])
    more = f" and {len(often) - _MOST_NAMED} more" if len(often) > _MOST_NAMED else ""
    return EvaluationError(
        f"--outcome-types: expected types that occur in the log, {name!r} does not",
        f"it has {listed}{more}" if often else "it has no touchpoint at all",
    )
