"""The users of a test's database, and a database that is as an operator for Postgres lays it out."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from service.local import Servers
from service.store.roles import Roles, grant
from tests.conftest import signed_in


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture
async def users(database: str, roles: Roles) -> dict[str, str]:
    """The URL of the test's database for each of its users."""
    connection = await asyncpg.connect(database)
    await grant(connection, roles)  # a copy of a database has not all that was granted
    await connection.close()
    return {"service": signed_in(database, roles.service), "reader": signed_in(database, roles.reader)}


@dataclass(frozen=True)
class Estate:
    """An empty database of a migrator's own, beside the session's other users."""

    migrator: str
    url: str

    def of(self, user: str) -> str:
        return signed_in(self.url, user)


@pytest.fixture
async def estate(embedded: Servers, roles: Roles) -> AsyncIterator[Estate]:
    """As an operator for Postgres lays it out: an owner who administers nothing, and the roles made for them."""
    name = f"migrator_{secrets.token_hex(4)}"
    assert roles
    async with connected(embedded.postgres) as connection:
        await connection.execute(f"create role {name} login password '{name}'")
        await connection.execute(f"create database {name} owner {name}")
        yield Estate(name, urlunsplit(urlsplit(embedded.postgres)._replace(path=f"/{name}")))
        await connection.execute(f"drop database {name} with (force)")
        await connection.execute(f"drop role {name}")
