"""A real Chromium, a network between it and the API that can fail, and checks of what a page shows."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from playwright.async_api import (
    Browser,
    ConsoleMessage,
    Page,
    Request,
    async_playwright,
    expect,
)

expect.set_options(timeout=20_000)  # a busy machine is no failure: nothing in a test is timed

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def program() -> str:
    """The Chromium to use: BANDSHIFT_BROWSER, else the one that is installed."""
    named = os.environ.get("BANDSHIFT_BROWSER")
    found = [
        path for name in ((named,) if named else _NAMES) if name and (path := shutil.which(name))
    ]
    assert found, "the page's tests need Chromium: install it, or name one with BANDSHIFT_BROWSER"
    return found[0]


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A browser without a window."""
    async with async_playwright() as playwright:
        # Test machines often run as root and without much shared memory.
        options = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        browser = await playwright.chromium.launch(executable_path=program(), args=options)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def opened(browser: Browser, url: str, **context: Any) -> AsyncIterator[Page]:
    """A page; at the end nothing may have gone wrong in it, and nothing may have been asked of another host."""
    wrong: list[str] = []

    def asked(request: Request) -> None:
        if not request.url.startswith("http://127.0.0.1:"):
            wrong.append(request.url)

    def said(message: ConsoleMessage) -> None:
        if "Content Security" in message.text:
            wrong.append(message.text)

    made = await browser.new_context(**context)
    page = await made.new_page()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", asked)
    page.on("console", said)
    await page.goto(url)
    yield page
    await made.close()
    assert wrong == []


class Network:
    """A way to the API that can hold everything back, as a network does that has died without a word."""

    def __init__(self, target: str) -> None:
        host, _, port = target.removeprefix("http://").rpartition(":")
        self._target = host, int(port)
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._pipes: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        """The address that leads to the API."""
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for pipe in self._pipes:
                pipe.cancel()
            await asyncio.gather(*self._pipes, return_exceptions=True)

    def hold(self) -> None:
        """Nothing gets through any more, and nobody is told."""
        self._flowing.clear()

    def flow(self) -> None:
        """All is well again."""
        self._flowing.set()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._pipes.add(task)
        with suppress(OSError, asyncio.CancelledError):
            there, back = await asyncio.open_connection(*self._target)
            ways = [
                asyncio.create_task(self._pipe(*way)) for way in ((reader, back), (there, writer))
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
                back.close()
                writer.close()
        self._pipes.discard(task)

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            await self._flowing.wait()
            writer.write(data)
            await writer.drain()


FAULTS = r"""
() => {
  const faults = [];
  const visible = (element) => element.checkVisibility({ checkVisibilityCSS: true }) && !element.closest('.hidden, [hidden]');
  const words = (element) => (element.innerText || element.textContent || '').trim();

  // -- names, labels, structure
  const ids = [...document.querySelectorAll('[id]')].map((each) => each.id);
  for (const id of new Set(ids.filter((id, place) => ids.indexOf(id) !== place))) faults.push(`id ${id} is there twice`);
  for (const each of document.querySelectorAll('[aria-labelledby]'))
    if (!each.getAttribute('aria-labelledby').split(' ').every((id) => document.getElementById(id))) faults.push(`${each.tagName} is labelled by nothing`);
  for (const each of document.querySelectorAll('button, a[href]'))
    if (visible(each) && !words(each) && !each.getAttribute('aria-label')) faults.push(`${each.outerHTML.slice(0, 80)} has no name`);
  for (const each of document.querySelectorAll('input, select'))
    if (visible(each) && !each.labels.length && !each.getAttribute('aria-label')) faults.push(`${each.outerHTML.slice(0, 80)} has no label`);
  for (const each of document.querySelectorAll('img:not([alt])')) faults.push(`${each.outerHTML} has no alternative`);
  for (const each of document.querySelectorAll('svg:not([aria-hidden="true"]):not([role])')) faults.push(`${each.outerHTML.slice(0, 80)} is told as nothing`);
  for (const each of document.querySelectorAll('[tabindex]')) if (each.tabIndex > 0) faults.push(`${each.id} jumps the order`);
  if (!document.documentElement.lang) faults.push('the page has no language');
  if (document.querySelectorAll('main').length !== 1) faults.push('there must be one main');
  if (document.querySelectorAll('h1').length !== 1) faults.push('there must be one h1');
  let level = 1;
  for (const each of document.querySelectorAll('h1, h2, h3, h4')) {
    if (!visible(each)) continue;
    const now = Number(each.tagName[1]);
    if (now > level + 1) faults.push(`${words(each)} skips a level`);
    level = now;
  }
  for (const each of document.querySelectorAll('button, select, summary')) {
    const box = each.getBoundingClientRect();
    if (visible(each) && (box.height < 24 || box.width < 24)) faults.push(`${words(each)} is too small to hit`);
  }

  // -- contrast of all text
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (text) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const over = (top, under) => top.slice(0, 3).map((part, place) => part * top[3] / 255 + under[place] * (1 - top[3] / 255));
  const light = (colour) => {
    const [r, g, b] = colour.map((part) => { const c = part / 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    const layers = [];
    for (let each = element; each; each = each.parentElement) layers.push(rgba(getComputedStyle(each).backgroundColor));
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255]);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !visible(element) || ['OPTION', 'SCRIPT', 'NOSCRIPT'].includes(element.tagName) || element.closest('noscript, .skip')) continue;
    const style = getComputedStyle(element);
    const back = ground(element);
    const front = over(rgba(element.closest('svg') ? style.fill : style.color), back);
    const [dark, bright] = [light(front), light(back)].sort((one, other) => one - other);
    const ratio = (bright + 0.05) / (dark + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) faults.push(`"${walker.currentNode.data.trim().slice(0, 30)}" has a contrast of ${ratio.toFixed(2)}`);
  }
  return [...new Set(faults)];
}
"""
"""What an audit of accessibility finds: names, labels, order, size of targets, contrast (WCAG 2.2, AA)."""
