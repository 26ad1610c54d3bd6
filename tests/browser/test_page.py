"""The call-center page in a real browser, against the real API with real band changes."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect
from playwright.async_api import TimeoutError as PlaywrightTimeout
from pydantic import SecretStr

from stream.api import events, watch
from stream.embedded.ports import free_port
from stream.settings import ApiSettings, Settings
from tests.engines import MakeSettings
from tests.support.browser import FAULTS, Network, chromium, opened
from tests.support.live import Space, space
from tests.support.serving import go_live, metric, ready, serving, until
from tests.support.world import touchpoint

# One browser for all: its start takes a second.
pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]
DESK: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 740},
    "has_touch": True,
    "is_mobile": True,
}
BANDS = ["Very low", "Low", "Moderate", "High", "Very high"]
_numbers = count()


@dataclass
class Call:
    """A deployment at work: the API, and what customers do."""

    settings: Settings
    http: httpx2.AsyncClient
    browser: Browser

    @property
    def address(self) -> str:
        """Where the API is."""
        return str(self.http.base_url).rstrip("/")

    async def buy(self, customer: str, *kinds: str) -> None:
        """Let a customer do things now; a purchase, if nothing is said."""
        for kind in kinds or ("purchase",):
            body = touchpoint(next(_numbers), customer, kind, time.time())
            headers = {"content-type": "application/json"}
            answer = await self.http.post("/v1/touchpoints", content=body, headers=headers)
            assert answer.status_code == 202

    @asynccontextmanager
    async def page(self, customer: str = "", **context: Any) -> AsyncIterator[Page]:
        """The page, opened for a customer as a phone system does, and live."""
        url = f"{self.address}/#customer={customer}" if customer else f"{self.address}/"
        async with opened(self.browser, url, **(context or DESK)) as page:
            await expect(page.locator("#state-word")).to_have_text("Live")
            yield page


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """The browser."""
    async with chromium() as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def at(live_settings: MakeSettings, tmp_path: Path) -> AsyncIterator[Space]:
    """A live deployment with a worker."""
    api = {"port": free_port(), "view": tmp_path / "view.sqlite3"}
    settings = await live_settings(partitions=1, api=api)
    await go_live(settings)
    async with space(settings) as made, made.worker():
        yield made


@asynccontextmanager
async def running(settings: Settings, browser: Browser, **client: Any) -> AsyncIterator[Call]:
    """The API, ready."""
    async with (
        serving(settings) as address,
        httpx2.AsyncClient(base_url=address, **client) as http,
    ):
        await ready(http)
        await metric(http, 'bandshift_partition_live{partition="0"} 1.0')
        yield Call(settings, http, browser)


@pytest_asyncio.fixture(loop_scope="module")
async def call(at: Space, browser: Browser) -> AsyncIterator[Call]:
    """The API over it, after anna has bought something."""
    async with running(at.settings, browser) as made:
        await made.buy("anna")
        yield made


async def note(page: Page, name: str, place: str) -> None:
    """Note every text that an element shows from now on, as `window[name]`."""
    await page.evaluate(
        """([name, place]) => {
          const noted = (window[name] = []);
          const element = document.getElementById(place);
          const take = () => noted.push(element.textContent);
          new MutationObserver(take).observe(element, { childList: true, characterData: true, subtree: true });
        }""",
        [name, place],
    )


async def shows_focus(page: Page) -> str:
    """Which element has the focus; it must be seen."""
    name, outline = await page.evaluate(
        """() => { const it = document.activeElement;
        return [it.id || it.tagName, getComputedStyle(it).outlineStyle]; }"""
    )
    assert outline != "none" or name == "BODY", f"{name} does not show that it has the focus"
    return str(name)


async def test_everything_can_be_done_by_keyboard(call: Call) -> None:
    """From the slash to a customer, its history, the stream's pause and a band's list, without a mouse."""
    async with call.page() as page:
        press = page.keyboard.press
        await press("/")
        await expect(page.locator("#search-id")).to_be_focused()
        await page.keyboard.type("ann")
        await expect(page.locator("#search-names option")).to_have_attribute("value", "anna")
        await page.keyboard.type("a")
        await press("Enter")
        await expect(page.locator("h1")).to_have_text("anna")
        await expect(page.locator("h1")).to_be_focused()
        await expect(page.locator(".outcome")).to_have_count(3)
        assert page.url.endswith("#customer=anna")

        seen = []
        for _ in range(16):
            await press("Tab")
            seen.append(await shows_focus(page))
            if seen[-1] == "SUMMARY":
                await press("Enter")
                await expect(page.locator("details")).to_have_attribute("open", "")
                await call.buy("anna", "coupon_redeemed")  # the card is drawn anew under the reader
                await expect(page.locator("details li")).not_to_have_count(3)
                await expect(page.locator("summary")).to_be_focused()
                await expect(page.locator("details")).to_have_attribute("open", "")
            if seen[-1] == "moves-pause":
                await press("Space")
                await expect(page.locator("#moves-pause")).to_have_attribute("aria-pressed", "true")
                await press("Space")
        wanted = (
            "SUMMARY",
            "moves-outcome",
            "moves-pause",
            "A",
            "bands-outcome",
            "bands-order",
            "BUTTON",
        )
        assert not set(wanted) - set(seen)

        band = page.locator("#bands-spread button").first
        await band.focus()
        await press("Space")
        await expect(band).to_be_focused()
        await expect(band).to_have_attribute("aria-pressed", "true")


async def test_a_customer_is_shown_with_word_shape_number_and_reasons(call: Call) -> None:
    """What the card says is what the API says: band, probability, age, trend, advice, reasons; and it moves by itself."""
    async with call.page("anna") as page:
        card = page.locator(".outcome").first
        await expect(card.locator("h2")).to_contain_text("Purchase")
        told = (await call.http.get("/v1/customers/anna")).json()["outcomes"][0]
        word = told["band"].capitalize()
        await expect(card.locator(".band")).to_have_text(word)
        await expect(card.locator(".verdict rect.on")).to_have_count(BANDS.index(word) + 1)
        await expect(card.locator(".probability")).to_have_text(re.compile(r"^\d+(\.\d)? %$"))
        await expect(card.locator(".todo")).to_contain_text(told["advice"])
        await expect(card.locator(".reasons li")).to_have_count(len(told["reasons"]))
        figure = re.compile(r"^(From|No trend yet)")
        await expect(card.locator("figcaption .hidden")).to_have_text(figure)
        young = re.compile(r"^Last scored (just now|\d+ s ago)$")
        await expect(page.locator("#customer-age")).to_have_text(young)

        before = await card.locator(".probability").inner_text()
        await call.buy("anna", "purchase", "web_visit")
        await expect(card.locator(".probability")).not_to_have_text(before)
        assert await page.title() == "anna · bandshift"


async def test_an_unscored_customer_is_called_so(call: Call) -> None:
    """Nobody's probability is shown as 0: the page says unscored, and shows the score once there is one."""
    async with call.page("zoe") as page:
        await expect(page.locator("#customer-body")).to_contain_text("Unscored.")
        await expect(page.locator(".probability")).to_have_count(0)
        await call.buy("zoe")
        await expect(page.locator(".probability")).to_have_count(3)


