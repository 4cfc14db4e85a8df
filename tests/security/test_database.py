"""Each user of the database does its own work and no other; a reader sees the tenants that were named, and no other."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest

from service.flow import utc_now
from service.local import Servers
from service.store import housekeeping, lookup, outbox, policies, subscriptions
from service.store.migrate import SchemaBehindError, migrate, migrations
from service.store.records import Incoming
from service.store.roles import READER, SERVICE, Roles, RolesError, check_service, confine, create, grant
from tests.conftest import cloned, signed_in
from tests.flow.conftest import World, command_line
from tests.security.attempts import attempts
from tests.security.conftest import Estate, connected

TRIED = attempts("4-users")
OTHERS = attempts("5-tenants")
TABLES = """
select table_name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'
"""
UNWATCHED = """
select c.relname
from pg_class c
inner join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace and not c.relrowsecurity
"""


@pytest.fixture
async def two_tenants(pool: asyncpg.Pool) -> World:
    """A life of tenant A and one of tenant B, each with an open adjustment and a policy."""
    world = World(pool)
    for tenant in ("A", "B"):
        name = f"{tenant}1"
        records = [
            world.activated(name, f"a-{name}", tenant_id=tenant, customer_id=f"of {tenant}"),
            *(of(tenant, record) for record in (world.issued(name, f"i-{name}"), world.cancel(name, f"c-{name}"))),
            world.event("cancellation-policy", "cancellation-policy-set", f"p-{name}", {"tenant_id": tenant}),
        ]
        await world.flow.process(records)
    return world


def tried(attempt: str) -> tuple[str, str]:
    """Which user tries which statement."""
    found = re.fullmatch(r"The (service|reader) runs `(.+)`", attempt)
    assert found is not None
    return found[1], found[2]


def of(tenant: str, record: Incoming) -> Incoming:
    """The same event of a tenant."""
    assert record.value is not None
    return replace(record, value=json.dumps({**json.loads(record.value), "tenant_id": tenant}).encode())


@pytest.mark.parametrize("name", TRIED)
async def test_no_user_does_more_than_its_work(users: dict[str, str], roles: Roles, name: str) -> None:
    row = TRIED[name]
    user, statement = tried(row.attempt)
    usual = {roles.service: "cancellation_service", roles.reader: "cancellation_reader"}
    async with connected(users[user]) as connection:
        usual[await connection.fetchval("select current_database()")] = "cancellation"
        with pytest.raises(asyncpg.InsufficientPrivilegeError) as refused:
            await connection.execute(statement.replace("cancellation_service", roles.service))
    said = str(refused.value).partition("\n")[0]
    for ours, theirs in usual.items():
        said = said.replace(ours, theirs)
    assert said == row.refusal


async def test_the_service_does_all_of_its_own(users: dict[str, str], database: str) -> None:
    """Lives from their beginning to their end, a policy, what waits, what is held, repeats, and all housekeeping."""
    async with asyncpg.create_pool(users["service"], min_size=1, max_size=2) as pool:
        world = World(pool)
        async with pool.acquire() as connection:
            await check_service(connection)
            assert await migrate(connection) == []
        await world.flow.process([world.cancel("waits", "w"), world.activated(), world.issued(), world.cancel()])
        policy = world.event("cancellation-policy", "cancellation-policy-set", "p", {"settlement": "prorate"})
        await world.flow.process([policy, world.activated("waits", "a-waits"), world.cancel("in vain", "v")])
        await pool.execute(
            "update subscription set held_since = $1, held_because = 'a bug' where subscription_id = 's'", world.now
        )
        assert await world.flow.resume(("default", "s")) is None
        async with pool.acquire() as connection:
            shards = await outbox.hold(connection, range(16))
            waiting = await outbox.pending(connection, shards, 500)
            await outbox.delete(connection, [number for number, _ in waiting])
        world.pass_by(days=100)
        await world.flow.end_due()
        await world.flow.housekeep()
        assert {"subscription-ended", "cancellation-rejected"} <= set(await world.types())
    async with connected(database) as connection:
        assert await connection.fetchval("select count(*) from inbox") == 0
        assert await connection.fetchval("select count(*) from inbox_before") > 0
        assert await connection.fetchval("select count(*) from housekeeping where done_at = $1", world.now) == 2


async def test_every_table_is_somebodys_and_every_one_with_a_tenant_is_watched(pool: asyncpg.Pool) -> None:
    assert {row["table_name"] for row in await pool.fetch(TABLES)} == SERVICE.keys() >= READER.keys()
    assert await pool.fetch(UNWATCHED) == []


async def test_a_reader_who_names_no_tenant_sees_nothing(two_tenants: World, users: dict[str, str]) -> None:
    async with connected(users["reader"]) as connection:
        for table in READER:
            assert await connection.fetch(f"table {table}") == []
        async with connection.transaction():
            await confine(connection, ["A"])
            assert len(await connection.fetch("select * from subscription")) == 1
        assert await connection.fetch("select * from subscription") == []
    assert await two_tenants.pool.fetchval("select count(*) from subscription") == 2


@pytest.mark.parametrize("name", OTHERS)
async def test_a_reader_of_one_tenant_gets_nothing_of_anothers(
    two_tenants: World, users: dict[str, str], name: str
) -> None:
    query = OTHERS[name].attempt.strip("`")
    assert "B" in {row["tenant_id"] for row in await two_tenants.pool.fetch(query)}
    async with connected(users["reader"]) as connection, connection.transaction():
        assert await confine(connection, ["A"])
        found = {row["tenant_id"] for row in await connection.fetch(query)}
    assert ("no row of tenant B" if found <= {"A"} else found) == OTHERS[name].refusal


async def test_nothing_of_the_stores_own_finds_anothers_for_a_reader(two_tenants: World, users: dict[str, str]) -> None:
    now = two_tenants.now + timedelta(days=1)
    async with connected(users["reader"]) as connection:
        found = {}
        for tenant in ("A", "B"):
            async with connection.transaction():
                await confine(connection, ["A"])
                found[tenant] = [
                    await lookup.one(connection, (tenant, f"{tenant}1")),
                    await lookup.beginning_with(connection, tenant, tenant, 20),
                    await lookup.beginning_with(connection, tenant, "of", 20),
                    [each async for each in lookup.every(connection, tenant)],
                    await subscriptions.with_open_adjustments(connection, now, tenant, 20),
                    await subscriptions.read(connection, (tenant, f"{tenant}1")),
                    await policies.read(connection, [tenant]),
                ]
    assert all(found["A"])
    assert not any(found["B"])


def test_what_the_command_line_reads_with_a_readers_url_is_that_tenants(
    two_tenants: World, users: dict[str, str]
) -> None:
    url = f"{users['reader']}?cancellation.tenants=%7BA%7D"
    code, exported, _ = command_line(url, "export")
    assert code == 0
    assert [json.loads(line)["tenant_id"] for line in exported.splitlines()] == ["A"]
    code, listed, _ = command_line(url, "adjustments", "--json")
    assert {each["tenant_id"] for each in json.loads(listed)} == {"A"}
    assert two_tenants


async def test_what_fails_over_a_row_says_nothing_of_another_tenants(two_tenants: World, users: dict[str, str]) -> None:
    """A condition that fails where it looks at a row of B would give that row away, were it ever to look at one."""
    telling = "select * from subscription where 1 / (case when tenant_id = 'B' then 0 else 1 end) = 1"
    with pytest.raises(asyncpg.DivisionByZeroError):
        await two_tenants.pool.fetch(telling)
    async with connected(users["reader"]) as connection, connection.transaction():
        await confine(connection, ["A"])
        assert len(await connection.fetch(telling)) == 1


async def test_the_migrator_makes_the_schema_and_the_service_then_finds_it_up_to_date(
    estate: Estate, roles: Roles
) -> None:
    async with connected(estate.of(roles.service)) as service:
        with pytest.raises(SchemaBehindError, match=f"lacks 0001_initial, .* the user {roles.service} may not"):
            await migrate(service)
    async with connected(estate.of(estate.migrator)) as migrator:
        assert await migrate(migrator) == [name for name, _ in migrations()]
        await grant(migrator, roles)
    async with connected(estate.of(roles.service)) as service:
        assert await migrate(service) == []
        await check_service(service)
        async with service.transaction():
            assert await housekeeping.rotate_inbox(service, utc_now(), utc_now())
    async with connected(estate.of(estate.migrator)) as migrator:
        await migrator.execute("delete from schema_migration where name > '0010'")
    async with connected(estate.of(roles.service)) as service:
        with pytest.raises(SchemaBehindError, match=r"lacks 0010_row_security, .* run `python -m service migrate` as"):
            await migrate(service)


async def test_a_migrator_that_may_make_no_roles_is_told_what_an_administrator_is_to_run(estate: Estate) -> None:
    async with connected(estate.of(estate.migrator)) as migrator:
        with pytest.raises(RolesError, match="have an administrator run `create role no_service login bypassrls`"):
            await create(migrator, Roles("no_service", "no_reader"))


async def test_roles_that_see_too_much_or_too_little_are_named(pool: asyncpg.Pool, roles: Roles) -> None:
    swapped = Roles(roles.reader, roles.service)
    async with pool.acquire() as connection:
        with pytest.raises(RolesError, match=f"{roles.reader} does not see .* `alter role {roles.reader} bypassrls`"):
            await create(connection, swapped)
        with pytest.raises(RolesError, match=f"{roles.service} sees .* `alter role {roles.service} nobypassrls`"):
            await create(connection, replace(swapped, service=roles.service))


async def test_a_service_that_would_not_see_every_tenant_is_told_so(users: dict[str, str], database: str) -> None:
    reader = users["reader"].split(":")[1].removeprefix("//")
    async with connected(database) as owner:
        await owner.execute(f"grant select on fact to {reader}")
    async with connected(users["reader"]) as connection:
        with pytest.raises(RolesError, match="DATABASE_URL is subject to row-level security"):
            await check_service(connection)


async def test_the_command_makes_schema_and_roles_and_says_so_and_the_second_time_does_nothing(
    embedded: Servers, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a laptop, where one user may do everything."""
    made = Roles(f"service_{secrets.token_hex(4)}", f"reader_{secrets.token_hex(4)}")
    monkeypatch.setenv("DATABASE_SERVICE_ROLE", made.service)
    monkeypatch.setenv("DATABASE_READER_ROLE", made.reader)
    async with cloned(embedded.postgres, template) as url:
        code, said, _ = command_line(url, "migrate", "--roles")
        created = [f"created role {made.service}", f"created role {made.reader}"]
        assert (code, said.splitlines()[:2]) == (0, created)
        code, said, _ = command_line(url, "migrate", "--roles")
        assert (code, said) == (0, "nothing to do: all of it is applied\n")
        async with connected(url) as connection, connection.transaction():
            await connection.execute(f"set local role {made.service}")
            assert await connection.fetchval("select count(*) from subscription") == 0
    async with connected(embedded.postgres) as connection:
        await connection.execute(f"drop role {made.service}; drop role {made.reader}")


def test_a_migration_by_a_user_that_may_not_ends_in_one_sentence(embedded: Servers, roles: Roles) -> None:
    code, _, said = command_line(signed_in(embedded.postgres, roles.reader), "migrate")
    assert (code, said.count("\n")) == (1, 1)
    assert said.startswith("The schema lacks 0001_initial, ")
    assert roles.reader in said
