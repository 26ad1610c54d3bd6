"""A Redis that was emptied: page, API and doctor say that scores are rebuilt, until they are."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest
from playwright.async_api import expect

from stream.api import events
from stream.broker.topics import Topics
from stream.embedded.ports import free_port
from tests.engines import MakeSettings
from tests.support.browser import chromium, opened
from tests.support.command import Cli
from tests.support.live import Space, space
from tests.support.serving import ready, serving, until
from tests.support.shop import touches

pytestmark = pytest.mark.timeout(120)
LOG = touches(300)


async def empty(at: Space) -> None:
    """Lose all states of a namespace."""
    pattern = f"{{{Topics(at.settings.namespace).space}:*"
    keys = [key async for key in at.store.client.scan_iter(match=pattern, count=10_000)]
    await at.store.client.delete(*keys)


async def test_an_emptied_redis_is_told_everywhere(
    live_settings: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody sees half a state; once a worker has rebuilt it, the page shows the customer by itself again."""
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.2)
    api = {"port": free_port(), "view": tmp_path / "view.sqlite3"}
    settings = await live_settings(partitions=1, api=api)
    customer = LOG[0][1]
    async with (
        space(settings) as at,
        serving(settings) as address,
        httpx2.AsyncClient(base_url=address) as http,
        chromium() as browser,
    ):
        records = await at.produce(LOG)
        async with at.worker():
            await at.taken_in(records)
        await ready(http)
        before = (await http.get(f"/v1/customers/{customer}")).json()["outcomes"]
        async with opened(browser, f"{address}/#customer={customer}") as page:
            await expect(page.locator(".outcome")).to_have_count(3)
            await empty(at)
            answer = await http.get(f"/v1/customers/{customer}")
            assert answer.status_code == 503
            assert answer.json()["type"] == "/problems/rebuilding"
            await expect(page.locator("#state-word")).to_have_text("Rebuilding")
            await expect(page.locator("#state-word")).to_have_attribute("role", "status")
            await expect(page.locator("#notice-text")).to_contain_text(
                "Scores are rebuilt from the log"
            )
            assert (await http.get("/v1/bands/purchase/high")).status_code == 503

            report = Cli(settings, tmp_path).data("doctor")
            assert report["rebuilding"] == [
                {
                    "partition": 0,
                    "done": 0.0,
                    "remaining_records": records,
                    "remaining_seconds": None,
                }
            ]
            assert report["well"], "it mends itself"
            texts = {each["check"]: each["text"] for each in report["findings"]}
            assert "nothing has moved" in texts["rebuild"]

            async with at.worker():
                await at.taken_in(records)

                async def rebuilt() -> bool:
                    return (await http.get("/readyz")).status_code == 200

                await until(rebuilt)
                await expect(page.locator("#state-word")).not_to_have_text("Rebuilding")
                await expect(page.locator(".outcome")).to_have_count(3)
        assert (await http.get(f"/v1/customers/{customer}")).json()["outcomes"] == before
