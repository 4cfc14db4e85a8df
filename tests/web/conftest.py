"""The site over a real Postgres, and a real browser to look at it with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from playwright.async_api import Browser, Page

from tests import chromium
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
    program = chromium.found()
    if program is None:
        pytest.skip(f"{chromium.MISSING}: no page was looked at")
    async with chromium.launched(program) as launched:
        yield launched


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
