"""Who may do what in Postgres: three users, each with the least that its work needs, as data.

* The **migrator** owns the tables: whoever runs `python -m service migrate`, and `forget`, which alone rewrites the
  history. All else goes by what it grants.
* The **service** reads and writes, and changes no table. It sees every tenant, so it has BYPASSRLS.
* The **reader** is what the pages read with: two tables, and of those the rows of the tenants that a transaction names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import asyncpg

Privilege: TypeAlias = Literal["select", "insert", "update", "delete"]
Grants: TypeAlias = Mapping[str, tuple[Privilege, ...]]

SERVICE: Grants = {
    "books": ("select", "update"),
    "consumer_offset": ("select", "insert", "update"),
    "dead_letter_fate": ("select", "insert", "delete"),
    "erasure": (),
    "fact": ("select", "insert"),
    "housekeeping": ("select", "update"),
    "inbox": ("select", "insert", "delete"),
    "inbox_before": ("select", "insert", "delete"),
    "out_of_balance": ("select", "insert", "update", "delete"),
    "outbox": ("select", "insert", "delete"),
    "parked": ("select", "insert", "delete"),
    "policy": ("select", "insert"),
    "schema_migration": ("select",),
    "subscription": ("select", "insert", "update", "delete"),
}
READER: Grants = {
    "policy": ("select",),
    "subscription": ("select",),
}
"""By table; none has another, and no function but `rotate_inbox`, which is the service's."""

_KNOWN = "select rolname, rolbypassrls or rolsuper as sees_all from pg_roles where rolname = any($1::text [])"
_PLACE = "select quote_ident(current_schema()) as schema, quote_ident(current_database()) as database"
_CONFINED = "select row_security_active('fact')"
_TENANTS = """
select
    set_config('cancellation.tenants', $1::text []::text, true),
    row_security_active('subscription') as confined
"""


class RolesError(Exception):
    """A role is missing or is not as it has to be; the message says what to run."""


@dataclass(frozen=True, slots=True)
class Roles:
    """What the service's and the reader's user are called."""

    service: str
    reader: str

    async def known(self, connection: asyncpg.Connection) -> dict[str, bool]:
        """Which of them exist, and whether they see all rows."""
        rows = await connection.fetch(_KNOWN, [self.service, self.reader])
        return {row["rolname"]: row["sees_all"] for row in rows}


async def create(connection: asyncpg.Connection, roles: Roles) -> list[str]:
    """Makes those that are missing, without a password, and returns their names.

    Raises:
        RolesError: one may not be made, or one that exists sees too much or too little.
    """
    known, wanted = await roles.known(connection), {roles.service: True, roles.reader: False}
    for name, sees_all in wanted.items():
        rights = "bypassrls" if sees_all else "nobypassrls"
        if name in known and known[name] != sees_all:
            raise RolesError(
                f"The role {name} {'sees' if known[name] else 'does not see'} the rows of every tenant: "
                f"have an administrator run `alter role {name} {rights}`."
            )
        if name not in known:
            await _make(connection, name, f"create role {name} login {rights}")
    return [name for name in wanted if name not in known]


async def grant(connection: asyncpg.Connection, roles: Roles) -> None:
    """Grants those of the roles that exist what is theirs, and nothing else; what everybody had is taken back."""
    known = await roles.known(connection)
    schema, database = await connection.fetchrow(_PLACE)
    async with connection.transaction():
        for name, grants in ((roles.service, SERVICE), (roles.reader, READER)):
            if name in known:
                await connection.execute(";\n".join(_statements(name, grants, schema)))
        if roles.service in known:
            await connection.execute(f"grant execute on function {schema}.rotate_inbox() to {roles.service}")
        if known:
            await connection.execute(f"revoke create on schema {schema} from public")
            await connection.execute(f"revoke temporary on database {database} from public")


async def check_service(connection: asyncpg.Connection) -> None:
    """That the service sees every tenant's rows, as deciding needs.

    Raises:
        RolesError: it does not.
    """
    if await connection.fetchval(_CONFINED):
        user = await connection.fetchval("select quote_ident(current_user)")
        raise RolesError(
            f"The user {user} of DATABASE_URL is subject to row-level security: "
            f"have an administrator run `alter role {user} bypassrls`."
        )


async def confine(connection: asyncpg.Connection, tenants: Iterable[str]) -> bool:
    """Lets the transaction see these tenants' rows only; whether its user is one that this holds for."""
    storable = sorted(tenant for tenant in tenants if "\0" not in tenant)  # no row is of another
    row = await connection.fetchrow(_TENANTS, storable)
    return bool(row["confined"])


async def _make(connection: asyncpg.Connection, name: str, statement: str) -> None:
    try:
        await connection.execute(statement)
    except asyncpg.InsufficientPrivilegeError as error:
        raise RolesError(
            f"The role {name} is missing, and this user may not make it: have an administrator run `{statement}`."
        ) from error


def _statements(name: str, grants: Grants, schema: str) -> Iterable[str]:
    yield f"grant usage on schema {schema} to {name}"
    yield f"revoke all on all tables in schema {schema} from {name}"
    for table, privileges in grants.items():
        if privileges:  # a table may be nobody's but the owner's
            yield f"grant {', '.join(privileges)} on {schema}.{table} to {name}"
