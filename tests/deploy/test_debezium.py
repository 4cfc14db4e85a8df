"""Debezium in place of the relay: what it is told to read is what the outbox hands it, on a real Postgres."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from service.messages.envelope import headers
from service.messages.outcomes import OUTCOMES
from service.settings import Topics
from service.store import outbox
from service.store.records import Outgoing

FOLDER = Path("deploy/debezium")
CONNECTOR: dict[str, str] = json.loads((FOLDER / "connector.json").read_text("utf-8"))["config"]
NOW = datetime(2026, 11, 12, 8, tzinfo=UTC)
SENT = headers(
    event_id="763db665-f0d1-5a19-bc37-62348685fcf0",
    event_type="credit-adjustment",
    subject="ce_id",  # a subscription may be called anything
    time=NOW,
    caused_by="cancel-1",
    trace=(("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),),
)
OUTCOME = Outgoing("credit-adjustment", b"default:ce_id", '{"text":"100,00 kr. tilbage til Åse"}'.encode(), SENT, NOW)
LETTER = Outgoing("cancellation-dead-letter", None, b"\xff", [("\x00", None), ("dlq_reason", b"not-json")], NOW)


@pytest.fixture
async def connection(database: str) -> asyncpg.Connection:
    """The database as outbox.sql leaves it, which also remembers what Debezium would read in its log."""
    connection = await asyncpg.connect(database)
    await connection.execute((FOLDER / "outbox.sql").read_text("utf-8"))
    await connection.execute(
        """
        create table logged (like outbox_debezium);
        create function log() returns trigger language plpgsql
        as 'begin insert into logged select new.*; return new; end';
        create trigger log after insert on outbox_debezium for each row execute function log();
        """
    )
    yield connection
    await connection.close()


def placed() -> dict[str, str]:
    """The header that each column becomes."""
    fields = [field.split(":") for field in CONNECTOR["transforms.outbox.table.fields.additional.placement"].split(",")]
    assert {where for _, where, *_ in fields} == {"header"}
    return {column: alias[0] if alias else column for column, _, *alias in fields}


async def test_an_outcome_reaches_debezium_with_all_its_headers_but_the_trace(connection: asyncpg.Connection) -> None:
    await outbox.append(connection, [OUTCOME], shards=16)
    (row,) = await connection.fetch("select * from logged")
    event, router = dict(row), "transforms.outbox."
    assert event[CONNECTOR[f"{router}route.by.field"]] == OUTCOME.topic
    assert event[CONNECTOR[f"{router}table.field.event.key"]].encode() == OUTCOME.key
    assert event[CONNECTOR[f"{router}table.field.event.payload"]].encode() == OUTCOME.value
    carried = {header: str(event[column]).encode() for column, header in placed().items()}
    assert carried == {name: value for name, value in SENT if "trace" not in name}


async def test_the_relay_is_left_with_what_has_other_headers(connection: asyncpg.Connection) -> None:
    await outbox.append(connection, [OUTCOME, LETTER], shards=16)
    assert [record for _, record in await outbox.pending(connection, range(16), 10)] == [LETTER]
    assert await connection.fetchval("select count(*) from outbox_debezium") == 0


async def test_what_says_that_nothing_is_left_goes_out_empty(connection: asyncpg.Connection) -> None:
    await outbox.append(connection, [Outgoing("subscription-timeline", b"default:S1", None, [], NOW)], shards=16)
    (row,) = await connection.fetch("select * from logged")
    assert (row["key"], row["value"]) == ("default:S1", None)
    assert CONNECTOR["transforms.outbox.route.tombstone.on.empty.payload"] == "true"


async def test_outcomes_of_one_transaction_keep_their_order(connection: asyncpg.Connection) -> None:
    values = [str(number).encode() for number in range(100)]
    outcomes = [Outgoing(OUTCOME.topic, OUTCOME.key, value, SENT, NOW) for value in values]
    await outbox.append(connection, outcomes, shards=16)
    assert [row["value"].encode() for row in await connection.fetch("select value from logged order by ctid")] == values


async def test_the_connector_reads_the_table_that_is_published(connection: asyncpg.Connection) -> None:
    (published,) = await connection.fetch("select * from pg_publication_tables")
    assert f"{published['schemaname']}.{published['tablename']}" == CONNECTOR["table.include.list"]
    assert published["pubname"] == CONNECTOR["publication.name"]
    named = [value for key, value in CONNECTOR.items() if key.startswith("transforms.outbox.table.field.")]
    assert {*named, *placed(), CONNECTOR["transforms.outbox.route.by.field"]} == set(published["attnames"])


@pytest.mark.parametrize("topic", sorted({Topics().named(name) for name, *_ in OUTCOMES.values()}))
async def test_every_outcome_goes_this_way(connection: asyncpg.Connection, topic: str) -> None:
    await outbox.append(connection, [Outgoing(topic, b"default:S1", b"{}", SENT, NOW)], shards=16)
    assert await connection.fetchval("select topic from logged") == topic
