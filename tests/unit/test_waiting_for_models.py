"""Who waits for models, and who waits for them, says so in time, and says what to do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import pytest

from stream.agents.arrivals import Follower
from stream.agents.waiting import Waiting
from stream.broker.lag import Lag
from stream.checks import Finding, Level, Report, tell_learner
from stream.commands.standstill import Standstill
from stream.errors import BrokerError
from stream.model.models import Library
from stream.partition.ledger import Ledger
from stream.settings import Settings, load

HOUR = 3600


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged."""
    return [record.getMessage() for record in caplog.records]


def test_a_worker_says_once_that_it_waits_and_once_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """After five seconds one line names both ways out, another follows a minute later, one when it goes on."""
    caplog.set_level(logging.INFO, "bandshift.worker")
    clock, come = Clock(), False
    waiting = Waiting("trial", clock)
    told = []
    for _ in range(280):  # 70 seconds, of several partitions
        waiting.begins(lambda: come)
        clock.now += 0.25
        waiting.goes_on()
        waiting.news()
        told.append(len(caplog.records))
    come = True
    waiting.news()
    waiting.news()

    first, second, last = messages(caplog)
    assert told.index(1) == 5 * 4 - 1
    assert told.index(2) == 65 * 4 - 1
    assert "start bandshift learner --namespace trial" in first
    assert "BANDSHIFT_LEARNING__ENABLED=false" in first
    assert "for 65 s" in second
    assert last == "models have come after 70 s; going on"


def test_short_waits_are_not_told(caplog: pytest.LogCaptureFixture) -> None:
    """Waits that end within five seconds, one after the other for minutes, are the usual way to keep step."""
    caplog.set_level(logging.INFO, "bandshift.worker")
    clock = Clock()
    waiting = Waiting("", clock)
    for number in range(100):
        waiting.begins(lambda: clock.now > 1_000 + 4 * number)  # noqa: B023 -- asked at once
        clock.now += 4
        waiting.goes_on()
        waiting.news()

    assert not caplog.records


async def test_a_wait_that_is_given_up_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever waits for a model in vain for long enough has it said."""
    clock = Clock()
    follower = Follower(Library(), Waiting("", clock))

    assert not await follower.until(lambda: False, 0.001)
    clock.now += 6
    assert not await follower.until(lambda: False, 0.001)

    assert len(messages(caplog)) == 1
    assert await follower.until(lambda: True, 0.001)


def lags(*positions: int, live: bool = False) -> list[Lag]:
    """Partitions of a hundred records, taken in to these places."""
    return [Lag(number, at, 100, 100 - at, at, live) for number, at in enumerate(positions)]


class Import:
    """An import that watches how far its partitions are, while so many learners are at work."""

    def __init__(self, learners: int, settings: Settings | None = None) -> None:
        self.said: list[str] = []
        self.asked = 0
        self.clock = Clock()
        self._learners = learners
        self.still = Standstill(settings or load(), self.said.append, self._count, self.clock)

    async def _count(self) -> int:
        self.asked += 1
        return self._learners

    async def look(self, found: Sequence[Lag], seconds: float) -> None:
        for _ in range(int(seconds)):
            self.still.look(found)
            self.clock.now += 1
            await asyncio.sleep(0)
            await asyncio.sleep(0)


async def test_an_import_says_that_no_learner_is_at_work() -> None:
    """Where nothing moves for ten seconds and there is no learner, it is said once, and the error names it."""
    importing = Import(0)
    await importing.look(lags(1, 2), 10)
    assert not importing.said
    await importing.look(lags(1, 2), 15)

    assert importing.asked == 1
    (said,) = importing.said
    assert "start bandshift learner" in said
    assert "BANDSHIFT_LEARNING__ENABLED=false" in said
    found = importing.still.explained(BrokerError("no worker has moved", "start one"))
    assert str(found) == "no worker has moved; no learner is at work"
    assert (found.hint or "").startswith("start one; start bandshift learner")


@pytest.mark.parametrize("case", ["a learner", "moving", "live", "taken in", "off"])
async def test_an_import_that_waits_for_no_learner_says_nothing(case: str) -> None:
    """With a learner, movement, a live log, nothing left, or learning off there is nothing to say."""
    settings = load(learning={"enabled": False}) if case == "off" else None
    importing = Import(int(case == "a learner"), settings)
    for at in range(3):
        behind = 100 if case == "taken in" else at if case == "moving" else 1
        await importing.look(lags(behind, live=case == "live"), 9)

    error = BrokerError("no worker has moved")
    assert not importing.said
    assert importing.still.explained(error) is error
    await importing.still.close()


async def test_a_standstill_after_another_is_said_again() -> None:
    """What has moved and stands still again is said again."""
    importing = Import(0)
    await importing.look(lags(1), 12)
    await importing.look(lags(2), 12)

    assert len(importing.said) == 2


def learner_finding(learners: int, told: Sequence[int], known: int) -> Finding:
    """What the doctor says."""
    report = Report(learners=learners)
    tell_learner(report, [Ledger(known_to=each) for each in told], known, "trial")
    (found,) = report.findings
    return found


def test_the_doctor_says_how_far_the_learner_is() -> None:
    """Learners at work are counted, and how far the models are behind the labels of all partitions."""
    found = learner_finding(1, [50 * HOUR, 30 * HOUR], 24 * HOUR)
    assert (found.check, found.level) == ("learner", Level.OK)
    assert found.text == "1 at work; models are 6 h of the log behind the labels that are known"
    assert learner_finding(2, [50 * HOUR, 0], 0).text == "2 at work; no label is known yet"
    assert learner_finding(1, [50 * HOUR], 0).text == "1 at work; there is no model yet"
    assert learner_finding(1, [50 * HOUR], 60 * HOUR).text.startswith("1 at work; models are 0 h")


def test_the_doctor_warns_where_nobody_learns() -> None:
    """Without a learner there is a warning that names both ways out."""
    found = learner_finding(0, [50 * HOUR], 24 * HOUR)

    assert found.level is Level.WARNING
    assert found.text.startswith("no learner is at work; models are 26 h")
    assert "start bandshift learner --namespace trial" in (found.hint or "")
    assert "BANDSHIFT_LEARNING__ENABLED=false" in (found.hint or "")
