"""The stage of the demo: Kafka, Postgres, the topics and the service, started for it and stopped after it.

The service runs in this very process, as `python -m service run` would run it. It takes SIGINT and SIGTERM itself, and
what is played stops with it.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from service import app, topics
from service.demo.listening import listening
from service.demo.morning import FILE, customers, morning
from service.demo.playing import play
from service.demo.telling import Teller
from service.local import Servers, servers
from service.local.jars import locked
from service.local.kafka import classpath
from service.settings import Settings, Topics

_PACE: dict[str, Any] = {"seal_grace": timedelta(seconds=6), "clock_interval": timedelta(seconds=1)}
"""The usual grace of a minute is too long to sit through."""

_EXAMPLE = '{"specversion": "1.0", "id": "mine-1", "source": "me", "type": "cancellation-revoked", '
_EXAMPLE += '"data": {"subscription_id": "hus-4001"}}'


async def demo(settings: Settings, names: Topics, console: Console, *, keep: bool) -> bool:
    """Starts everything, plays the morning, and stops everything; with `keep` not until it is told to.

    Returns:
        Whether it came to its end; False when it was interrupted before.

    Raises:
        LocalError: the servers cannot run here.
        PlayError: the service does not answer.
    """
    lines = morning()
    console.print()
    console.print(Text("One morning of cancellations", "bold"))
    says = (
        f"{len(lines)} events about {len(customers(lines))} subscriptions go into Kafka, as any system can send them."
    )
    console.print(f"{says} What each cancellation breaks off is put right, and comes out of Kafka.\n", highlight=False)
    async with _servers(console) as found:
        update = {"http_bind": "127.0.0.1:0", **_PACE}
        settings = settings.at(found.kafka, found.postgres).model_copy(update=update)
        await topics.create(settings, names)
        ready, played = asyncio.Event(), asyncio.Event()

        async def show() -> None:
            with _step(console, "the service"):
                await ready.wait()
            await play(settings, names, console)
            played.set()
            if keep:
                await _stay(settings, found, names, console)
            else:
                _farewell(console)

        await _beside(app.run(settings, names, lambda _: ready.set()), show())
        if played.is_set() or console.is_terminal:
            console.print(Text("Stopping …", "dim"))
    return played.is_set()


async def _beside(service: Coroutine[Any, Any, None], show: Coroutine[Any, Any, None]) -> None:
    """Runs the show beside the service; when one ends, of itself or by a signal, it takes the other along."""
    tasks = [asyncio.create_task(service), asyncio.create_task(show)]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended


@asynccontextmanager
async def _servers(console: Console) -> AsyncIterator[Servers]:
    """The servers, said by name; those that the caller has are used."""
    given = {name: os.environ.get(name, "") for name in ("KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL")}
    for name, address in given.items():
        if address:
            console.print(f"Using {name} as it is set.", highlight=False)
    started = [] if given["KAFKA_BOOTSTRAP_SERVERS"] else [f"Kafka {locked()[0].coordinate.rpartition(':')[2]}"]
    started += [] if given["DATABASE_URL"] else ["Postgres 18"]
    if not given["KAFKA_BOOTSTRAP_SERVERS"]:
        await classpath()  # shows by itself what it has to fetch, which is only once
    async with AsyncExitStack() as stack:
        with _step(console, " and ".join(started)) if started else nullcontext():
            found = await stack.enter_async_context(servers())
        yield found


@contextmanager
def _step(console: Console, what: str) -> Iterator[None]:
    """Says that something is being started, and how long it took."""
    began = time.monotonic()
    if console.is_terminal:
        with console.status(f"Starting {what} …"):
            yield
    else:
        console.print(f"Starting {what} …", highlight=False)
        yield
    console.print(Text.assemble(("✓ ", "green"), what, (f"  {time.monotonic() - began:.1f} s", "dim")))


async def _stay(settings: Settings, found: Servers, names: Topics, console: Console) -> None:
    """Says how to go on by hand, and shows what comes of it until this is cancelled."""
    python = _near(Path(sys.executable))
    line = '{"topic": "cancellation-requested", "key": "hus-4001", "event": ' + _EXAMPLE + "}"
    steps = {
        "Take Ingrid Bach's cancellation back, with kcat": (
            f"echo '{_EXAMPLE}' | kcat -P -b {found.kafka} -t {names.cancellation_requested} -k hus-4001 "
            "-H content-type=application/cloudevents+json"
        ),
        "or without": f"echo '{line}' | {python} -m service.demo.cat {found.kafka} send",
        "See her timeline now": f"DATABASE_URL={found.postgres} {python} -m service timeline hus-4001",
        "Read outcomes": f"{python} -m service.demo.cat {found.kafka} read {names.credit_adjustment}",
        "or with kcat": f"kcat -C -b {found.kafka} -t {names.credit_adjustment} -o beginning",
    }
    console.print(Text("\nAll of it stays up until Ctrl-C; open another terminal in this directory.", "bold"))
    for what, command in steps.items():
        console.print(Text(f"\n{what}:", "dim"))
        console.print(Text(command), soft_wrap=True)
    console.print(Text(f"\nMore to copy from: {_near(FILE)}. What comes of your own events appears here:\n", "dim"))
    async with listening(settings, names) as heard:
        heard.tell = Teller(console, customers(morning())).overhear
        await asyncio.Event().wait()


def _near(path: Path) -> Path:
    """A path as it is shortest from here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _farewell(console: Console) -> None:
    console.print(Text("\nNext", "bold"))
    console.print("  make demo KEEP=1   stays up, for events of your own", highlight=False)
    console.print("  README.md          how to run it against your own Kafka and Postgres\n", highlight=False)
