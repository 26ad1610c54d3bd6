"""The doctor's checks and settings, with a Redis that only tells what it is told to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stream.checks import Level, Report, _check_memory, _check_redis, unknown_variables
from stream.commands.doctor import as_data, lines
from stream.commands.origins import HIDDEN, Value, values
from stream.commands.style import Style
from stream.errors import SettingsError, StoreError
from stream.settings import Settings, load
from stream.store.connect import address, connect

SAFE = {
    "redis_version": "7.0.15",
    "maxmemory_policy": "noeviction",
    "aof_enabled": "1",
    "maxmemory": "0",
    "used_memory": "1000",
}


class Told:
    """A store whose Redis says what a test wants."""

    def __init__(self, info: dict[str, str] | Exception) -> None:
        self._info = info

    async def settings(self) -> dict[str, str]:
        if isinstance(self._info, Exception):
            raise self._info
        return self._info


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BANDSHIFT_CONFIG", raising=False)


async def redis_report(info: dict[str, str] | Exception) -> Report:
    """What is found of a Redis."""
    report = Report()
    await _check_redis(load(), Told(info), report)  # type: ignore[arg-type]
    return report


async def test_a_safe_redis_is_well() -> None:
    """A Redis that evicts nobody and writes an append-only file gives no cause for complaint."""
    report = await redis_report(SAFE)

    assert report.well
    assert {found.level for found in report.findings} == {Level.OK}


@pytest.mark.parametrize(
    ("change", "level", "expected"),
    [
        ({"maxmemory_policy": "allkeys-lru"}, Level.ERROR, "expected maxmemory-policy noeviction"),
        ({"redis_version": "6.0.16"}, Level.ERROR, "expected version 6.2 or later, got 6.0.16"),
        ({"aof_enabled": "0"}, Level.WARNING, "no append-only file"),
        ({"maxmemory": "1000", "used_memory": "950"}, Level.WARNING, "95% of its maxmemory"),
    ],
)
async def test_an_unsafe_redis_is_told(change: dict[str, str], level: Level, expected: str) -> None:
    """What could lose customers is an error, what only slows a recovery a warning; both say what to do."""
    report = await redis_report(SAFE | change)

    (found,) = [each for each in report.findings if each.level is not Level.OK]
    assert found.level is level
    assert expected in found.text
    assert found.hint
    assert report.well is (level is Level.WARNING)


async def test_a_redis_that_is_down_is_told_without_its_password() -> None:
    """The address is named, the password is not."""
    report = Report()
    settings = load(redis={"url": "redis://:geheim@127.0.0.1:1/3"})
    error = StoreError("Redis: expected an answer")
    await _check_redis(settings, Told(error), report)  # type: ignore[arg-type]

    (found,) = report.findings
    assert found.text.startswith("Redis at redis://127.0.0.1:1/3: expected an answer")
    assert "geheim" not in str(found)


def test_a_redis_of_another_kind_is_no_reason_to_fail() -> None:
    """A server that does not tell its policy is not trusted, and does not end in a fault."""
    report = Report()
    _check_memory({}, report)

    assert "got unknown" in report.findings[0].text


@pytest.mark.parametrize("url", ["http://127.0.0.1", "redis://127.0.0.1:port/0", "", "nonsense"])
def test_an_impossible_address_is_a_wrong_setting(url: str) -> None:
    """An address that can be none names the setting."""
    settings = load(redis={"url": url})

    with pytest.raises(SettingsError, match=r"redis\.url: expected redis://"):
        connect(settings)


def test_an_address_hides_name_and_password() -> None:
    """Of an address only the host, port and database are shown."""
    for url in ("redis://u:p@host:1/2", "redis://:a%40b@host:1/2", "redis://host:1/2"):
        assert address(load(redis={"url": url}).redis) == "redis://host:1/2"


def test_misspelt_variables_are_found() -> None:
    """A variable that looks like a setting and is none is told; pydantic passes over it."""
    names = [
        "BANDSHIFT_NAMESPCE",
        "BANDSHIFT_KAFKA__BOOTSTRAP",
        "BANDSHIFT_CONFIG",
        "bandshift_types",
        "PATH",
    ]

    assert unknown_variables(names) == ["BANDSHIFT_NAMESPCE"]


def shown(settings: Settings, *, given: bool = False) -> dict[str, Value]:
    """The doctor's table, by name."""
    return {each.name: each for each in values(settings, given=given)}


def test_each_setting_says_where_it_came_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Environment before file before default, down to single values of a group."""
    (tmp_path / "bandshift.toml").write_text(
        '[kafka]\nbootstrap = "file:1"\npartitions = 3\n[[rules]]\nname = "r"\noutcome = "churn"\nband = "high"\n'
    )
    monkeypatch.setenv("BANDSHIFT_KAFKA__BOOTSTRAP", "env:1")
    monkeypatch.setenv("BANDSHIFT_API", json.dumps({"port": 9}))

    found = shown(load(namespace="trial"), given=True)

    assert found["kafka.bootstrap"][1:] == ("env:1", "environment")
    assert found["kafka.partitions"][1:] == ("3", "bandshift.toml")
    assert found["kafka.replication"][1:] == ("1", "default")
    assert found["api.port"][1:] == ("9", "environment")
    assert found["rules"][1:] == ("r", "bandshift.toml")
    assert found["namespace"][1:] == ("trial", "option")
    assert found["outcomes"][1:] == ("purchase, coupon, churn", "default")


def test_secrets_are_not_shown() -> None:
    """Passwords, the control key and the token are hidden wherever settings are printed."""
    settings = load(
        kafka={"password": "geheim1"},
        redis={"url": "redis://:geheim2@h:1/0"},
        control={"key": "geheim3"},
        api={"token": "geheim4"},
    )
    found = shown(settings)
    report = Report()

    assert {found[name].value for name in ("kafka.password", "control.key", "api.token")} == {
        HIDDEN
    }
    table = list(found.values())
    for text in (
        "\n".join(lines(table, report, Style(colour=False))),
        json.dumps(as_data(table, report)),
    ):
        assert "geheim" not in text


def test_what_is_wrong_stands_last() -> None:
    """Findings come with their hints below the tables, and the last line counts what is wrong."""
    report = Report()
    report.note("kafka", Level.OK, "Kafka answers")
    report.note("redis", Level.ERROR, "Redis does not", "start it")

    told = lines([Value("a", "b", "default")], report, Style(colour=False))

    assert told[-4:] == ["wrong    Redis does not", "         start it", "", "1 thing is wrong"]
    assert not report.well
