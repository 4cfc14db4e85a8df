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
_STARTED = "select to_regclass('schema_migration') is not null"
_APPLIED = "select name from schema_migration"
_RECORD = "insert into schema_migration (name) values ($1)"


def migrations() -> list[tuple[str, str]]:
    """Name and SQL of every migration, in order."""
    folder = files("service.store") / "migrations"
    found = [entry for entry in folder.iterdir() if entry.name.endswith(".sql")]
    return sorted((entry.name.removesuffix(".sql"), entry.read_text("utf-8")) for entry in found)


class SchemaBehindError(Exception):
    """The schema is not up to date, and this user may not change it; the message says what is missing."""


async def migrate(connection: asyncpg.Connection) -> list[str]:
    """Applies what is missing, each migration in a transaction of its own; returns the names applied.

    Where nothing is missing it only reads. Session-level lock: a second worker waits and then finds nothing to do.

    Raises:
        SchemaBehindError: something is missing, and this user may not add it.
    """
    missing = await _missing(connection)
    if not missing:
        return []
    await connection.execute("select pg_advisory_lock($1)", _LOCK)
    try:
        await connection.execute(_CREATE)
        missing = await _missing(connection)
        for name, sql in missing:
            async with connection.transaction():
                await connection.execute(sql)
                await connection.execute(_RECORD, name)
        return [name for name, _ in missing]
    except asyncpg.InsufficientPrivilegeError as error:
        names, user = ", ".join(name for name, _ in missing), await connection.fetchval("select current_user")
        raise SchemaBehindError(
            f"The schema lacks {names}, and the user {user} may not change it ({error}): "
            "run `python -m service migrate` as the owner of its tables."
        ) from error
    finally:
        await connection.execute("select pg_advisory_unlock($1)", _LOCK)


async def _missing(connection: asyncpg.Connection) -> list[tuple[str, str]]:
    """Name and SQL of every migration that has not been applied."""
    started = await connection.fetchval(_STARTED)
    applied = {row["name"] for row in await connection.fetch(_APPLIED)} if started else set()
    return [(name, sql) for name, sql in migrations() if name not in applied]
