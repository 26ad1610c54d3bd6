"""The how-to for producers: every snippet on the page does what the page says."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import aiokafka
import pytest

from schemas.home import home
from schemas.intake import read
from schemas.intake_answer import IntakeAnswer
from schemas.touchpoint import Touchpoint
from schemas.types import TypeRegistry
from tests.support.intake_server import Intake, serve

PAGE = Path(__file__).parents[2] / "docs/how-to/send-touchpoints.md"
REGISTRY = TypeRegistry()
TOPIC, PARTITIONS = "touchpoints", 8


def blocks(language: str) -> list[str]:
    """The page's fenced blocks in one language, in order."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found
    return found


class FakeProducer:
    """Stands in for aiokafka's producer: keeps what is sent."""

    sent: list[dict[str, Any]]

    def __init__(self, **settings: Any) -> None:
        assert settings["acks"] == "all"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing to stop."""

    async def partitions_for(self, topic: str) -> set[int]:
        assert topic == TOPIC
        return set(range(PARTITIONS))

    async def send_and_wait(self, topic: str, value: bytes, **more: Any) -> None:
        self.sent.append({"topic": topic, "value": value, **more})


@pytest.fixture
def intake() -> Iterator[Intake]:
    """An intake for the snippets to send to."""
    with serve() as running:
        yield running


def test_the_python_snippets_run_as_they_stand(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other, the Python snippets send the touchpoint over HTTP and to its home on Kafka."""
    monkeypatch.setattr(aiokafka, "AIOKafkaProducer", FakeProducer)
    monkeypatch.setattr(FakeProducer, "sent", [], raising=False)
    names: dict[str, Any] = {}
    for block in blocks("python"):
        code = block.replace("http://127.0.0.1:8080", intake.url)
        exec(compile(code, str(PAGE), "exec"), names)  # noqa: S102 (the project's own page)
    (taken,) = intake.taken
    (sent,) = FakeProducer.sent
    assert names["answer"].accepted == ("shop-4711",)
    assert sent["topic"] == TOPIC
    assert sent["key"] == b"c-1042"
    assert sent["partition"] == home("c-1042", PARTITIONS)
    assert read(sent["value"], REGISTRY) == taken == names["touchpoint"]
    assert names["settings"]["partitioner"] == "murmur2_random"
    binary = read(names["value"], REGISTRY, dict(names["headers"]))
    assert isinstance(binary, Touchpoint)
    assert binary.customer_id == "c-1042"


def test_the_curl_line_sends_a_touchpoint_that_is_taken() -> None:
    """The body of the curl line is a good touchpoint, and the line posts JSON to the intake's path."""
    (line,) = blocks("sh")
    words = shlex.split(line.replace("\\\n", " "))
    body = words[words.index("-d") + 1]
    assert words[0] == "curl"
    assert words[words.index("-H") + 1] == "content-type: application/json"
    assert "http://127.0.0.1:8080/v1/touchpoints" in words
    assert isinstance(read(body.encode(), REGISTRY), Touchpoint)


def test_the_json_blocks_are_what_the_page_says() -> None:
    """The plain touchpoint and the CloudEvent say the same, and the answer is one of the intake's."""
    plain, answer, event = blocks("json")
    touchpoint = read(plain.encode(), REGISTRY)
    assert isinstance(touchpoint, Touchpoint)
    without_channel = touchpoint.model_copy(update={"channel": None})
    assert read(event.encode(), REGISTRY) == without_channel
    shown = json.loads(answer)
    assert json.loads(IntakeAnswer.model_validate(shown).model_dump_json()) == shown
    problem = shown["rejected"][0]["problem"]
    late = json.dumps(json.loads(plain) | {"occurred_at": "2026-01-31T09:30:00"})
    rejection = read(late.encode(), REGISTRY)
    assert not isinstance(rejection, Touchpoint)
    assert IntakeAnswer.of([], [(1, rejection)]).rejected[0].problem.model_dump() == problem
