"""What the API tells of models is what snapshots and events say; what cannot be read changes nothing."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from stream.api import model_follower, models
from stream.api.events import LiveFeed
from stream.api.model_answers import deciding
from stream.api.model_follower import ModelFollower
from stream.api.models import EVENTS, SNAPSHOTS
from stream.broker.topics import Topics
from stream.partition.ledger import Ledger
from tests.support.api import Deployment, deployment
from tests.support.models import event, metrics, moment, snapshot, written
from tests.support.world import World
from tests.unit.test_api_follower import Consumer, until

OF_MODELS = "bandshift_model_"


def publish(made: Deployment, kind: str, record: bytes | None, key: str = "purchase") -> None:
    """Append a record to one of the two topics."""
    made.world.log.add(kind, 0, key.encode(), record)


@asynccontextmanager
async def following(made: Deployment, consumer: Consumer | None = None) -> AsyncIterator[None]:
    """A follower at work, which has read all there is when this begins."""
    reader = consumer or Consumer(made.world)
    one = ModelFollower(
        reader,
        Topics(),
        made.world.partitions,
        made.models,
        made.feed,
        made.metrics,
        lambda: deciding(made.models.learned, made.watch.ledgers),
    )
    task = asyncio.create_task(one.run())
    try:
        await asyncio.sleep(0.05)
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def view(made: Deployment, outcome: str = "purchase") -> Any:
    """An outcome's model, as the API tells it."""
    async with made.client() as client:
        answer = await client.get(f"/v1/models/{outcome}")
        assert answer.status_code == 200
        return answer.json()


async def told(made: Deployment) -> dict[str, float]:
    """The metrics of models."""
    async with made.client() as client:
        lines = (await client.get("/metrics")).text.splitlines()
    found = (
        line.removeprefix(OF_MODELS).rpartition(" ") for line in lines if line.startswith(OF_MODELS)
    )
    return {name: float(value) for name, _, value in found}


async def test_before_anything_is_learned_the_prior_decides(tmp_path: Path) -> None:
    """Every outcome has a model from the beginning: the prior, with no examples and nothing made up."""
    async with deployment(tmp_path) as made, made.client() as client:
        found = (await client.get("/v1/models")).json()["models"]
        names = [outcome.name for outcome in made.world.outcomes]
        assert [each["outcome"] for each in found] == names
        for each in found:
            assert (each["basis"], each["latest"], each["examples"]) == ("prior", None, 0)
            assert each["in_force"] == [0] * made.world.partitions
            assert set(each["log_loss"].values()) == {None}
        whole = await view(made)
        assert whole["series"] == whole["bands"] == whole["versions"] == whole["events"] == []
        assert whole["ece"] is None
        figures = await told(made)
        assert figures['version{outcome="purchase"}'] == 0
        assert not any(name.startswith(("log_loss{", "ece{")) for name in figures)


async def test_a_snapshot_is_told_as_it_stands(tmp_path: Path) -> None:
    """Counts, log-losses, reliability, bands, series and drift are those of the snapshot, digit for digit."""
    async with deployment(tmp_path) as made, made.client() as client:
        record = snapshot()
        assert made.models.take(SNAPSHOTS, written(record)) == "purchase"
        found, known = await view(made), record["metrics"]
        for name in ("examples", "positives", "champion", "trained", "known_to", "basis"):
            assert found[name] == record[name]
        for name in ("log_loss", "ece", "brier", "stage_log_loss", "reliability", "bands"):
            assert found[name] == known[name]
        assert found["series"] == known["series"]
        assert found["drift"] == known["drift"]
        assert found["latest"] == 7
        (short, *_) = (await client.get("/v1/models")).json()["models"]
        assert short.items() <= found.items()


async def test_an_early_snapshot_may_know_little(tmp_path: Path) -> None:
    """Metrics that a snapshot does not have are null or empty, not nought."""
    async with deployment(tmp_path) as made:
        made.models.take(SNAPSHOTS, written(snapshot(metrics={"log_loss": {"prior": 0.4}})))
        found = await view(made)
        assert found["log_loss"] == {"champion": None, "prior": 0.4, "base_rate": None}
        assert (found["ece"], found["series"], found["bands"]) == (None, [], [])
        assert [each["log_loss"] for each in found["versions"]] == [None]


async def test_a_version_of_nought_is_the_prior(tmp_path: Path) -> None:
    """A learner that has not learned enough says how far it is: its examples are told, and no version."""
    async with deployment(tmp_path) as made:
        for examples in (3, 5, 4):
            record = snapshot(
                version=0, basis="prior", examples=examples, known_to=moment(examples), metrics={}
            )
            made.models.take(SNAPSHOTS, written(record))
        found = await view(made)
        assert (found["latest"], found["basis"], found["examples"]) == (None, "prior", 5)
        assert found["versions"] == []
        made.models.take(SNAPSHOTS, written(snapshot(version=1, known_to=moment(6))))
        assert (await view(made))["latest"] == 1


