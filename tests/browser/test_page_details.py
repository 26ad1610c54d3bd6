"""What the page does in less usual moments: failed requests, fingers, odd ids."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from playwright.async_api import Page, Route, expect

from tests.browser.test_page import DESK, PHONE, Call, at, browser, call
from tests.support.browser import opened

__all__ = ["at", "browser", "call"]
pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]


async def refuse(route: Route) -> None:
    """Answer as a server that cannot."""
    problem = {"type": "/problems/unavailable", "detail": "Redis: no answer"}
    await route.fulfill(status=503, json=problem, content_type="application/problem+json")


async def choose_the_full_band(page: Page) -> None:
    """Show the band in which somebody is."""
    full = page.locator("#bands-spread button").filter(
        has=page.locator(".slot-count", has_text="1")
    )
    await full.first.click()
    await expect(page.locator("#bands-list tr")).to_have_count(1)


async def test_the_skip_link_leads_to_the_open_customer(call: Call) -> None:
    """Skipping to the customer moves the focus and nothing else: the card stays, and so does the address."""
    async with call.page("anna") as page:
        await expect(page.locator(".outcome")).to_have_count(3)
        await page.locator("#search-id").focus()
        await page.keyboard.press("Shift+Tab")
        await expect(page.locator(".skip")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.locator("h1")).to_be_focused()
        await expect(page.locator("h1")).to_have_text("anna")
        await expect(page.locator(".outcome")).to_have_count(3)
        assert page.url.endswith("#customer=anna")


async def test_a_list_that_cannot_be_read_is_said(call: Call) -> None:
    """Where a band's list fails, no row of another band stands for it; it comes by itself once it can be read."""
    async with opened(call.browser, "about:blank", **DESK) as page:
        await page.clock.install()
        await page.goto(call.address)
        await choose_the_full_band(page)
        empty = page.locator("#bands-empty")
        await page.route("**/v1/bands/**", refuse)
        await page.locator("#bands-order").select_option("moved")
        await expect(empty).to_be_visible()
        await expect(empty).to_contain_text("could not be read")
        await expect(page.locator("#bands-list tr")).to_have_count(0)
        await page.unroute("**/v1/bands/**")
        await page.clock.run_for(21_000)
        await expect(page.locator("#bands-list a")).to_have_text("anna")
        await expect(empty).to_be_hidden()


async def test_a_list_that_is_slow_shows_no_rows_of_another(call: Call) -> None:
    """Until a band's list is there, the page says that it looks instead of showing the band before."""
    waiting: list[Route] = []

    async def hold(route: Route) -> None:
        waiting.append(route)

    async with call.page() as page:
        await choose_the_full_band(page)
        await page.route("**/v1/bands/**", hold)
        await page.locator("#bands-order").select_option("moved")
        await expect(page.locator("#bands-empty")).to_have_text("Looking …")
        await expect(page.locator("#bands-list tr")).to_have_count(0)
        await waiting[0].continue_()
        await expect(page.locator("#bands-list a")).to_have_text("anna")


async def test_the_list_of_a_band_stays_as_of_now(call: Call) -> None:
    """With the counts the rows are read again, but not while someone is at them."""
    async with opened(call.browser, "about:blank", **DESK) as page:
        await page.clock.install()
        await page.goto(call.address)
        await choose_the_full_band(page)
        pressed = page.locator('#bands-spread [aria-pressed="true"] .slot-count')
        rows = page.locator("#bands-list tr")

        await rows.first.hover()
        await call.buy("bert")
        # Once the feed tells of bert, the counts do too.
        await expect(page.locator(".who").first).to_have_text("bert")
        await page.clock.run_for(21_000)
        await expect(pressed).to_contain_text("2")
        await expect(rows).to_have_count(1)

        await page.mouse.move(1, 1)
        await rows.locator("a").focus()
        await page.clock.run_for(21_000)
        await expect(rows).to_have_count(1)

        await page.locator("#search-id").focus()
        await page.clock.run_for(21_000)
        await expect(rows).to_have_count(2)


async def test_a_tap_does_not_hold_the_stream(call: Call) -> None:
    """A finger is gone after a tap, so band changes go on, also after the open customer was tapped."""
    async with call.page("anna", **PHONE) as page:
        who = page.locator(".who")
        await expect(who).to_have_count(3)
        await page.locator(".move").first.tap()
        await expect(page.locator("h1")).to_be_focused()
        await call.buy("bert")
        await expect(who).to_have_count(6)


async def test_a_mouse_holds_the_stream(call: Call) -> None:
    """A pointer that rests on the list holds it, and lets go when it leaves."""
    async with call.page() as page:
        who = page.locator(".who")
        await expect(who).to_have_count(3)
        await page.locator(".move").first.hover()
        await call.buy("bert")
        await expect(page.locator("#moves-held")).to_have_text("Held while you read · 3 new")
        await page.mouse.move(1, 1)
        await expect(who).to_have_count(6)


@pytest.mark.parametrize("customer", ["..", "x/bands"])
async def test_any_id_is_shown(call: Call, customer: str) -> None:
    """Ids that mean something else in a path open like any other, with their history."""
    await call.buy(customer)
    async with call.page(quote(customer, safe="")) as page:
        await expect(page.locator("h1")).to_have_text(customer)
        await expect(page.locator(".outcome")).to_have_count(3)
        await expect(page.locator("details li")).to_have_count(3)


async def test_what_led_to_a_band_is_told_by_sign_shape_and_word(call: Call) -> None:
    """A card says what moved the customer since the change before, strongest first, without what is next to nothing."""

    async def answer(route: Route) -> None:
        response = await route.fetch()
        found = await response.json()
        purchase, coupon, _ = found["outcomes"]
        purchase["moved"] = {"log_odds": 0.5, "events": 0.81, "silence": -1.04, "model": 0.1}
        purchase["reasons"].append(
            {"family": "combined", "contribution": 9.0, "text": "what all of these do together"}
        )
        coupon["moved"] = {"log_odds": 0.5, "events": 0.04, "silence": -0.01, "model": 0.0}
        await route.fulfill(response=response, json=found)

    async with call.page() as page:
        await page.route("**/v1/customer?*", answer)
        await page.goto(f"{call.address}/#customer=anna")
        purchase = page.locator(".outcome", has_text="Purchase").first
        await expect(purchase.locator(".led")).to_have_text(
            "Since the change before: silence ▼\u22121.0, touchpoints ▲+0.8, what was learned ▲+0.1"
        )
        await expect(purchase.locator(".reasons.up strong").first).to_have_text("Together")
        await expect(page.locator(".led")).to_have_count(1)


async def test_an_absence_is_told_by_what_is_absent(call: Call) -> None:
    """A card names the types of touchpoint that an absence is about: one, several, or nothing at all."""
    told = "(types) => import('/static/words.js').then((words) => words.about({ kind: 'absence', horizon_days: 28, types }))"
    async with call.page("anna") as page:
        churn = page.locator(".outcome", has_text="Churn").locator("h2 small")
        await expect(churn).to_have_text(
            "none of purchase, point of sale, direct sales within 28 days"
        )
        assert await page.evaluate(told, ["direct_sales"]) == "no direct sales within 28 days"
        assert await page.evaluate(told, []) == "nothing within 28 days"
