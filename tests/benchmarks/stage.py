"""Runs one worker, or several, on the workload and says how it went."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from aiokafka import AIOKafkaProducer

from service import topics as topic_creation
from service.local import Servers
from service.settings import Settings, Topics
from service.store.migrate import migrate
from tests.benchmarks.workload import Model, Sent

COMMANDS = {
    "service": ("-m", "service", "run"),
    "per-event": ("-m", "tests.benchmarks.workers", "per-event"),
    "floor": ("-m", "tests.benchmarks.workers", "floor"),
}
_GRAIN = 0.02
_START_SECONDS, _RUN_SECONDS = 60, 1200


@dataclass(frozen=True, slots=True)
class Result:
    """How one run went: seconds from the first assignment to an empty outbox, the worker's CPU and peak memory."""

    events: int
    seconds: float
    cpu_seconds: float
    rss_mb: float

    @property
    def rate(self) -> float:
        """Events per second."""
        return self.events / self.seconds


@dataclass(slots=True)
class Worker:
    """One process under measurement."""

    process: asyncio.subprocess.Process
    assigned: asyncio.Future[float]
    address: asyncio.Future[str]
    lines: list[str] = field(default_factory=list)

    async def read(self) -> None:
        """Reads its log; the first assignment starts the clock."""
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.lines.append(line.decode().rstrip())
            if b'"partitions-assigned"' in line and not self.assigned.done():
                at = datetime.fromisoformat(json.loads(line)["timestamp"])
                self.assigned.set_result(at.timestamp())
            if b'"ready"' in line and not self.address.done():
                self.address.set_result(json.loads(line)["http"])
        if not self.assigned.done():
            self.assigned.set_exception(RuntimeError("the worker ended:\n" + "\n".join(self.lines[-20:])))

    @property
    def peak(self) -> tuple[float, float]:
        """CPU seconds so far and the peak of its memory in MB."""
        proc = Path(f"/proc/{self.process.pid}")
        cpu = proc.joinpath("stat").read_text().rpartition(")")[2].split()
        status = dict(line.split(":", 1) for line in proc.joinpath("status").read_text().splitlines())
        ticks = os.sysconf("SC_CLK_TCK")
        return (int(cpu[11]) + int(cpu[12])) / ticks, int(status["VmHWM"].split()[0]) / 1024


@dataclass(frozen=True, slots=True)
class Stage:
    """A database and topics of one run's own."""

    servers: Servers
    url: str
    settings: Settings
    topics: Topics
    environment: dict[str, str]

    async def count(self) -> int:
        """How many subscriptions there are."""
        connection = await asyncpg.connect(self.url)
        number: int = await connection.fetchval("select count(*) from subscription")
        await connection.close()
        return number

    async def send(self, stories: Iterable[list[Sent]]) -> int:
        """Produces the stories in order; returns how many events they were."""
        producer = AIOKafkaProducer(bootstrap_servers=self.servers.kafka, linger_ms=20, max_batch_size=200_000)
        await producer.start()
        sent, total = [], 0
        try:
            for story in stories:
                for event in story:
                    name = self.topics.named(event.topic)
                    sent.append(await producer.send(name, event.value, key=event.key, headers=event.headers))
                total += len(story)
                if len(sent) > 20_000:
                    await asyncio.gather(*sent)
                    sent.clear()
            await asyncio.gather(*sent)
        finally:
            await producer.stop()
        return total

    async def run(self, kind: str, events: int, workers: int = 1) -> Result:
        """Runs workers of a kind until everything that was sent has been decided and has left the outbox."""
        async with AsyncExitStack() as stack:
            started = [await stack.enter_async_context(self.worker(kind)) for _ in range(workers)]
            began = min([await worker.assigned for worker in started])
            await self.until(events)
            seconds = time.time() - began
            peaks = [worker.peak for worker in started]
        return Result(events, seconds, sum(cpu for cpu, _ in peaks), max(rss for _, rss in peaks))

    async def until(self, events: int) -> None:
        """Waits until so many events have been decided and the outbox is empty."""
        connection = await asyncpg.connect(self.url)
        done = "select sum(next_offset) >= $1 and not exists (select from outbox) from consumer_offset"
        async with asyncio.timeout(_RUN_SECONDS):
            while not await connection.fetchval(done, events):
                await asyncio.sleep(_GRAIN)  # a benchmark may; it is the figure's grain
        await connection.close()

    @asynccontextmanager
    async def worker(self, kind: str) -> AsyncIterator[Worker]:
        """A worker process until the context ends."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, *COMMANDS[kind], env=self.environment, stderr=asyncio.subprocess.PIPE, limit=1_000_000
        )
        loop = asyncio.get_running_loop()
        worker = Worker(process, loop.create_future(), loop.create_future())
        reading = asyncio.create_task(worker.read())
        try:
            async with asyncio.timeout(_START_SECONDS):
                await asyncio.shield(worker.assigned)
            yield worker
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
            await reading


@asynccontextmanager
async def preloaded(servers: Servers, model: Model, subscriptions: int) -> AsyncIterator[str]:
    """The name of a database with so many subscriptions, for stages to be cloned from."""
    name = f"preloaded_{secrets.token_hex(4)}"
    await _admin(servers, f"create database {name}")
    connection = await asyncpg.connect(_named(servers, name))
    await migrate(connection)
    await model.preload(connection, subscriptions)
    await connection.execute("vacuum (analyze, freeze)")
    await connection.close()
    yield name
    await _admin(servers, f"drop database {name} with (force)")


@asynccontextmanager
async def staged(servers: Servers, template: str, partitions: int = 12) -> AsyncIterator[Stage]:
    """A stage with its own copy of a preloaded database."""
    prefix = secrets.token_hex(4)
    names = {name: f"{prefix}-{default}" for name, default in Topics().model_dump().items()}
    topics = Topics.model_validate(names)
    settings = Settings(kafka_bootstrap_servers=servers.kafka, topic_partitions=partitions)
    await topic_creation.create(settings, topics)
    await _admin(servers, f"create database run_{prefix} template {template} strategy file_copy")
    url = _named(servers, f"run_{prefix}")
    environment = {
        **os.environ,
        **{f"TOPIC_{name.upper()}": actual for name, actual in names.items()},
        "KAFKA_BOOTSTRAP_SERVERS": servers.kafka,
        "DATABASE_URL": url,
        "HTTP_BIND": "127.0.0.1:0",
        "HTTP_RATE_LIMIT": "1000000/minute",
        "CONSUMER_GROUP": prefix,
        "SEAL_GRACE": "600",
    }
    try:
        yield Stage(servers, url, settings, topics, environment)
    finally:
        await _admin(servers, f"drop database run_{prefix} with (force)")


async def _admin(servers: Servers, statement: str) -> None:
    connection = await asyncpg.connect(servers.postgres)
    await connection.execute(statement)
    await connection.close()


def _named(servers: Servers, name: str) -> str:
    return urlunsplit(urlsplit(servers.postgres)._replace(path=f"/{name}"))
