"""The how-to for consumers: every snippet on the page does what the page says."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import aiokafka
import pytest

from stream.broker.memory import MemoryRecord
from stream.broker.topics import Topics
from stream.settings import WorkerSettings

PAGE = Path(__file__).parents[2] / "docs/how-to/read-outputs.md"


def blocks(language: str) -> list[str]:
    """The page's fenced blocks in one language, in order."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found
    return found


class Record(MemoryRecord):
    """A record that knows its partition."""

    partition = 3


def test_a_repeated_id_is_not_acted_on() -> None:
    """The snippet acts on each id of a partition once."""
    names: dict[str, Any] = {}
    exec(compile(blocks("python")[0], str(PAGE), "exec"), names)  # noqa: S102 -- our own page
    acted: list[str] = []
    for identity in ("a", "b", "a"):
        record = Record(0, 0, b"", json.dumps({"id": identity}).encode(), ())
        names["take"](record, lambda event: acted.append(event["id"]))
    assert acted == ["a", "b"]


def test_the_consumer_reads_committed_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """The snippet's consumer is one that sees nothing of what was taken back."""
    given: dict[str, Any] = {}
    monkeypatch.setattr(
        aiokafka, "AIOKafkaConsumer", lambda *topics, **more: given.update(more, topics=topics)
    )
    names: dict[str, Any] = {}
    exec(compile(blocks("python")[1], str(PAGE), "exec"), names)  # noqa: S102 -- our own page
    names["consumer"]("127.0.0.1:9092")
    assert given["isolation_level"] == "read_committed"
    assert given["topics"] == (Topics().band_changes,)


def test_the_setting_is_taken() -> None:
    """What the page puts into the file is a setting, and its names of transactional ids are right."""
    (text,) = blocks("toml")
    assert WorkerSettings(**tomllib.loads(text)["worker"]).delivery == "exactly_once"
    assert Topics("x").publisher(3) == f"{Topics('x').group}-3"
    assert Topics("x").group.startswith("bandshift")
