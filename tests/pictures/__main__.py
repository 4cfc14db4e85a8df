"""Takes the pictures of the README, `make pictures`: of the real service and the real pages, in a real browser.

docs/timeline.png    the timeline page, as of the day after the worked example of the README
docs/operations.png  the operations page of a service through which the demo's morning has just gone
docs/demo.svg        what the demo shows of one customer, in a terminal
"""

from __future__ import annotations

import asyncio
import io
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from PIL import Image
from playwright.async_api import Browser, Page, expect
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from service import app, topics
from service.cli.terminal import log_lines
from service.demo.playing import play
from service.local import servers
from service.settings import Settings, Topics
from service.store.migrate import migrate
from tests import chromium
from tests.web.stage import staged, titled

FOLDER = Path("docs")
LARGEST = 150_000
"""Bytes of a picture: it is fetched by whoever opens the README."""
LOG = Path(".cache/pictures.log")
_WIDTH, _COLUMNS = 1000, 82
_COLOURS = 96


async def pictures(folder: Path) -> None:
    """Takes all of them."""
    program = chromium.found()
    if program is None:
        sys.exit(f"There are no pictures: {chromium.MISSING}.")
    async with servers() as found, chromium.launched(program) as browser:
        await _timeline(found.postgres, browser, folder)
        await _demo(found.kafka, found.postgres, browser, folder)


async def _timeline(postgres: str, browser: Browser, folder: Path) -> None:
    async with _database(postgres, "pictures") as url, asyncpg.create_pool(url, min_size=1) as pool:
        await _migrated(url)
        async with staged(pool) as stage:
            await stage.play(titled("a price change after the end"), "avis-1041", "40117")
            stage.at("2026-11-13 10:00")
            page = await browser.new_page(viewport={"width": _WIDTH, "height": 940}, locale="en-GB")
            await page.goto(stage.url("/timeline", subscription="avis-1041"))
            await _keep(page, folder / "timeline.png")


async def _demo(kafka: str, postgres: str, browser: Browser, folder: Path) -> None:
    """The morning goes through a service of this process, while the page looks on and the console is recorded."""
    pace = {"seal_grace": timedelta(seconds=2), "clock_interval": timedelta(seconds=1)}
    settings = Settings.model_validate(
        {"kafka_bootstrap_servers": kafka, "database_url": postgres, "http_bind": "127.0.0.1:0", **pace}
    )
    console = Console(record=True, file=io.StringIO(), width=_COLUMNS)
    await topics.create(settings, Topics())
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(app.run(settings, Topics(), address.set_result))
    page = await browser.new_page(viewport={"width": _WIDTH, "height": 1090}, locale="en-GB")
    await page.goto(f"{await address}/operations")
    await play(settings, Topics(), console)
    await expect(page.locator('[data-figure="outbox"]').first).to_have_text("0")
    await expect(page.locator('[data-figure="books_last_round"]')).not_to_have_text("0", timeout=60_000)
    await _keep(page, folder / "operations.png")
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    _draw(console.export_text(styles=True), folder / "demo.svg")


def _draw(shown: str, file: Path) -> None:
    """What the demo shows of Mette Holm: her cancellation, what comes of it, and her timeline."""
    lines = Text.from_ansi(shown).split("\n")
    plain = [line.plain for line in lines]
    asked = next(n for n, line in enumerate(plain) if re.match(r"\d\d:\d\d  Mette Holm.*cancels", line))
    answered = next(n for n in range(asked + 1, len(plain)) if re.match(r"\d\d:\d\d  ", plain[n]))
    drawn = next(n for n, line in enumerate(plain) if line.startswith("Mette Holm,") and line.endswith("──"))
    history = next(n for n in range(drawn, len(plain)) if "History" in plain[n])
    console = Console(record=True, file=io.StringIO(), width=_COLUMNS)
    console.print(Text("$ make demo", "bold"), Text("…", "dim"), *lines[asked:answered], Text("…", "dim"), sep="\n")
    console.print(*lines[drawn:history], sep="\n")
    # Fonts from elsewhere would not be fetched in a README anyway.
    plain_format = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    svg = console.export_svg(title="make demo", code_format=plain_format, unique_id="demo")
    _write(file, svg.encode())


async def _keep(page: Page, file: Path) -> None:
    """The window as a PNG of few colours."""
    image = Image.open(io.BytesIO(await page.screenshot())).convert("RGB")
    small = io.BytesIO()
    image.quantize(_COLOURS, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    await page.close()
    _write(file, small.getvalue())


def _write(file: Path, content: bytes) -> None:
    if len(content) > LARGEST:
        sys.exit(f"{file} would have {len(content)} bytes: more than {LARGEST}.")
    file.write_bytes(content)
    print(f"{file}: {len(content)} bytes")


async def _migrated(url: str) -> None:
    connection = await asyncpg.connect(url)
    await migrate(connection)
    await connection.close()


@asynccontextmanager
async def _database(postgres: str, name: str) -> AsyncIterator[str]:
    connection = await asyncpg.connect(postgres)
    await connection.execute(f"create database {name}")
    yield urlunsplit(urlsplit(postgres)._replace(path=f"/{name}"))
    await connection.execute(f"drop database {name} with (force)")
    await connection.close()


if __name__ == "__main__":
    with LOG.open("w", encoding="utf-8") as log:
        log_lines(log)
        asyncio.run(pictures(FOLDER))
