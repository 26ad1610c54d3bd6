"""The how-to for readers: every request on the page is answered, and every name on it is real."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from urllib.parse import urlsplit

from stream.api.answers import CustomerNow
from stream.api.feed import Offsets
from stream.api.routes.events import freshness
from tests.support.api import deployment
from tests.support.world import START, touchpoint

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/how-to/live-scores.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The page's fenced blocks in one language, in order."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    assert found
    return found


async def test_every_curl_line_is_answered(tmp_path: Path) -> None:
    """What curl would ask for is there, and the live feed's id is one that can be resumed from."""
    lines = [shlex.split(line) for block in blocks("sh") for line in block.splitlines()]
    assert len(lines) >= 7
    async with deployment(tmp_path) as made, made.client() as client:
        made.world.send("2281", touchpoint(1, "2281", "purchase", START), START)
        await made.catch_up()
        for line in lines:
            (address,) = [word for word in line if word.startswith("http://127.0.0.1:8080/")]
            if "/v1/events" not in address:
                answer = await client.get(address)
                assert answer.status_code == 200, line
                assert urlsplit(address).path.startswith("/v1/")
            elif "-H" in line:
                name, _, told = line[line.index("-H") + 1].partition(": ")
                assert name == "last-event-id"
                assert str(Offsets.parse(told, 8)) == told


def test_the_example_is_an_answer() -> None:
    """The customer on the page is one that the API could answer with, and its reasons add up."""
    example = CustomerNow.model_validate_json(blocks("json")[0])
    for each in example.outcomes:
        parts = sum(round(reason.contribution * 1e6) for reason in each.reasons)
        assert parts + round(each.base_log_odds * 1e6) == round(each.log_odds * 1e6)


async def test_every_name_on_the_page_is_real(tmp_path: Path) -> None:
    """Metrics and the fields of `hello` are called what the page calls them, and all fields are told."""
    async with deployment(tmp_path) as made, made.client() as client:
        metrics = (await client.get("/metrics")).text
        for name in re.findall(r"`(bandshift_\w+)`", TEXT):
            assert f"# TYPE {name}" in metrics, name
        hello = re.search(r"\| field \| means \|\n.*?\n(.*?)\n\n", TEXT, re.DOTALL)
        assert hello is not None
        named = re.findall(r"`(\w+)`", "".join(row.split("|")[1] for row in hello[1].splitlines()))
        assert set(named) == set(freshness(made.parts))


def test_the_picture_is_there_and_small() -> None:
    """The page's picture exists and does not weigh the repository down."""
    page = (ROOT / "docs/how-to/page.md").read_text(encoding="utf-8")
    (picture,) = re.findall(r"!\[[^\]]+\]\(\.\./(images/[^)]+)\)", page)
    assert 10_000 < (ROOT / "docs" / picture).stat().st_size < 300_000
