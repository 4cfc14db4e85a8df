"""The commands at locked doors, each as the user whose it is: they work, or end with one sentence that says why not."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from service.access import principals
from service.settings import Settings, Topics
from tests.kafka import client, monthly
from tests.security.transport.broker import Secured
from tests.security.transport.database import Locked
from tests.security.transport.test_journeys import NAMES
from tests.security.transport.worker import ready, worker


async def command(environment: Mapping[str, str], *arguments: str) -> tuple[int, str, str]:
    """The exit code of a command, and what it says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "service", *arguments),
        env={**os.environ, **environment, "COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def keys(broker: Secured, user: str) -> dict[str, str]:
    """What a user has by which it gets in."""
    sasl = {"KAFKA_SASL_MECHANISM": "SCRAM-SHA-256", "KAFKA_SASL_USERNAME": user}
    return broker.environment("SCRAM", **sasl, KAFKA_SASL_PASSWORD=broker.passwords[user])


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A file of one subscription."""
    file = tmp_path / "book.csv"
    columns = "subscription_id,customer_id,currency,time_zone,start_date,interval,line_id,amount"
    file.write_text(f"{columns}\nS1,C1,DKK,Europe/Copenhagen,2024-01-31,P1M,paper,300.00\n", encoding="utf-8")
    return file


async def test_each_command_works_for_the_user_whose_it_is(
    broker: Secured, database_server: Locked, book: Path
) -> None:
    async with database_server.account() as own:
        database = {"DATABASE_URL": database_server.url(own.name, user=own.name), "DATABASE_PASSWORD": own.password}
        code, applied, said = await command(database, "migrate")
        assert (code, said) == (0, ""), said
        assert "applied 0001_initial" in applied
        done = await asyncio.gather(
            command(keys(broker, "cancellation-topics"), "topics"),
            command(keys(broker, "cancellation-import"), "import", str(book)),
            command(keys(broker, "cancellation-commands"), "cancel", "S1", "--end-of-period"),
            command(keys(broker, "cancellation-operations") | database, "dead-letters", "list"),
        )
    assert [code for code, _, _ in done] == [0, 0, 0, 0], done


async def test_a_customer_is_forgotten_by_the_owner_of_the_tables_who_administers_nothing(
    broker: Secured, database_server: Locked
) -> None:
    """The worker beside it is another user at both servers, and publishes what the owner may not."""
    name, group = f"s-{secrets.token_hex(4)}", f"subscription-cancellation-{secrets.token_hex(4)}"
    broker.permit(principals(Settings(consumer_group=group), Topics())[:1])
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(database_server.account())
        owner = await stack.enter_async_context(database_server.account())
        await database_server.do(f"alter role {service.name} bypassrls")
        url = database_server.url(owner.name, user=owner.name)
        mine = {"DATABASE_URL": url, "DATABASE_PASSWORD": owner.password, "DATABASE_SERVICE_ROLE": service.name}
        mine |= keys(broker, "cancellation-forget")
        assert (await command(mine, "migrate"))[::2] == (0, "")
        url = database_server.url(owner.name, user=service.name)
        theirs = {"DATABASE_URL": url, "DATABASE_PASSWORD": service.password, "CONSUMER_GROUP": group}
        working = await stack.enter_async_context(worker(keys(broker, "cancellation-service") | theirs))
        await working.until(ready)
        kafka = await stack.enter_async_context(client(broker.inside, NAMES))
        data = monthly(name, customer_id="anna-7731")
        await kafka.send("subscription-lifecycle", "subscription-activated", f"{name}-1", data)
        await kafka.raw("subscription-lifecycle", b'{"customer_id": "anna-7731", broken')
        await kafka.until(
            lambda _: kafka.shown(name, 0) and any(b"anna" in (d.value or b"") for d in kafka.dead_letters)
        )
        code, told, said = await command(mine, "forget", "anna-7731", "--by", "ticket 4711", "--json")
        assert code == 0, said
        found = json.loads(told)
        assert ([each["subscription_id"] for each in found["subscriptions"]], found["left"]) == ([name], [])
        assert len(found["dead_letters"]) == 1
        await kafka.until(lambda _: kafka.timeline(name)["customer_id"] == found["pseudonym"])
        code, told, _ = await command(mine, "forget", "anna-7731", "--by", "ticket 4712")
        assert (code, told) == (0, "Nothing is stored of this customer.\n")


async def test_a_command_with_a_wrong_key_ends_with_one_sentence(broker: Secured, database_server: Locked) -> None:
    wrong = keys(broker, "cancellation-commands") | {"KAFKA_SASL_PASSWORD": "not-the-password"}
    unpermitted = keys(broker, "cancellation-operations")
    database = {"DATABASE_URL": database_server.url(), "DATABASE_PASSWORD": "not-the-password"}
    said = await asyncio.gather(
        command(wrong, "cancel", "S1", "--end-of-period"),
        command(unpermitted, "cancel", "S1", "--end-of-period"),
        command(database, "held"),
    )
    assert [code for code, _, _ in said] == [1, 1, 1]
    kafka, permission, postgres = (err.rstrip("\n") for _, _, err in said)
    refusal = "the server does not accept the user with this password"
    assert kafka.startswith(f"Kafka at KAFKA_BOOTSTRAP_SERVERS cannot be used: {refusal}")
    assert permission.startswith("Kafka has no topic cancellation-requested, or hides it from this user")
    assert postgres.startswith(f"Postgres at DATABASE_URL cannot be used: {refusal}")
    assert not any("\n" in sentence or "not-the-password" in sentence for sentence in (kafka, permission, postgres))
