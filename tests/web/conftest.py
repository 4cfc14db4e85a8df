"""The site over a real Postgres, and a real browser to look at it with."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from playwright.async_api import Browser, Page, async_playwright

from tests.web.stage import Stage, staged

SCREENSHOTS = Path(".cache/screenshots")
"""Not under version control: kept for whoever ran the tests to look at."""


@pytest.fixture
async def stage(pool: asyncpg.Pool) -> AsyncIterator[Stage]:
    async with staged(pool) as served:
        yield served


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The system's own Chromium, headless."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("there is no Chromium on the PATH (Debian and Ubuntu: apt install chromium): no page was looked at")
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield launched
        await launched.close()


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A window of a desk's size, which has to stay without errors."""
    context = await browser.new_context(viewport={"width": 1200, "height": 900}, locale="en-GB")
    opened, errors = await context.new_page(), list[str]()
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield opened
    await context.close()
    assert errors == []


async def keep(page: Page, name: str) -> None:
    """Keeps a picture of the whole page, for a person to look at."""
    await page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
