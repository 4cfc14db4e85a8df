"""What a service says at `/metrics`, fetched as Prometheus does it."""

from __future__ import annotations

import asyncio
from urllib.request import urlopen

LAG = "cancellation_consumer_lag_records"


async def scrape(http: str) -> tuple[str, str]:
    """The type of the content, and the content, of the service at this address."""

    def read() -> tuple[str, str]:
        with urlopen(f"{http}/metrics") as response:  # noqa: S310  our own service
            return response.headers["Content-Type"], response.read().decode()

    return await asyncio.to_thread(read)


async def once_it_has_looked(http: str) -> str:
    """The first content with a lag: the service looks at Kafka and the database every few seconds."""
    async with asyncio.timeout(30):
        while f"{LAG}{{" not in (text := (await scrape(http))[1]):  # noqa: ASYNC110  another process sets no event
            await asyncio.sleep(0.1)
    return text
