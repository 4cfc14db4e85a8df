"""One broker and one Postgres with locks on their doors, for the session."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from service.access import principals
from service.settings import Settings, Topics
from service.topics import create
from tests.security.transport.broker import Secured, secured
from tests.security.transport.database import Locked, locked

USERS = [principal.name for principal in principals(Settings(), Topics())]


@pytest.fixture(scope="session")
async def broker() -> AsyncIterator[Secured]:
    """A broker with all topics, at which every principal may do what is its due."""
    async with secured(USERS) as started:
        settings = Settings(kafka_bootstrap_servers=started.inside, topic_partitions=1)
        await create(settings, Topics())
        started.permit(principals(settings, Topics()))
        yield started


@pytest.fixture(scope="session")
async def database_server() -> AsyncIterator[Locked]:
    """A Postgres behind TLS."""
    async with locked() as started:
        yield started
