"""The system's own Chromium, headless."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

MISSING = "there is no Chromium on the PATH (Debian and Ubuntu: apt install chromium)"


def found() -> str | None:
    """Where it is; None if there is none, which is `MISSING`."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@asynccontextmanager
async def launched(program: str) -> AsyncIterator[Browser]:
    """Runs until the context ends."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        await browser.close()
