"""Which rules a band change fires."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from schemas.bands import BANDS
from schemas.rules import Rule
from stream.features.state import UNSCORED


def fired(
    rules: Sequence[tuple[int, Rule]],
    came_from: int,
    came_to: int,
    *,
    now: int,
    last_fired: Mapping[int, int],
) -> list[tuple[int, Rule]]:
    """The (hash of name, rule) pairs that fire on a move between two bands (0 to 4, or UNSCORED).

    `now` and the times in `last_fired` (by hash of name) are in seconds.
    """
    upward = came_from == UNSCORED or came_to > came_from
    found = []
    for number, rule in rules:
        touched = came_to if rule.on == "enters" else came_from
        if touched == UNSCORED or BANDS[touched] != rule.band:
            continue
        if rule.direction != "any" and upward != (rule.direction == "up"):
            continue
        last = last_fired.get(number)
        if last is None or now >= last + rule.cooldown_hours * 3600:
            found.append((number, rule))
    return found