async def _shows(move: Locator, who: str, came_from: str, cause: str) -> None:
    await expect(move.locator(".who")).to_have_text(who)
    await expect(move.locator(".band").first).to_have_text(came_from)
    await expect(move.locator(".cause")).to_contain_text(cause)


async def test_band_changes_are_shown_at_once_and_said_politely(call: Call) -> None:
    """A move appears with who, from, why; many are announced in one sentence, and none takes the focus."""
    async with opened(call.browser, "about:blank", **DESK) as page:
        await page.clock.install()
        await page.goto(call.address)
        moves, announcer = page.locator(".move"), page.locator("#announcer")
        await expect(moves).to_have_count(3)
        await page.clock.run_for(2_000)
        assert await announcer.inner_text() == "", "what was there at the beginning is no news"
        await page.locator("#search-id").focus()
        await note(page, "said", "announcer")

        await call.buy("bert")
        await _shows(moves.first, "bert", "Unscored", "after a purchase")
        await page.clock.run_for(1_000)
        await expect(announcer).to_have_text(
            re.compile(r"customer bert is now .*\. 2 more moves\.$")
        )
        for number in range(6):
            await call.buy(f"c{number}")
        await expect(moves).to_have_count(24)
        await page.clock.run_for(2_000)
        await expect(announcer).to_have_text(re.compile("bert"))
        await page.clock.run_for(8_000)
        await expect(announcer).to_have_text(
            re.compile(r"customer c\d is now .*\. 17 more moves\.$")
        )
        assert len(await page.evaluate("window.said")) == 2, "21 moves make two sentences"
        await expect(page.locator("#search-id")).to_be_focused()
        await expect(announcer).to_have_attribute("aria-live", "polite")