async def test_which_version_decides_is_what_the_ledgers_say(tmp_path: Path) -> None:
    """The version in force is told per partition, whatever was published since."""
    async with deployment(tmp_path, World(partitions=2)) as made:
        made.models.take(SNAPSHOTS, written(snapshot(version=9)))
        made.watch.ledgers = [Ledger(versions={"model:purchase": 8}), Ledger()]
        found = await view(made)
        assert (found["in_force"], found["latest"]) == ([8, 0], 9)
        figures = await told(made)
        assert figures['version_in_force{outcome="purchase",partition="0"}'] == 8
        assert figures['version{outcome="purchase"}'] == 9


async def test_versions_are_listed_and_a_late_write_takes_no_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The highest version counts, also when a lower one comes after it; so many of the latest are listed."""
    monkeypatch.setattr(models, "KEPT_VERSIONS", 3)
    async with deployment(tmp_path) as made:
        for version in (1, 2, 3, 5, 4):
            made.models.take(SNAPSHOTS, written(snapshot(version=version, examples=version)))
        found = await view(made)
        assert (found["latest"], found["examples"]) == (5, 5)
        assert [each["version"] for each in found["versions"]] == [5, 4, 3]


async def test_events_are_kept_once_and_alarms_counted(tmp_path: Path) -> None:
    """A repeated event is the same event; a hundred are kept, all alarms are counted."""
    async with deployment(tmp_path) as made:
        for number in range(150):
            made.models.take(EVENTS, written(event(number)))
        assert made.models.take(EVENTS, written(event(149))) is None
        made.models.take(EVENTS, written(event(200, kind="promoted")))
        found = await view(made)
        assert len(found["events"]) == 100
        assert found["events"][0]["kind"] == "promoted"
        assert found["events"][1] == event(149)["data"]
        assert found["alarms"] == 150
        assert (await told(made))['drift_alarms_total{outcome="purchase"}'] == 150


async def test_metrics_are_the_snapshots_figures(tmp_path: Path) -> None:
    """Prometheus is told the latest snapshot's figures, and no more digits or models than it has."""
    async with deployment(tmp_path) as made:
        made.models.take(SNAPSHOTS, written(snapshot()))
        figures = await told(made)
        known = metrics()
        assert figures['examples{outcome="purchase"}'] == 12_345
        assert figures['positives{outcome="purchase"}'] == 2_345
        assert figures['ece{outcome="purchase"}'] == known["ece"]
        for kind in ("log_loss", "stage_log_loss"):
            told_here = {
                found[1]: value
                for name, value in figures.items()
                if (found := re.match(rf'{kind}{{model="([^"]+)",outcome="purchase"}}$', name))
            }
            assert told_here == known[kind]


async def test_there_is_no_model_of_an_unknown_outcome(tmp_path: Path) -> None:
    """Another name is answered with a problem that lists the outcomes; records of one are passed over."""
    async with deployment(tmp_path) as made, made.client() as client:
        assert made.models.take(SNAPSHOTS, written(snapshot("lottery"))) is None
        assert made.models.take(EVENTS, written(event(outcome="lottery"))) is None
        answer = await client.get("/v1/models/lottery")
        assert answer.status_code == 404
        assert "purchase" in answer.json()["detail"]


async def test_the_token_guards_models_too(tmp_path: Path) -> None:
    """Without the token neither route answers."""
    async with deployment(tmp_path, token="a long random text") as made, made.client() as client:
        for path in ("/v1/models", "/v1/models/purchase"):
            assert (await client.get(path)).status_code == 401


BAD: dict[str, bytes | None] = {
    "nothing": None,
    "no JSON": b"{",
    "no object": b"[]",
    "another format": written(snapshot(version=8) | {"format": 2}),
    "a wrong checksum": written(snapshot(version=8) | {"examples": 1}),
    "no checksum": written(snapshot(version=8) | {"checksum": ""}),
    "a number that is none": written(snapshot(version=8) | {"means": {"secret": float("nan")}}),
    "text for a number": written(snapshot(version=8) | {"examples": "secret"}),
    "deep": b"[" * 5_000,
}


