"""A real Kafka and a real Postgres, for a machine that has neither.

Java and Postgres come as Python packages, Kafka's jars from Maven Central into the cache; nothing is installed outside
of the checkout, and nothing listens elsewhere than on 127.0.0.1. What holds:

* Servers that the caller already has win: `KAFKA_BOOTSTRAP_SERVERS` and `DATABASE_URL`, each for its own.
* No server outlives the process that started it, however that ends; temporary data goes with them (`guard.py`).
* A data directory belongs to one instance at a time and is either whole or made again (`directory.py`).
* No jar runs that is not the one in `kafka.lock`.

It does not own topics, tables or settings of the service: whoever asks for the servers makes them.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from service.local import kafka as _kafka
from service.local import postgres as _postgres
from service.local.directory import held
from service.local.process import Guards, LocalError

__all__ = ["LocalError", "Servers", "servers"]


@dataclass(frozen=True)
class Servers:
    """Where the servers are; empty where none was asked for.

    Attributes:
        kafka: bootstrap servers, as host:port.
        postgres: a URL with user, password and database.
    """

    kafka: str
    postgres: str


@asynccontextmanager
async def servers(data_dir: Path | None = None, *, kafka: bool = True, postgres: bool = True) -> AsyncIterator[Servers]:
    """Gives servers that answer, and stops those that it started.

    What `KAFKA_BOOTSTRAP_SERVERS` and `DATABASE_URL` name is taken as it is, untested, and nothing is started for it.

    Args:
        data_dir: keeps the data durably, and a later start continues on it. Without it, the data is temporary and the
            servers are fast instead of durable.
        kafka: whether Kafka is wanted.
        postgres: whether Postgres is wanted.

    Raises:
        LocalError: they cannot run here, or another instance holds `data_dir`.
    """
    given = Servers(
        kafka=os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "") if kafka else "",
        postgres=os.environ.get("DATABASE_URL", "") if postgres else "",
    )
    start_kafka, start_postgres = kafka and not given.kafka, postgres and not given.postgres
    if not (start_kafka or start_postgres):
        yield given
        return
    classpath = await _kafka.classpath() if start_kafka else []
    async with held(data_dir) as (home, lock):
        guards = Guards(temporary=data_dir is None, lock=lock)
        try:
            async with _first_error(), asyncio.TaskGroup() as starting:
                if start_kafka:
                    kafka_at = starting.create_task(_kafka.start(guards, home / "kafka", classpath))
                if start_postgres:
                    postgres_at = starting.create_task(_postgres.start(guards, home / "postgres"))
            yield Servers(
                kafka=kafka_at.result() if start_kafka else given.kafka,
                postgres=postgres_at.result() if start_postgres else given.postgres,
            )
        finally:
            await guards.stop()


@asynccontextmanager
async def _first_error() -> AsyncIterator[None]:
    """Lets out the error itself, not the group that a task group makes of it."""
    try:
        yield
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
