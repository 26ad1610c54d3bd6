"""The page's view of models, fed by real topics."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, expect

from schemas.home import home
from stream.api.models import EVENTS, SNAPSHOTS
from stream.broker import client
from stream.broker.topics import Topics
from tests.browser.test_page import DESK, OUTSIDE, PHONE, Call, at, browser, call
from tests.support.browser import FAULTS
from tests.support.models import event, snapshot, written

__all__ = ["at", "browser", "call"]
pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]


async def publish(call: Call, kind: str, *records: dict[str, Any]) -> None:
    """Write as the learner does: keyed by outcome."""
    topic = Topics(call.settings.namespace).name(kind)
    count = call.settings.kafka.partitions
    async with client.producer(call.settings.kafka) as producer:
        for record in records:
            key = record.get("outcome") or record["subject"]
            where = home(key, count)
            await producer.send_and_wait(topic, written(record), key.encode(), where)


async def models(page: Page) -> None:
    """Go to the models by keyboard: the tabs are one stop, arrows go from one to the other."""
    await page.locator("#search-id").focus()
    await page.keyboard.press("Tab")
    await expect(page.locator("#tab-live")).to_be_focused()
    await page.keyboard.press("ArrowRight")
    await expect(page.locator("#tab-models")).to_be_focused()
    await expect(page.locator("#tab-models")).to_have_attribute("aria-selected", "true")
    await expect(page.locator("#panel-live")).to_be_hidden()


async def sound(page: Page) -> Sequence[str]:
    """What an audit finds."""
    found: list[str] = await page.evaluate(FAULTS)
    return found


async def test_the_prior_gives_way_before_ones_eyes(call: Call) -> None:
    """With nothing learned the view says so; a snapshot shows by itself, with its figures, words and pictures."""
    async with call.page("anna") as page:
        await expect(page.locator(".outcome")).to_have_count(3)
        await models(page)
        model = page.locator(".model").first
        await expect(model.locator("h3")).to_contain_text("Purchase")
        await expect(model.locator(".basis")).to_have_text(re.compile("The prior decides"))
        await expect(model.locator(".model-state")).to_contain_text("Nothing has been learned yet")
        assert await sound(page) == []

        await publish(call, EVENTS, event(1), event(2, kind="promoted"))
        await publish(call, SNAPSHOTS, snapshot())
        words = "Learned from 12,345 examples, 2,345 of them positive"
        await expect(model.locator(".model-state")).to_contain_text(words)
        await expect(model.locator("dd")).to_have_text(
            ["12,345", "2,345", "0.3051", "0.3502", "0.3911", "0.0102", "1"]
        )
        labels = await model.locator(".plot").first.locator("text").all_text_contents()
        assert {"champion", "prior", "base rate", "bayes-1", "bayes-0.995", "river-lr"} <= {*labels}
        await expect(model.locator(".plot circle.dot")).to_have_count(10)
        verdicts = [re.compile(word) for word in ("Within",) * 3 + ("Below its bounds", "Few")]
        await expect(model.locator(".verdict-word")).to_have_text(verdicts)
        await expect(model.locator(".alarms")).to_contain_text("moved from 0.42 to 0.61")
        await model.locator("summary").first.focus()
        await page.keyboard.press("Enter")
        await publish(call, SNAPSHOTS, snapshot(version=8))
        rows = model.locator("details[open] strong")
        await expect(rows).to_have_text(["Version 8", "Version 7"])
        await expect(model.locator("summary").first).to_be_focused()
        assert await sound(page) == []

        await page.locator("#tab-models").focus()
        await page.keyboard.press("ArrowLeft")
        await expect(page.locator("h1")).to_have_text("anna")
        await expect(page.locator("#tab-live")).to_be_focused()
        assert urlsplit(page.url).fragment == "customer=anna"


async def test_models_fit_a_phone_and_texts_stay_texts(call: Call) -> None:
    """At 360 pixels and in the dark nothing is cut off or hard to read; what looks like markup is shown as it is."""
    evil = '<img src=x onerror="document.title=1">'
    await publish(call, SNAPSHOTS, snapshot(champion=evil), snapshot("churn", 3))
    news = event(1)
    news["data"]["text"] = evil
    await publish(call, EVENTS, news)
    async with call.page(color_scheme="dark", reduced_motion="reduce", **PHONE) as page:
        await page.locator("#tab-models").tap()
        model = page.locator(".model").first
        await expect(model.locator(".model-state")).to_contain_text(evil)
        await model.locator("summary").nth(1).tap()
        await expect(model.locator("details[open]")).to_contain_text(evil)
        assert await page.locator("main img").count() == 0
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360
        assert await page.evaluate(OUTSIDE) == []
        assert await sound(page) == []
    async with call.page(**DESK) as page:
        await page.goto(f"{call.address}/#models")
        await expect(page.locator(".model .plot")).to_have_count(4)
