"""A site over a real Postgres at a time that a test sets, and stories played through the flow."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from itertools import count
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen
from zoneinfo import ZoneInfo

import asyncpg

from service.flow import Flow
from service.health import Health
from service.http import serve
from service.settings import Settings, Topics
from service.store.records import Incoming
from tests.stories.story import Clock, Story

STRUCTURED = [("content-type", b"application/cloudevents+json")]


@dataclass(frozen=True)
class Answer:
    """An answer of the site."""

    status: int
    headers: Message
    text: str

    @property
    def json(self) -> Any:  # noqa: ANN401  whatever it says
        return json.loads(self.text)


@dataclass
class Stage:
    """The site's address, the time it is there, and what has been told so far."""

    pool: asyncpg.Pool
    address: str = ""
    now: datetime = datetime(2026, 11, 12, 9, 30, tzinfo=UTC)
    offsets: count[int] = field(default_factory=count)

    def at(self, moment: str, zone: str = "Europe/Copenhagen") -> None:
        """Sets the time, on the clock of a zone unless it has an offset."""
        instant = datetime.fromisoformat(moment)
        self.now = (instant if instant.tzinfo else instant.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)

    async def play(
        self, story: Story, subscription: str = "S1", customer: str = "customer", tenant: str = "default"
    ) -> None:
        """Plays a story through the flow, each event at its own time, as a subscription of that name."""
        for number, step in enumerate(story.events):
            if isinstance(step, Clock):
                self.at(step.at, story.zone)
                while await self._flow.end_due():
                    pass
                continue
            self.at(step.at, story.zone)
            data = {**step.data, "tenant_id": tenant}
            data |= {"subscription_id": subscription} if "subscription_id" in step.data else {}
            data |= {"customer_id": customer} if "customer_id" in step.data else {}
            envelope = {
                "specversion": "1.0",
                "id": f"{tenant} {subscription} {step.id or number}",
                "source": "stories",
                "type": step.type,
                "time": self.now.isoformat(),
                "data": data,
            }
            self.at(step.seen or step.at, story.zone)
            await self._flow.process([self._record(json.dumps(envelope).encode())])

    def url(self, path: str = "/", **query: str) -> str:
        """The address of a page."""
        return f"{self.address}{path}" + (f"?{urlencode(query)}" if query else "")

    async def ask(
        self, path: str = "/", method: str = "GET", accept: str = "", authorization: str = "", **query: str
    ) -> Answer:
        """What the site answers."""
        headers = {"Accept-Language": accept} | ({"Authorization": authorization} if authorization else {})
        request = Request(self.url(path, **query), method=method, headers=headers)  # noqa: S310  our own site
        return await asyncio.to_thread(_asked, request)

    @property
    def _flow(self) -> Flow:
        return Flow(self.pool, Settings(), Topics(), lambda: self.now)

    def _record(self, value: bytes) -> Incoming:
        milliseconds = int(self.now.timestamp() * 1000)
        return Incoming("subscription-lifecycle", 0, next(self.offsets), milliseconds, b"S1", value, STRUCTURED)


@asynccontextmanager
async def staged(
    pool: asyncpg.Pool,
    reading: asyncpg.Pool | None = None,
    **settings: Any,  # noqa: ANN401  those of `Settings`
) -> AsyncIterator[Stage]:
    """A stage whose site is served while the context lasts."""
    stage = Stage(pool)
    given = Settings(**{"http_bind": "127.0.0.1:0", "http_rate_limit": "100000/minute", **settings})
    async with serve(given, Topics(), pool, Health(), lambda: stage.now, reading=reading) as stage.address:
        yield stage


def _asked(request: Request) -> Answer:
    try:
        with urlopen(request) as response:  # noqa: S310  our own site
            return Answer(response.status, response.headers, response.read().decode())
    except HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read().decode())


def titled(title: str) -> Story:
    """The story of that title."""
    from tests.stories.stories import GROUPS  # noqa: PLC0415  reads every story

    return next(story for group in GROUPS.values() for story in group if story.title == title)
