"""Real touchpoints of a shop, as records."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from itertools import islice
from typing import NamedTuple

from stream.embedded.shop import touchpoints_csv


class Touch(NamedTuple):
    """One row of the log: when (seconds since 1970), who, and the touchpoint as JSON."""

    at: int
    customer: str
    value: bytes


@cache
def touches(most: int, skip: int = 0) -> tuple[Touch, ...]:
    """The first `most` touchpoints after `skip`, in time order."""
    return tuple(islice(_read(), skip, skip + most))


def _read() -> Iterator[Touch]:
    with gzip.open(touchpoints_csv(), "rt") as file:
        for row in csv.DictReader(file):
            body = {
                name: row[name]
                for name in ("event_id", "customer_id", "type", "channel", "occurred_at")
            }
            value = {"value": float(row["value"])} if row["value"] else {}
            at = int(datetime.fromisoformat(row["occurred_at"]).timestamp())
            yield Touch(at, row["customer_id"], json.dumps(body | value).encode())
