"""A deployment's life by the command line: history, live, what comes out, dead letters, replay."""

from __future__ import annotations

import csv
import io
import json
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import psutil
import pytest

from schemas.home import home
from stream.broker import client
from stream.broker.lag import taken_in
from stream.broker.rows import Row
from stream.broker.topics import Topics
from stream.embedded.shop import ShopTouchpoint, touchpoints
from stream.errors import BrokerError
from stream.settings import Settings
from stream.store.connect import connect
from tests.engines import MakeSettings
from tests.support.command import Cli, ended

pytestmark = pytest.mark.timeout(300)
ROWS = 3_000
RULE = {"name": "hello", "outcome": "churn", "band": "very high", "direction": "up"}


def shop(first: int, last: int, shift: float = 0) -> Iterator[ShopTouchpoint]:
    """Real touchpoints, so many seconds later than they were."""
    for row in islice(touchpoints(), first, last):
        at = datetime.fromisoformat(row.occurred_at).timestamp() + shift
        yield row._replace(occurred_at=datetime.fromtimestamp(at, UTC).isoformat())


def write_csv(path: Path, rows: Iterable[ShopTouchpoint]) -> str:
    """A CSV file of touchpoints; returns its name."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(ShopTouchpoint._fields)
        writer.writerows(rows)
    return path.name


def as_json_lines(rows: Iterable[ShopTouchpoint]) -> bytes:
    """The same as JSON lines."""
    buffer = io.StringIO()
    for row in rows:
        body = row._asdict() | {"value": float(row.value) if row.value else None}
        del body["attrs"]
        buffer.write(json.dumps(body) + "\n")
    return buffer.getvalue().encode()


async def produce(settings: Settings, customer: str, body: Mapping[str, object], at: int) -> None:
    """Write one touchpoint as a producer would, with a timestamp of its own."""
    topics = Topics(settings.namespace)
    async with client.producer(settings.kafka) as producer:
        await producer.send_and_wait(
            topics.touchpoints,
            json.dumps({**body, "customer_id": customer}).encode(),
            customer.encode(),
            partition=home(customer, settings.kafka.partitions),
            timestamp_ms=at,
        )


async def test_history_then_live(live_settings: MakeSettings, tmp_path: Path) -> None:
    """History is imported, scored and shown; live, triggers go out; a replay comes to the same states."""
    settings = await live_settings(partitions=4, create=False)
    cli = Cli(settings, tmp_path, {"BANDSHIFT_RULES": json.dumps([RULE])})
    last = datetime.fromisoformat(next(islice(touchpoints(), ROWS - 1, None)).occurred_at)
    shift = int(time.time() - last.timestamp()) - 60
    file = write_csv(tmp_path / "shop.csv", shop(0, ROWS, shift))

    assert "it is missing" in cli.refused("import", file)
    assert len(cli.call("topics", "--create", "--json").stdout) > 0
    assert {topic["partitions"] for topic in cli.data("topics")} == {4}
    with cli.worker():
        summary = cli.data("import", file)
        assert (summary["rows"], summary["sent"], summary["unsent"]) == (ROWS, ROWS, 0)
        _look_at(cli, file)
        digest = cli.data("digest")
        assert cli.told("tail", "triggers", "--from-start", "--no-follow") == ""

        _replay(cli, settings, file, digest)

        assert "is the broker's from now on" in cli.told("live")
        assert "was the broker's already" in cli.told("live")
        assert "is live" in cli.refused("import", file)
        now = datetime.now(UTC)
        body = {"event_id": "n1", "type": "email_sent", "occurred_at": now.isoformat()}
        await produce(settings, "newcomer", body, 0)
        line = cli.told(
            "tail", "triggers", "--from-start", "--customer", "newcomer", "--limit", "1"
        )
        assert "! hello  churn in 28 days: · unscored → ● very high" in line
        clock = cli.data("doctor")["partitions"][home("newcomer", 4)]["clock"]
        assert clock >= now.timestamp() * 1000, "the broker stamped it, not the producer"


def _look_at(cli: Cli, file: str) -> None:
    """What history leaves can be looked at; a second import is refused."""
    report = cli.data("doctor")
    assert report["well"]
    assert all(each["behind"] == 0 and each["owner"] for each in report["partitions"])
    changes = cli.call("tail", "--from-start", "--no-follow", "--json").stdout.splitlines()
    customers = {json.loads(line)["data"]["customer_id"] for line in changes}
    assert cli.data("digest")["customers"] == len(customers)
    customer = min(customers)
    mine = [line for line in changes if json.loads(line)["subject"] == customer]
    asked = ("tail", "band-changes", "--from-start", "--no-follow", "--customer", customer)
    assert cli.call(*asked, "--json").stdout.splitlines() == mine
    assert len(cli.told("tail", "scores", "--from-start", "--limit", "7").splitlines()) == 7
    scores = cli.data("score", customer)["scores"]
    latest = {json.loads(line)["data"]["outcome"]: json.loads(line)["data"]["to"] for line in mine}
    assert {each["outcome"]: each["band"] for each in scores} == latest
    assert "unscored: no touchpoint" in cli.told("score", "nobody")
    assert "its rows would be counted again" in cli.refused("import", file)


def _replay(cli: Cli, settings: Settings, file: str, digest: dict[str, object]) -> None:
    """The same file in a namespace of its own, over other partitions, comes to the same; it never goes live."""
    trial = f"{settings.namespace}-trial"
    namespace = ("--namespace", trial)
    other = Cli(settings, cli.directory, cli.more | {"BANDSHIFT_NAMESPACE": trial})
    assert "is the live one" in cli.refused("replay", file, "--namespace", settings.namespace)
    cli.call("replay", file, *namespace, "--partitions", "3", "--no-wait")
    with other.worker():
        assert cli.data("replay", file, *namespace, "--resume")["skipped"] == ROWS
        assert cli.data("digest", *namespace) == digest
    assert "which never goes live" in other.refused("live")
    # A namespace that holds an import can be no replay.
    assert "that are no replay" in other.refused("replay", file, "--namespace", settings.namespace)


async def test_an_interrupted_import_is_resumed(
    live_settings: MakeSettings, tmp_path: Path
) -> None:
    """Ctrl-C ends an import cleanly; --resume sends what is missing, and the states are those of one run."""
    whole, parts = await live_settings(partitions=3), await live_settings(partitions=3)
    lines = as_json_lines(shop(0, ROWS))
    (tmp_path / "shop.jsonl").write_bytes(lines)
    one, two = Cli(whole, tmp_path), Cli(parts, tmp_path)

    with one.worker(), two.worker():
        assert one.call("import", "-", given=lines).stderr == ""
        with two.started("import", "shop.jsonl", "--rate", "300") as importing:
            while sum(each["end"] for each in two.data("doctor")["partitions"]) < 100:
                assert importing.poll() is None
            assert ended(importing, signal.SIGINT, 130).strip() == ""
        summary = two.data("import", "shop.jsonl", "--resume")

        assert 0 < summary["skipped"] < ROWS
        assert summary["skipped"] + summary["sent"] == ROWS
        assert two.data("digest") == one.data("digest")


async def test_dead_letters_go_back_in(live_settings: MakeSettings, tmp_path: Path) -> None:
    """Bad rows are dead letters by reason; once the cause is gone they are redriven, and never twice."""
    settings = await live_settings(partitions=2)
    cli = Cli(settings, tmp_path)
    good = list(shop(0, 200))
    bad = [
        good[50]._replace(event_id="x1", type="nothing"),
        good[50]._replace(event_id="x2", customer_id="\x07"),
    ]
    file = write_csv(tmp_path / "shop.csv", [*good[:50], *bad, *good[50:]])
    end = datetime.fromisoformat(good[-1].occurred_at).timestamp()

    with cli.worker():
        cli.call("import", file)
        early = {"event_id": "early", "type": "purchase"}
        early |= {"occurred_at": datetime.fromtimestamp(end + 3600, UTC).isoformat()}
        await produce(settings, "ann", early, int(end * 1000))
        later = Row(0, "ann", int(end * 1000) + 7_200_000, b"")
        shown = _wait_for(cli, 3)
        counts = {each["reason"]: each["outstanding"] for each in shown["reasons"]}
        assert counts == {"unknown_type": 1, "customer_id_invalid": 1, "time_ahead": 1}
        letters = cli.told("dlq", "show", "--reason", "time_ahead")
        assert "occurred_at: expected at most" in letters
        assert f"{settings.namespace}.touchpoints, partition {home('ann', 2)}" in letters

        # The log's clock passes the time that lay ahead.
        rest = good[-1]._replace(event_id="later", occurred_at=_iso(later.occurred_ms or 0))
        cli.call("import", write_csv(tmp_path / "later.csv", [rest]))
        assert cli.data("dlq", "redrive", "--reason", "time_ahead")["redriven"] == 1
        assert cli.data("dlq", "redrive", "--reason", "time_ahead")["redriven"] == 0
        scored = cli.call(
            "tail", "scores", "--from-start", "--customer", "ann", "--limit", "1", "--json"
        )
        assert json.loads(scored.stdout)["data"]["touchpoint"]["event_id"] == "early"

        # What is still no touchpoint is a dead letter again, a new one.
        assert cli.data("dlq", "redrive")["redriven"] == 2
        shown = _wait_for(cli, 5)
        assert (shown["outstanding"], shown["redriven"]) == (2, 3)
        tailed = cli.told("tail", "dead-letters", "--from-start", "--no-follow").splitlines()
        assert len(tailed) == 5


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat()


def _wait_for(cli: Cli, letters: int) -> dict[str, Any]:
    """The list, once so many dead letters are there."""
    while True:
        shown: dict[str, Any] = cli.data("dlq", "list")
        if shown["outstanding"] + shown["redriven"] >= letters:
            return shown


async def test_a_worker_leaves_in_order(live_settings: MakeSettings, tmp_path: Path) -> None:
    """Asked to stop, a worker commits what it did, leaves the group and exits with 0; it touches its heartbeat."""
    settings = await live_settings(partitions=2)
    beat = tmp_path / "heartbeat"
    cli = Cli(settings, tmp_path, {"BANDSHIFT_WORKER__HEARTBEAT_FILE": str(beat)})
    file = write_csv(tmp_path / "shop.csv", shop(0, 300))

    with cli.started("worker") as worker:
        cli.call("import", file)
        assert beat.exists()
        said = ended(worker, signal.SIGTERM, 0)

    # Kafka's client may warn that a new broker has no room for groups yet.
    lines = [line.split(" ", 1)[1] for line in said.splitlines() if " WARNING " not in line]
    assert lines == [
        f"INFO at work; namespace '{settings.namespace}'",
        "INFO partitions: [0, 1]",
        "INFO stopped",
    ]
    report = cli.data("doctor")
    assert {each["owner"] for each in report["partitions"]} == {None}, "it is no member any more"
    async with client.admin(settings.kafka) as admin:
        topics = Topics(settings.namespace)
        offsets = await admin.list_consumer_group_offsets(topics.group)
    committed = {tp.partition: found.offset for tp, found in offsets.items()}
    assert committed == {each["partition"]: each["end"] for each in report["partitions"]}


async def test_ctrl_c_ends_what_follows(live_settings: MakeSettings, tmp_path: Path) -> None:
    """Ctrl-C ends `tail` with 130 and without a word."""
    cli = Cli(await live_settings(partitions=1), tmp_path)
    file = write_csv(tmp_path / "shop.csv", shop(0, 3))

    with cli.worker(), cli.started("tail", "scores", "--from-start") as tail:
        cli.call("import", file)
        assert tail.stdout is not None
        assert "purchase" in tail.stdout.readline()
        assert ended(tail, signal.SIGINT, 130).strip() == ""


async def test_nobody_at_work_is_said(live_settings: MakeSettings, tmp_path: Path) -> None:
    """An import that nobody takes in says so, with what to do; the doctor says which partitions wait."""
    settings = await live_settings(partitions=2)
    cli = Cli(settings, tmp_path)
    file = write_csv(tmp_path / "shop.csv", shop(0, 10))

    cli.call("import", file, "--no-wait")
    warnings = [each for each in cli.data("doctor")["findings"] if each["level"] == "warning"]

    assert [each["check"] for each in warnings][-1] == "workers"
    assert "no worker owns partition 0, 1" in warnings[-1]["text"]
    store = connect(settings)
    try:
        async with client.reader(settings.kafka) as consumer:
            with pytest.raises(BrokerError, match="no worker has moved for 1 seconds; 1"):
                await taken_in(consumer, store, Topics(settings.namespace), 2, patience=1)
    finally:
        await store.close()


async def test_ctrl_c_ends_a_silent_pipe(live_settings: MakeSettings, tmp_path: Path) -> None:
    """Ctrl-C ends an import that waits for a pipe which says nothing more."""
    cli = Cli(await live_settings(partitions=1), tmp_path)
    with cli.started("import", "-", "--no-wait") as importing:
        assert importing.stdin is not None
        importing.stdin.write(as_json_lines(shop(0, 5)).decode())
        importing.stdin.flush()
        while not psutil.Process(importing.pid).net_connections():
            assert importing.poll() is None
        assert ended(importing, signal.SIGINT, 130).strip() == ""


async def test_the_api_leaves_in_order(live_settings: MakeSettings, tmp_path: Path) -> None:
    """`bandshift api` says where it listens, and exits with 0 when it is asked to stop."""
    more = {"BANDSHIFT_API__PORT": "0", "BANDSHIFT_API__VIEW": str(tmp_path / "view.sqlite3")}
    cli = Cli(await live_settings(partitions=1), tmp_path, more)

    with cli.started("api") as api:
        assert api.stderr is not None
        assert "listening on http://127.0.0.1:" in api.stderr.readline()
        ended(api, signal.SIGTERM, 0)
