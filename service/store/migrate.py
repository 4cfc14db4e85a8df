"""Plain SQL migrations, applied in order under an advisory lock by whichever worker comes first."""

from __future__ import annotations

from importlib.resources import files

import asyncpg

_LOCK = 7_346_001

_CREATE = """
create table if not exists schema_migration (
    name text primary key,
    applied_at timestamptz not null default now()
)
"""
_APPLIED = "select name from schema_migration"
_RECORD = "insert into schema_migration (name) values ($1)"


def migrations() -> list[tuple[str, str]]:
    """Name and SQL of every migration, in order."""
    folder = files("service.store") / "migrations"
    found = [entry for entry in folder.iterdir() if entry.name.endswith(".sql")]
    return sorted((entry.name.removesuffix(".sql"), entry.read_text("utf-8")) for entry in found)


async def migrate(connection: asyncpg.Connection) -> list[str]:
    """Applies what is missing, each migration in a transaction of its own; returns the names applied.

    Session-level lock: a second worker waits here and then finds nothing to do.
    """
    await connection.execute("select pg_advisory_lock($1)", _LOCK)
    try:
        await connection.execute(_CREATE)
        applied = {row["name"] for row in await connection.fetch(_APPLIED)}
        missing = [(name, sql) for name, sql in migrations() if name not in applied]
        for name, sql in missing:
            async with connection.transaction():
                await connection.execute(sql)
                await connection.execute(_RECORD, name)
        return [name for name, _ in missing]
    finally:
        await connection.execute("select pg_advisory_unlock($1)", _LOCK)
