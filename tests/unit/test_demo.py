"""The demo's own parts: the moved calendar, careless producers, the division of time, its directory."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from schemas.home import home
from schemas.intake import read
from schemas.rejections import Rejection
from schemas.touchpoint import Touchpoint
from schemas.types import TypeRegistry
from stream.demo.budget import Budget
from stream.demo.careless import Doses, Sent, careless
from stream.demo.latency import Latencies
from stream.demo.models import Models, in_force
from stream.demo.settings import DemoSettings, environment
from stream.demo.shop import again, body, divide, past
from stream.demo.workplace import workplace
from stream.embedded.shop import ShopTouchpoint
from stream.errors import DemoError
from stream.partition.ledger import Ledger
from stream.pipeline import ADOPTIONS, MODEL

PARTITIONS = 8
NOW = int(datetime(2026, 5, 20, 10, 30, tzinfo=UTC).timestamp() * 1000)
DAY = timedelta(days=1)


def shop(days: int = 365) -> list[ShopTouchpoint]:
    """Four touchpoints a day."""
    begin = datetime(2017, 1, 1, tzinfo=UTC)
    return [
        ShopTouchpoint(
            f"e{number}",
            str(number % 50),
            "purchase",
            "store",
            (begin + number * DAY / 4).isoformat().replace("+00:00", "Z"),
            "12.5",
            "lines=3",
        )
        for number in range(4 * days)
    ]


def test_the_calendar_moves_by_whole_weeks_and_passes_now() -> None:
    """History ends just before now, at least four weeks are held back, and weekday and hour stay."""
    rows = shop()
    divided = divide(rows, NOW)
    moved = timedelta(milliseconds=divided.moved)

    assert [*divided.history, *divided.held_back] == rows
    assert not divided.cut
    assert moved % timedelta(weeks=1) == timedelta()
    assert divided.weeks == moved // timedelta(weeks=1)
    times = [row.occurred_ms or 0 for row in past(divided)]
    assert times == sorted(times)
    assert NOW - DAY.total_seconds() * 250 <= times[-1] < NOW
    assert 4 * 28 <= len(divided.held_back) <= 4 * 35


def test_the_history_can_be_cut_to_its_last_days() -> None:
    """With too little time, the history begins later; it still ends now, and holds one touchpoint at least."""
    whole, cut = divide(shop(), NOW), divide(shop(), NOW, 20)

    assert cut.cut
    assert (cut.moved, cut.held_back) == (whole.moved, whole.held_back)
    assert len(cut.history) == 4 * 20
    assert cut.history == whole.history[-80:]
    assert len(divide(shop(), NOW, 0).history) == 1


def test_the_shops_touchpoints_are_good_ones() -> None:
    """A touchpoint as the demo sends it is read without fault, with all that the log knows."""
    sent = read(body(shop()[7], NOW), TypeRegistry())

    assert isinstance(sent, Touchpoint)
    assert (sent.event_id, sent.customer_id, sent.value, sent.currency) == ("e7", "7", 12.5, "USD")
    assert sent.occurred_at == datetime.fromtimestamp(NOW / 1000, UTC)
    assert sent.attributes == {"lines": "3"}


def test_what_is_played_again_is_of_new_customers() -> None:
    """Each time round, event and customer ids are new."""
    rows = shop(1)
    found = list(islice(again(rows), 3 * len(rows)))

    assert len({row.event_id for row in found}) == len(found)
    assert {row.customer_id for row in found}.isdisjoint(row.customer_id for row in rows)


def test_careless_producers_do_what_is_said() -> None:
    """Every good touchpoint comes at least once; some twice, some elsewhere, and unusable ones are rejected."""
    registry, played = TypeRegistry(), 2_000
    good, reasons, twice, elsewhere = 0, set[str](), 0, 0
    for number, row in enumerate(islice(again(shop()), played), 1):
        where = home(row.customer_id, PARTITIONS)
        sent = Sent(where, row.customer_id.encode(), body(row, NOW))
        records = list(careless(number, sent, PARTITIONS))
        assert records[0].value == sent.value
        elsewhere += records[0].partition != where
        twice += records[1:2] == [sent]
        good += sum(record.value == sent.value for record in records)
        for record in records:
            said = read(record.value, registry)
            if isinstance(said, Rejection):
                reasons.add(said.reason)
            elif record.value != sent.value:
                reasons.add("early")
                assert said.occurred_at > datetime.fromtimestamp(NOW / 1000, UTC) + DAY / 2

    doses = Doses.of(played)
    assert (twice, elsewhere, good) == (doses.twice, doses.misrouted, played + doses.twice)
    assert len(reasons) == 7


def test_latencies_are_counted_to_a_tenth_of_a_millisecond() -> None:
    """A quantile is a duration that was counted; without any there is none."""
    latencies = Latencies()
    assert latencies.quantile(0.5) is None
    for milliseconds in (*range(1, 100), 1_000.04):
        latencies.add(milliseconds)

    assert latencies.number == 100
    assert [latencies.quantile(share) for share in (0.01, 0.5, 0.99, 1)] == [1, 50, 99, 1_000]


def test_time_is_divided() -> None:
    """A quarter stays for the live part; a slower machine brings in fewer days; without an end, all of them."""
    assert Budget(None).days(5) is None
    assert Budget(None).live_seconds(5) is None
    fast, slow = Budget(60).days(5), Budget(60).days(20)
    assert fast is not None
    assert slow is not None
    assert fast > 2 * slow > 0
    assert Budget(60).live_seconds(30) == 26
    assert Budget(1).days(30) == Budget(1).days(5)
    assert (Budget(1).live_seconds(30) or 0) > 0


def test_the_users_own_settings_have_no_say(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither the environment nor a file changes a demo."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bandshift.toml").write_text('namespace = "mine"\nwrong = [')
    monkeypatch.setenv("BANDSHIFT_WORKER__SILENCE", "false")
    monkeypatch.setenv("BANDSHIFT_OUTCOMES", json.dumps([{"name": "other", "horizon_days": 1}]))

    settings = DemoSettings()

    assert settings.namespace == ""
    assert settings.worker.silence
    assert [outcome.name for outcome in settings.outcomes] == ["purchase", "coupon", "churn"]


def test_a_run_has_a_directory_of_its_own(tmp_path: Path) -> None:
    """Two runs do not touch each other's data; what a killed run left is removed by the next one."""
    left = tmp_path / "demo-left"
    left.mkdir()
    (left / "data").touch()
    with workplace(tmp_path) as one, workplace(tmp_path) as two:
        assert not left.exists()
        assert one != two
        (one / "data").touch()
        with workplace(tmp_path):
            assert (one / "data").exists()
    assert not list(tmp_path.glob("demo-*"))


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Where no directory can be made, one sentence says which."""
    (tmp_path / "var").touch()
    with (
        pytest.raises(DemoError, match=r"var: expected a directory that can be written"),
        workplace(tmp_path / "var"),
    ):
        pass


def test_programs_learn_and_compute_in_one_thread() -> None:
    """Workers, learner and API are told that there is a learner, how to keep step, and to start no threads."""
    given = environment(DemoSettings(learning={"enabled": True, "history_hours": 48}))  # type: ignore[arg-type]

    assert given["BANDSHIFT_LEARNING__ENABLED"] == "true"
    assert given["BANDSHIFT_LEARNING__HISTORY_HOURS"] == "48"
    assert given["OPENBLAS_NUM_THREADS"] == "1"


def record(outcome: str, version: int, examples: int = 0) -> Any:
    """A record of `model-snapshots`, as far as the demo looks at it."""
    metrics = {"log_loss": {"champion": 0.2, "prior": 0.3}, "ece": 0.01} if examples else {}
    told = {"outcome": outcome, "version": version, "examples": examples, "positives": 1}
    return SimpleNamespace(value=json.dumps(told | {"metrics": metrics, "stages": []}).encode())


class Snapshots:
    """A consumer that gives one batch after the other."""

    def __init__(self, *batches: list[Any]) -> None:
        self._batches = list(batches)

    async def getmany(self, *, timeout_ms: int) -> dict[int, list[Any]]:
        """The next batch; waits for nothing."""
        assert timeout_ms == 0
        return {0: self._batches.pop(0)} if self._batches else {}


async def test_models_are_told_as_they_come_into_force() -> None:
    """The version is the one in force, the figures those of the latest snapshot; the prior has none."""
    told = [record("purchase", 1), record("purchase", 2, 50), record("purchase", 0)]
    reader = Models(Snapshots(told, []), ["purchase", "churn"])
    ledgers = [
        Ledger(versions={f"{MODEL}purchase": 1}, counts={f"{ADOPTIONS}purchase": 1}),
        Ledger(),
    ]

    for _ in range(2):
        found = await reader.look(ledgers)
        purchase, churn = found["purchase"], found["churn"]
        assert (purchase.basis, purchase.model_version, purchase.adoptions) == ("learned", 1, 1)
        assert (purchase.examples, purchase.ece) == (50, 0.01)
        assert purchase.log_loss == {"champion": 0.2, "prior": 0.3}
        assert (churn.basis, churn.model_version, churn.adoptions) == ("prior", 0, 0)
        assert (churn.examples, churn.log_loss) == (0, {})
    assert in_force([], "purchase") == 0