@pytest.mark.parametrize("record", BAD.values(), ids=BAD.keys())
async def test_what_cannot_be_read_changes_nothing_and_is_said(
    tmp_path: Path, record: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    """The snapshot before stays, the next good one counts, and log and metrics say so without its content."""
    async with deployment(tmp_path) as made:
        publish(made, SNAPSHOTS, written(snapshot(version=7)))
        publish(made, SNAPSHOTS, record)
        with caplog.at_level(logging.WARNING):
            async with following(made):
                await until(lambda: "is not read" in caplog.text)
                assert (await view(made))["latest"] == 7
                publish(made, SNAPSHOTS, written(snapshot(version=9)))
                await until(lambda: made.models.learned["purchase"].versions.keys() == {7, 9})
        assert (await told(made))['unreadable_records_total{topic="model-snapshots"}'] == 1
        assert "secret" not in caplog.text
        assert "offset 1" in caplog.text


async def test_it_reads_both_topics_from_their_beginning_and_goes_on(tmp_path: Path) -> None:
    """What was published before the API started is known, and so is what comes after; readers are told."""
    async with deployment(tmp_path) as made:
        publish(made, SNAPSHOTS, written(snapshot(version=1)))
        publish(made, EVENTS, written(event(1)))
        one = made.models.learned["purchase"]
        async with following(made):
            await until(lambda: 1 in one.versions and len(one.events) == 1)
            news = made.feed.models["purchase"]
            publish(made, SNAPSHOTS, written(snapshot(version=2)))
            publish(made, EVENTS, written(event(2)))
            publish(made, EVENTS, b"no event")
            await until(lambda: 2 in one.versions and len(one.events) == 2)
            await until(lambda: made.feed.models["purchase"] == news + 2)
        assert (await told(made))['unreadable_records_total{topic="model-events"}'] == 1


async def test_of_a_long_past_only_the_last_snapshot_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of records far back each outcome's last one counts and what is in force, so that a start takes seconds."""
    monkeypatch.setattr(model_follower, "_BACK", 3)
    async with deployment(tmp_path) as made:
        made.watch.ledgers = [Ledger(versions={"model:purchase": 2}), Ledger()]
        publish(made, SNAPSHOTS, written(snapshot("churn", 1)), "churn")
        for version in range(1, 9):
            publish(made, SNAPSHOTS, written(snapshot(version=version)))
        async with following(made):
            await until(lambda: 8 in made.models.learned["purchase"].versions)
        assert sorted(made.models.learned["purchase"].versions) == [2, 5, 6, 7, 8]
        assert sorted(made.models.learned["churn"].versions) == [1]
        library = made.world.pipelines.library
        has = [version for version in range(1, 9) if library.has("purchase", version)]
        assert has == [2, 5, 6, 7, 8], "customers are scored by the one in force"


async def test_topics_made_anew_are_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the topics begin again from nothing, what they told before is forgotten."""
    monkeypatch.setattr(model_follower, "_CHECK_SECONDS", 0.0)
    async with deployment(tmp_path) as made:
        for version in (1, 2, 3):
            publish(made, SNAPSHOTS, written(snapshot(version=version)))
        one = made.models.learned
        async with following(made):
            await until(lambda: 3 in one["purchase"].versions)
            made.world.log.topics[SNAPSHOTS, 0].clear()
            publish(made, SNAPSHOTS, written(snapshot(version=1)))
            await until(lambda: sorted(made.models.learned["purchase"].versions) == [1])
        assert (await view(made))["latest"] == 1


async def test_a_broker_that_fails_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure loses nothing and reads nothing twice."""
    monkeypatch.setattr(model_follower, "_REST_SECONDS", 0.001)

    class Failing(Consumer):
        failures = 3

        async def getmany(self, timeout_ms: int, max_records: int) -> Any:
            found = await super().getmany(timeout_ms, max_records)
            if any(found.values()) and self.failures:
                self.failures -= 1
                raise OSError("the line is cut")
            return found

    async with deployment(tmp_path) as made:
        for number in range(5):
            publish(made, EVENTS, written(event(number)))
        async with following(made, Failing(made.world)):
            await until(lambda: made.models.learned["purchase"].alarms == 5)


async def test_the_live_feed_says_that_there_is_news(tmp_path: Path) -> None:
    """News of a model wakes an open feed and is told once, by the outcome's name."""
    async with deployment(tmp_path) as made:
        reader = LiveFeed(made.feed, made.queries, made.describe, dict, None, 0)
        async with aclosing(reader.run(whole=True)) as stream, asyncio.timeout(10):
            assert b"event: hello" in await anext(stream)
            waiting = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0.01)
            made.feed.tell_model("churn")
            first = await waiting
            made.feed.tell_model("purchase")
            second = await anext(stream)
        names = [json.loads(part.split(b"data: ")[1]) for part in (first, second)]
        assert names == [{"outcome": "churn"}, {"outcome": "purchase"}]
        assert first.count(b"event: model") == second.count(b"event: model") == 1
