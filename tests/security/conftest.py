"""The users of a test's database."""

from __future__ import annotations

import asyncpg
import pytest

from service.store.roles import Roles, grant
from tests.conftest import signed_in


@pytest.fixture
async def users(database: str, roles: Roles) -> dict[str, str]:
    """The URL of the test's database for each of its users."""
    connection = await asyncpg.connect(database)
    await grant(connection, roles)  # a copy of a database has not all that was granted
    await connection.close()
    return {"service": signed_in(database, roles.service), "reader": signed_in(database, roles.reader)}
