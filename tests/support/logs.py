"""Small simulated logs of touchpoints, as rows of a file and as a driver takes them."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from stream.evaluation.driver import Touch

BEGIN = 1_600_000_000
DAY = 86_400


class Row(NamedTuple):
    """One touchpoint; `at` in seconds since 1970."""

    event_id: str
    customer_id: str
    type: str
    at: int
    value: str = ""


def shop(
    customers: int = 40,
    days: int = 90,
    seed: int = 1,
    kinds: tuple[str, str] = ("web_visit", "purchase"),
) -> list[Row]:
    """Visits, and after some of them a purchase; some customers come daily, others hardly ever."""
    chance, rows = random.Random(seed), list[Row]()
    for number in range(customers):
        gap = chance.choice((2.0, 5.0, 12.0, 30.0))
        at = BEGIN + chance.uniform(0, 20) * DAY
        while at < BEGIN + days * DAY:
            visit, bought = kinds
            rows.append(Row("", f"customer-{number}", visit, int(at)))
            if chance.random() < 0.5:
                rows.append(Row("", f"customer-{number}", bought, int(at) + 600, "19.90"))
            at += chance.expovariate(1 / gap) * DAY + 1_200
    rows.sort(key=lambda row: (row.at, row.customer_id))
    return [row._replace(event_id=f"e{number}") for number, row in enumerate(rows)]


def write(path: Path, rows: Iterable[Row]) -> Path:
    """The rows as a CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("event_id", "customer_id", "type", "occurred_at", "value"))
        for row in rows:
            writer.writerow((*row[:3], _time(row.at), row.value))
    return path


def touches(rows: Iterable[Row]) -> Iterable[Touch]:
    """The rows as the evaluation's driver takes them."""
    for row in rows:
        body = {
            "event_id": row.event_id,
            "customer_id": row.customer_id,
            "type": row.type,
            "occurred_at": _time(row.at),
        } | ({"value": float(row.value)} if row.value else {})
        yield Touch(row.customer_id, row.at * 1000, json.dumps(body).encode())


def _time(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
