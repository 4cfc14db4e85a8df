"""The operations page: live in a browser, in both languages, and what it is fed with."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from playwright.async_api import Page, expect

from service import metrics
from service.health import Health
from service.http import serve
from service.ops.watching import Watch
from service.settings import Settings, Topics
from service.web.operations import sample
from tests.conftest import Running
from tests.stories.story import Story
from tests.web.conftest import keep
from tests.web.stage import Stage, titled
from tests.web.test_browser import without_findings


async def events(address: str, count: int) -> list[Any]:
    """What the first events of the stream say."""
    host, _, port = address.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /operations/events HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n")
    found: list[Any] = []
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    assert "content-type: text/event-stream" in head
    assert "content-encoding" not in head
    async with asyncio.timeout(30):
        while len(found) < count:
            line = (await reader.readline()).decode()
            if line.startswith("data: "):
                found.append(json.loads(line.removeprefix("data: ")))
    writer.close()
    await writer.wait_closed()
    return found


def figure(page: Page, name: str) -> Any:  # noqa: ANN401  of an untyped fixture
    return page.locator(f'dl [data-figure="{name}"]')


@pytest.fixture
def story() -> Story:
    return titled("a price change after the end")


async def test_it_shows_what_waits_and_follows_it(stage: Stage, page: Page, story: Story) -> None:
    await stage.play(story, "S1")
    waiting = await stage.pool.fetchval("select count(*) from outbox")
    await page.goto(stage.url("/operations"))
    await expect(page.locator("#connection")).to_have_text("Live: every two seconds.")
    await expect(figure(page, "outbox")).to_have_text(str(waiting))
    await expect(figure(page, "held")).to_have_text("0")
    await stage.play(story, "S2")
    await expect(figure(page, "outbox")).to_have_text(str(2 * waiting), timeout=15_000)
    await expect(page.locator("[data-chart] canvas")).to_have_count(3)
    await without_findings(page)
    await keep(page, "operations")


async def test_it_is_read_in_danish_on_a_phone(stage: Stage, page: Page) -> None:
    await page.set_viewport_size({"width": 360, "height": 740})
    await page.goto(stage.url("/operations", lang="da"))
    await expect(page.locator("h1")).to_have_text("Drift")
    await expect(page.locator("#connection")).to_have_text("Live: hvert andet sekund.")
    await expect(figure(page, "outbox_age")).to_have_text("0 sek.")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await without_findings(page)
    await keep(page, "operations-phone")


async def test_it_is_found_from_the_search(stage: Stage, page: Page) -> None:
    await page.goto(stage.url("/", lang="en"))
    await page.get_by_role("link", name="Operations").click()
    await expect(page.locator("h1")).to_have_text("Operations")


async def test_it_says_so_when_the_database_is_away(stage: Stage, page: Page, story: Story) -> None:
    await stage.play(story)
    await page.goto(stage.url("/operations"))
    await expect(page.locator('[data-away="database"]')).to_be_hidden()
    await stage.pool.close()
    await expect(page.locator('[data-away="database"]')).to_be_visible(timeout=15_000)


async def test_who_comes_later_gets_what_was_seen_before(stage: Stage) -> None:
    first, second = await events(stage.address, 2)
    assert len(first) == len(second) == 1
    later = (await events(stage.address, 1))[0]
    assert later[:2] == [first[0], second[0]]


async def test_a_running_service_says_its_lag_and_its_rebalances(running: Running) -> None:
    (first,) = await events(running.http, 1)
    assert {"at", "lag", "events", "rebalances", "dead_letters", "retries", "open"} <= first[-1].keys()
    assert first[-1]["database"] == 1


async def test_nobody_who_looks_keeps_the_service_from_stopping(stage: Stage) -> None:
    watch = Watch(stage.pool, Settings(), lambda: stage.now)
    async with (
        asyncio.timeout(20),
        serve(Settings(http_bind="127.0.0.1:0"), Topics(), stage.pool, Health(), watch=watch) as address,
    ):
        host, _, port = address.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /operations/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readuntil(b"data: ")
    writer.close()
    await writer.wait_closed()


def test_the_document_is_plain_numbers() -> None:
    metrics.LAG.clear()
    assert sample()["lag"] == 0
    assert all(isinstance(value, float | int | dict) for value in sample().values())
