"""A log that keeps step, and nobody learns: the worker and the doctor say so, and a learner sets it right."""

from __future__ import annotations

import signal
from itertools import islice
from pathlib import Path

import pytest

from stream.broker.rows import moment
from stream.demo.shop import body
from stream.embedded.shop import touchpoints
from tests.engines import MakeSettings
from tests.support.command import Cli, ended

pytestmark = pytest.mark.timeout(120)


async def test_a_missing_learner_is_said_and_then_all_goes_on(
    live_settings: MakeSettings, tmp_path: Path
) -> None:
    """The worker names both ways out and goes on once a learner is at work; the doctor knows either way."""
    settings = await live_settings(partitions=2, learning={"enabled": True})
    beat = tmp_path / "heartbeat"
    cli = Cli(settings, tmp_path)
    other = Cli(settings, tmp_path, {"BANDSHIFT_WORKER__HEARTBEAT_FILE": str(beat)})
    rows = [body(row, moment(row.occurred_at) or 0) for row in islice(touchpoints(), 400)]

    with cli.started("worker") as worker:
        cli.call("import", "-", "--no-wait", given=b"\n".join(rows))
        assert worker.stderr is not None
        said = next(line for line in worker.stderr if "waiting for models" in line)
        assert f"start bandshift learner --namespace {settings.namespace}" in said
        assert "BANDSHIFT_LEARNING__ENABLED=false" in said
        warned = {each["check"]: each for each in cli.data("doctor")["findings"]}["learner"]
        assert warned["level"] == "warning"
        assert "no learner is at work" in warned["text"]

        with other.started("learner") as learner:
            said = next(line for line in worker.stderr if "models have come" in line)
            report = cli.data("doctor")
            while any(each["behind"] for each in report["partitions"]):
                assert learner.poll() is None
                report = cli.data("doctor")
            found = {each["check"]: each for each in report["findings"]}
            assert found["learner"]["level"] == "ok"
            assert found["learner"]["text"].startswith("1 at work; models are ")
            assert "9 topics of 2 partitions, 3 of them for models" in found["topics"]["text"]
            assert beat.exists()
            ended(learner, signal.SIGTERM, 0)
        ended(worker, signal.SIGTERM, 0)