async def test_the_stream_can_be_held(call: Call) -> None:
    """Paused, or while someone reads the list, nothing moves under the hand; what is new is counted and comes after."""
    async with call.page() as page:
        who, held = page.locator(".who"), page.locator("#moves-held")
        await expect(who).to_have_count(3)
        await page.locator("#moves-pause").click()
        await call.buy("bert")
        await expect(held).to_have_text("Paused · 3 new")
        await expect(who).to_have_count(3)
        await page.locator("#moves-pause").click()
        await expect(who).to_have_count(6)

        await page.locator(".move").first.focus()
        await call.buy("carl")
        await expect(held).to_have_text("Held while you read · 3 new")
        await expect(page.locator(".move").first).to_be_focused()
        await page.locator("#search-id").focus()
        await expect(who).to_have_count(9)
        await page.locator("#moves-outcome").select_option("churn")
        await expect(who).to_have_count(3)


OUTSIDE = """
() => [...document.querySelectorAll('main *, header *')]
  .filter((each) => !each.closest('.hidden, .table-box, svg') && each.checkVisibility())
  .filter((each) => each.getBoundingClientRect().right > innerWidth + 1)
  .map((each) => each.outerHTML.slice(0, 80))
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_works_on_a_phone(call: Call, scheme: str) -> None:
    """At 360 pixels nothing scrolls sideways, nothing is cut off, and an audit finds no fault; dark or light."""
    long = "a-very-long-customer-id-without-any-place-to-break-" * 3
    await call.buy(long)
    async with call.page(long, color_scheme=scheme, reduced_motion="reduce", **PHONE) as page:
        await expect(page.locator(".outcome")).to_have_count(3)
        await expect(page.locator(".who").nth(5)).to_be_visible()
        await page.locator("summary").tap()
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360
        assert await page.evaluate(OUTSIDE) == []
        assert await page.evaluate(FAULTS) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_an_audit_finds_no_fault(call: Call, scheme: str) -> None:
    """Names, labels, headings, targets and contrast are in order on the full page, dark or light."""
    for number in range(4):
        await call.buy(f"c{number}")
    await call.buy("c1", *["purchase"] * 5, "coupon_redeemed")
    async with call.page("c1", color_scheme=scheme, reduced_motion="reduce", **DESK) as page:
        await expect(page.locator(".outcome")).to_have_count(3)
        await expect(page.locator(".move").nth(14)).to_be_visible()
        await page.locator("summary").click()
        assert await page.evaluate(FAULTS) == []
        moving = "document.getAnimations().filter((each) => each.playState === 'running').length"
        assert await page.evaluate(moving) == 0, "nothing moves for who asked for that"


async def test_a_dead_api_is_said_and_survived(at: Space, browser: Browser) -> None:
    """When the API dies the page says that it reconnects, with a countdown; when it is back, nothing is missing."""
    async with AsyncExitStack() as stack:
        async with running(at.settings, browser) as call:
            await call.buy("anna")
            page = await stack.enter_async_context(call.page("anna"))
            await expect(page.locator(".who")).to_have_count(3)
            await expect(page.locator(".outcome")).to_have_count(3)
        await expect(page.locator("#state-word")).to_have_text("Reconnecting")
        countdown = re.compile(r"Next try in \d+ s\.")
        await expect(page.locator("#notice-text")).to_have_text(countdown)
        await expect(page.locator(".outcome")).to_have_count(3)
        async with running(at.settings, browser) as call:
            await call.buy("bert")
            with suppress(PlaywrightTimeout):  # gone where the countdown has run out meanwhile
                await page.locator("#notice-act").click(timeout=2_000)
            await expect(page.locator("#state-word")).to_have_text("Live")
            await expect(page.locator("#notice")).to_be_hidden()
            await expect(page.locator(".who")).to_have_count(6)
            await expect(page.locator(".who").first).to_have_text("bert")


async def test_silence_on_the_wire_is_stale(call: Call) -> None:
    """A network that dies without a word is noticed: stale from 25 seconds on, reconnecting once a try failed, then live again."""
    network = Network(call.address)
    async with network.open() as address, opened(call.browser, "about:blank", **DESK) as page:
        await page.clock.install()
        await page.goto(address)
        await expect(page.locator("#state-word")).to_have_text("Live")
        await note(page, "states", "state-word")
        network.hold()
        await page.clock.run_for(24_000)
        assert await page.evaluate("window.states") == []
        await page.clock.run_for(2_000)
        # The next try begins within 1.25 s and is held back too: what stands still from then on is painted.
        await page.clock.run_for(3_000)
        await expect(page.locator("#state")).to_have_attribute("data-state", "stale")
        assert await page.evaluate("window.states") == ["Stale"]
        notice = page.locator("#notice-text")
        await expect(notice).to_be_visible()
        await expect(notice).to_have_text("No sign of life for 25 seconds. Trying now.")
        await page.clock.run_for(26_000)
        await expect(page.locator("#state-word")).to_have_text("Reconnecting")
        assert await page.evaluate("window.states") == ["Stale", "Reconnecting"]
        network.flow()
        await page.clock.run_for(30_000)
        await expect(page.locator("#state-word")).to_have_text("Live")


async def test_scores_that_do_not_move_are_stale(
    live_settings: MakeSettings, browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is fine but no worker takes touchpoints in: the page says so, and when one comes it is live."""
    monkeypatch.setattr(watch, "PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.5)
    settings = await live_settings(partitions=1, api={"port": 0, "view": tmp_path / "view.sqlite3"})
    await go_live(settings)
    async with space(settings) as at, serving(settings) as address:
        async with httpx2.AsyncClient(base_url=address) as http:
            async with at.worker():
                await ready(http)
            await Call(settings, http, browser).buy("anna")
        async with opened(browser, address, **DESK) as page:
            await expect(page.locator("#state-word")).to_have_text("Stale")
            await expect(page.locator("#notice-text")).to_contain_text("no worker takes them in")
            async with at.worker():
                await expect(page.locator("#state-word")).to_have_text("Live")
                await expect(page.locator(".who").first).to_have_text("anna")


async def test_a_token_is_asked_for_and_kept_in_the_tab(at: Space, browser: Browser) -> None:
    """Without a token the page shows nothing but a question; with it all works, feed included, and no address holds it."""
    token, asked = "a long random text", list[str]()
    api = ApiSettings(**at.settings.api.model_dump() | {"token": SecretStr(token)})
    headers = {"authorization": f"Bearer {token}"}
    guarded = at.settings.model_copy(update={"api": api})
    async with (
        running(guarded, browser, headers=headers) as call,
        opened(browser, call.address, **DESK) as page,
    ):
        await call.buy("anna")
        page.on("request", lambda request: asked.append(request.url))
        await expect(page.locator("#token")).to_be_visible()
        await expect(page.locator("#token-value")).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(page.locator("#token")).to_be_visible()
        await page.keyboard.type("wrong")
        await page.keyboard.press("Enter")
        await expect(page.locator("#token-text")).to_contain_text("not accepted")
        await page.locator("#token-value").fill(token)
        await page.keyboard.press("Enter")
        await expect(page.locator("#token")).to_be_hidden()
        await expect(page.locator("#state-word")).to_have_text("Live")
        await expect(page.locator(".who")).to_have_count(3)
        await page.reload()
        await expect(page.locator("#state-word")).to_have_text("Live")
        assert not any("random" in url for url in asked)
        assert await page.evaluate("localStorage.length + document.cookie.length") == 0


async def test_an_id_is_never_markup(call: Call) -> None:
    """A customer's id that looks like HTML is shown as the text that it is."""
    evil = '<img src=x onerror="document.title=1">'
    await call.buy(evil)
    async with call.page() as page:
        await expect(page.locator(".who").first).to_have_text(evil)
        await page.locator(".move").first.click()
        await expect(page.locator("h1")).to_have_text(evil)
        await expect(page.locator(".outcome")).to_have_count(3)
        assert await page.locator("main img").count() == 0


async def test_the_documented_reader_follows_the_feed(at: Space, browser: Browser) -> None:
    """The reader in docs/how-to/live-scores.md gets every band change once, though the API dies in between."""
    page_of_docs = Path(__file__).parents[2] / "docs/how-to/live-scores.md"
    (snippet,) = re.findall(r"```js\n(.*?)```", page_of_docs.read_text(encoding="utf-8"), re.DOTALL)
    told = "window.told.filter(([name]) => name === 'band-change').length"
    page: Page

    async def has(number: int, what: str = told) -> None:
        async def enough() -> bool:
            return bool(await page.evaluate(what) >= number)

        await until(enough)

    async with AsyncExitStack() as stack:
        async with running(at.settings, browser) as call:
            address = f"{call.address}/livez"
            page = await stack.enter_async_context(opened(browser, address, **DESK))
            await page.evaluate(
                f"() => {{ {snippet}; window.told = [];"
                "follow(location.origin, 'x', (name, data) => window.told.push([name, data.id])); }"
            )
            await has(1, "window.told.length")
            await call.buy("anna")
            await has(3)
        async with running(at.settings, browser) as call:
            await call.buy("bert")
            await has(6)
            await call.buy("carl")
            await has(9)
        assert (
            await page.evaluate("new Set(window.told.map(([, id]) => id).filter(Boolean)).size")
            == 9
        )
        assert await page.evaluate(told) == 9
