"""Real servers for every test that needs one: started once, a database cloned from a template for each.

They are the embedded ones; with `--containers` they are containers.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from service import topics as topic_creation
from service.local import Servers, servers
from service.settings import Settings, Topics
from service.store.migrate import migrate
from service.store.roles import Roles, create, grant
from tests.containers import containers


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--containers", action="store_true", help="Kafka and Postgres in containers")


@dataclass(frozen=True)
class Running:
    """A service in a process of its own: where it reads, writes and answers.

    `topics` goes from a topic's default name to its actual one.
    """

    kafka: str
    postgres: str
    http: str
    topics: Mapping[str, str]
    process: asyncio.subprocess.Process
    log: Sequence[str]


@pytest.fixture(scope="session")
async def embedded(request: pytest.FixtureRequest) -> AsyncIterator[Servers]:
    """Kafka and Postgres for the session."""
    async with containers() if request.config.getoption("--containers") else servers() as found:
        yield found


@pytest.fixture(scope="session")
async def roles(embedded: Servers) -> AsyncIterator[Roles]:
    """The service's and the reader's user of all databases of this session; `signed_in` connects as one."""
    named = Roles(f"service_{secrets.token_hex(4)}", f"reader_{secrets.token_hex(4)}")
    connection = await asyncpg.connect(embedded.postgres)
    await create(connection, named)
    for name in (named.service, named.reader):
        await connection.execute(f"alter role {name} password '{name}'")
    yield named
    for name in (named.service, named.reader):
        await connection.execute(f"drop role {name}")
    await connection.close()


@pytest.fixture(scope="session")
async def template(embedded: Servers, roles: Roles) -> AsyncIterator[str]:
    """The name of a migrated database that tests are cloned from."""
    name = f"template_{secrets.token_hex(4)}"
    await _admin(embedded.postgres, f"create database {name}")
    connection = await asyncpg.connect(_database(embedded.postgres, name))
    await migrate(connection)
    await grant(connection, roles)
    await connection.close()
    yield name
    await _admin(embedded.postgres, f"drop database {name} with (force)")


@pytest.fixture
async def database(embedded: Servers, template: str) -> AsyncIterator[str]:
    """The URL of a fresh, migrated database."""
    async with cloned(embedded.postgres, template) as url:
        yield url


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    """A pool on a fresh, migrated database."""
    async with asyncpg.create_pool(database, min_size=1, max_size=4) as connections:
        yield connections


@pytest.fixture(scope="session")
async def running(embedded: Servers, template: str) -> AsyncIterator[Running]:
    """A service of its own that seals no end while the tests run."""
    async with service(embedded, template, {"SEAL_GRACE": "600"}) as started:
        yield started


@asynccontextmanager
async def cloned(postgres: str, template: str) -> AsyncIterator[str]:
    """A database cloned from the template, dropped afterwards."""
    name = f"test_{secrets.token_hex(6)}"
    await _admin(postgres, f"create database {name} template {template}")
    try:
        yield _database(postgres, name)
    finally:
        await _admin(postgres, f"drop database {name} with (force)")


@asynccontextmanager
async def service(embedded: Servers, template: str, environment: Mapping[str, str]) -> AsyncIterator[Running]:
    """The service as a process, on topics and a database of its own, until the context ends."""
    prefix = secrets.token_hex(4)
    names = {name.replace("_", "-"): f"{prefix}-{default}" for name, default in Topics().model_dump().items()}
    topic_settings = {f"TOPIC_{name.replace('-', '_').upper()}": actual for name, actual in names.items()}
    settings = Settings(kafka_bootstrap_servers=embedded.kafka, topic_partitions=4)
    await topic_creation.create(
        settings, Topics.model_validate({name.replace("-", "_"): actual for name, actual in names.items()})
    )
    async with cloned(embedded.postgres, template) as url:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "service", "run"),
            env={
                **os.environ,
                **topic_settings,
                "KAFKA_BOOTSTRAP_SERVERS": embedded.kafka,
                "DATABASE_URL": url,
                "HTTP_BIND": "127.0.0.1:0",
                "CONSUMER_GROUP": prefix,
                **environment,
            },
            stderr=asyncio.subprocess.PIPE,
        )
        log = _Log(process)
        reading = asyncio.create_task(log.read())
        try:
            async with asyncio.timeout(60):
                http = await log.ready
            yield Running(embedded.kafka, url, http, names, process, log.lines)
        finally:
            if process.returncode is None:
                process.terminate()
            async with asyncio.timeout(30):
                await reading
                code = await process.wait()
        assert code == 0, f"the service ended with {code}:\n" + "\n".join(log.lines)


class _Log:
    """The log of a service process, line by line, and the address it says it is ready at."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.lines: list[str] = []
        self.ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._process = process

    async def read(self) -> None:
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            self.lines.append(line.decode().rstrip())
            if not self.ready.done() and '"event": "ready"' in self.lines[-1]:
                self.ready.set_result(json.loads(self.lines[-1])["http"])
        if not self.ready.done():
            self.ready.set_exception(AssertionError("the service did not start:\n" + "\n".join(self.lines)))


def signed_in(url: str, user: str) -> str:
    """The URL of a database for one of its users, whose password in tests is as their name."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{user}:{user}@{parts.hostname}:{parts.port}"))


def _database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


async def _admin(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
