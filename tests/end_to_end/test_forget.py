"""A customer is forgotten: nothing of them is found in any table or on any topic, and the books are what they were."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from service.domain.timeline import timeline
from service.local import Servers
from service.local import kafka as local_kafka
from service.local.process import Guards, free_ports
from service.messages.outcomes import as_read
from service.ops.dead_letters import Letter, Wanted, discard, find, only
from service.ops.verify import Scope, verify
from service.settings import Settings, Topics
from service.store import subscriptions
from tests.command_line import CommandLine
from tests.conftest import Running, service
from tests.kafka import Client, client

LIFECYCLE, REQUESTED, DEAD = "subscription-lifecycle", "cancellation-requested", "cancellation-dead-letter"
TIMELINE = "subscription-timeline"

ANNA = "anna-7731"
PERSONAL = (ANNA, "Anna Sørensen", "anna@example.com", "gone to Skagen", "she rang")
"""All that anybody has ever said of the customer who is to be forgotten."""

# A broker that looks for what has expired, or is to be compacted, all the time.
EAGER = """
log.initial.task.delay.ms = 1
log.retention.check.interval.ms = 200
log.cleaner.backoff.ms = 200
log.segment.delete.delay.ms = 1
"""
PASSED = {"cleanup.policy": "delete", "retention.ms": "1", "segment.ms": "1"}
COMPACTED = {
    "cleanup.policy": "compact",
    "segment.ms": "1",
    "max.compaction.lag.ms": "1",
    "min.cleanable.dirty.ratio": "0",
}


@pytest.fixture(scope="module")
async def eager(embedded: Servers) -> AsyncIterator[Servers]:
    """The Postgres of all tests, and a Kafka of its own."""
    with tempfile.TemporaryDirectory() as folder:
        guards = Guards(temporary=True, lock=None)
        broker, controller = free_ports(2)
        place = local_kafka.Place(broker, controller, properties=EAGER)
        try:
            address = await local_kafka.start(guards, Path(folder) / "kafka", await local_kafka.classpath(), place)
            yield Servers(address, embedded.postgres)
        finally:
            await guards.stop()


class Shop:
    """Somebody who sends the life of a subscription, and looks at what is known of it."""

    def __init__(self, running: Running, kafka: Client) -> None:
        self.running, self.kafka, self.command = running, kafka, CommandLine(running)

    async def event(self, kind: str, event_id: str, subscription: str, **data: object) -> None:
        topic = REQUESTED if kind.startswith("cancellation") else LIFECYCLE
        await self.kafka.send(
            topic,
            kind,
            event_id,
            {"subscription_id": subscription, **data},
            correlationid=str(data.get("requested_by", "-")),
        )

    async def begins(self, subscription: str, customer: str, who: str) -> None:
        """An insurance, with more said of who it is for than anybody asked."""
        line = {"line_id": "L1", "amount": "300.00", "description": f"Insurance of {who}'s flat"}
        agreement = {
            "customer_id": customer,
            "currency": "DKK",
            "time_zone": "Europe/Copenhagen",
            "start_date": "2026-11-01",
            "interval": "P1M",
            "lines": [line],
            "customer": {"name": who},
            "terms": {"notice": "P30D"},
        }
        await self.event("subscription-activated", f"{subscription}-a", subscription, **agreement)

    async def life(self, subscription: str, customer: str, who: str) -> None:
        """Cancelled, regretted, asked for twice under one id, and cancelled again."""
        s, mail = subscription, "anna@example.com" if customer == ANNA else "bo@example.com"
        await self.begins(subscription, customer, who)
        period = {"start": "2026-11-01", "end": "2026-12-01"}
        charge = {"charge_id": f"{s}-C1", "line_id": "L1", "period": period, "amount": "300.00", "text": f"for {who}"}
        await self.event("invoice-issued", f"{s}-i", s, invoice_id=f"{s}-I1", charges=[charge])
        asked: dict[str, Any] = {
            "end": {"mode": "on-date", "date": "2026-11-21"},
            "requested_by": mail,
            "reason": {"code": "moved", "comment": f"gone to {'Skagen' if customer == ANNA else 'Hobro'}, call {mail}"},
            "override_terms": {"by": "support", "why": f"{who}: it is a gift"},
            "cancellation_id": f"{s}-X",
        }
        await self.until_known(s)
        await self.event("cancellation-requested", f"{s}-r1", s, **asked)
        await self.event("cancellation-requested", f"{s}-r2", s, **{**asked, "requested_by": who})
        await self.event("cancellation-revoked", f"{s}-r3", s, reason={"code": "regret", "comment": f"{who} stays"})
        await self.event("cancellation-requested", f"{s}-r4", s, **{**asked, "cancellation_id": f"{s}-Y"})
        await self.kafka.until(lambda _: any(o.header("ce_causationid") == f"{s}-r4" for o in self.kafka.of(s)))

    async def until_known(self, subscription: str) -> None:
        charged = f"{subscription}-C1"
        await self.kafka.until(lambda seen: any(charged in str(o.value) for o in seen if o.topic == TIMELINE))

    @property
    def settings(self) -> Settings:
        return Settings(kafka_bootstrap_servers=self.running.kafka, database_url=self.running.postgres)

    async def letters(self) -> list[Letter]:
        """All dead letters, in the order in which the records came."""
        found = await find(self.settings, self.running.topics[DEAD], Wanted(settled=True), 1000)
        return sorted(found.letters, key=lambda letter: letter.origin.offset or 0)

    async def discard(self, letter: Letter, because: str) -> None:
        done = await discard(self.settings, only(letter), because)
        assert (done.done, done.refused) == (1, [])

    async def differs(self) -> list[str]:
        """What `verify` finds."""
        topics = Topics.model_validate({name.replace("-", "_"): actual for name, actual in self.running.topics.items()})
        connection = await asyncpg.connect(self.running.postgres)
        try:
            batches = verify(connection, Settings(seal_grace=timedelta(seconds=600)), topics, Scope())
            return [str(finding) async for batch in batches for finding in batch.findings]
        finally:
            await connection.close()

    async def timeline(self, subscription: str) -> dict[str, Any]:
        connection = await asyncpg.connect(self.running.postgres)
        try:
            known = await subscriptions.read(connection, ("default", subscription))
        finally:
            await connection.close()
        assert known is not None
        told = as_read(timeline(known, datetime(2026, 12, 24, tzinfo=UTC), Settings().rules(())))
        return told.model_dump(mode="json")

    async def acts(self) -> list[tuple[object, ...]]:
        """Who asked for what has been forgotten, of whom, and what it came to."""
        connection = await asyncpg.connect(self.running.postgres)
        try:
            rows = await connection.fetch("select asked_by, customer_id, pseudonym, subscriptions from erasure")
            return [tuple(row) for row in rows]
        finally:
            await connection.close()

    async def in_the_database(self, words: Iterable[str] = PERSONAL) -> list[str]:
        """Where any row of any table holds any of these words."""
        connection = await asyncpg.connect(self.running.postgres)
        try:
            tables = await connection.fetch("select relname from pg_stat_user_tables order by relname")
            assert len(tables) >= 10
            names = [table["relname"] for table in tables]
            rows = [(name, row) for name in names for row in await connection.fetch(f"select * from {name}")]  # noqa: S608
        finally:
            await connection.close()
        assert rows
        return [f"{table}.{name}: {w}" for table, row in rows for name, v in row.items() for w in found(words, v)]

    async def on_the_topics(self) -> list[str]:
        """Where any record of any topic holds anything of the customer."""
        seen = list[str]()
        async for record in self.records(*self.running.topics.values()):
            parts = [record.key, record.value, *(part for header in record.headers for part in header)]
            seen += [f"{record.topic} {record.offset}: {word}" for part in parts for word in found(PERSONAL, part)]
        return seen

    async def on_the_timeline_topic(self) -> list[dict[str, Any]]:
        return [json.loads(record.value) async for record in self.records(self.running.topics[TIMELINE])]

    async def records(self, *topics: str) -> AsyncIterator[ConsumerRecord[bytes, bytes]]:
        """All that lies on topics."""
        consumer = AIOKafkaConsumer(*topics, bootstrap_servers=self.running.kafka, auto_offset_reset="earliest")
        await consumer.start()
        try:
            places = list(consumer.assignment())
            ends = await consumer.end_offsets(places)
            await consumer.seek_to_beginning(*places)
            while behind := [tp for tp in places if await consumer.position(tp) < ends[tp]]:
                for records in (await consumer.getmany(*behind, timeout_ms=200)).values():
                    for record in records:
                        yield record
        finally:
            await consumer.stop()


def found(words: Iterable[str], value: object) -> list[str]:
    """Which of the words a value holds, as it is or as JSON writes it."""
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return [word for word in words if word in text or json.dumps(word)[1:-1] in text]


def books(timeline: dict[str, Any]) -> dict[str, Any]:
    """All of a timeline but what says who it is about, and that it does not any more."""
    kept = {name: value for name, value in timeline.items() if name not in {"customer_id", "prices", "text", "entries"}}
    amounts = [[line["amount"] for line in price["lines"]] for price in timeline["prices"]]
    entries = [entry for entry in timeline["entries"] if entry["type"] != "customer-forgotten"]
    return {**kept, "prices": amounts, "entries": entries}


async def past_their_time(running: Running) -> None:
    """Shortens what topics keep to nothing, as if their retention had passed; the broker does the rest."""
    compacted = {running.topics[TIMELINE], running.topics["cancellation-policy"]}
    admin = AIOKafkaAdminClient(bootstrap_servers=running.kafka)
    await admin.start()
    try:
        for name in running.topics.values():
            if name != running.topics[DEAD]:
                configs = COMPACTED if name in compacted else PASSED
                await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs=configs)])
    finally:
        await admin.close()


@pytest.fixture
async def shop(eager: Servers, template: str) -> AsyncIterator[Shop]:
    async with (
        service(eager, template, {"SEAL_GRACE": "600"}) as running,
        client(running.kafka, running.topics) as connected,
    ):
        yield Shop(running, connected)


@pytest.fixture
async def lives(shop: Shop) -> list[str]:
    """Three subscriptions of Anna's, and one of Bo's as the last."""
    names = [f"s-{secrets.token_hex(4)}" for _ in range(4)]
    for name in names[:3]:
        await shop.life(name, ANNA, "Anna Sørensen")
    await shop.life(names[3], "bo", "Bo")
    return names


async def set_aside(shop: Shop, subscription: str) -> None:
    """Two letters about Bo, then one that names Anna and one that goes by a subscription of hers."""
    for value, key in (
        ('{"customer_id": "bo", "n', b"k"),
        ("Bo, once more", b"k"),
        (f'{{"customer_id": "{ANNA}", "name": "Anna Sørensen', b"k"),
        ("she rang", subscription.encode()),
    ):
        await shop.kafka.raw(LIFECYCLE, value.encode(), [("note", b"n")], key, partition=0)
    await shop.kafka.until(lambda _: len(shop.kafka.dead_letters) == 4)


async def forgotten(shop: Shop, by: str) -> dict[str, Any]:
    code, out, err = await shop.command("forget", ANNA, "--by", by, "--json")
    assert code == 0, err
    told: dict[str, Any] = json.loads(out)
    return told


async def killed_in_the_middle(shop: Shop, by: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "service", "forget", ANNA, "--by", by),
        env=shop.command.environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    assert await process.stderr.readline() == b"1 of 3 subscriptions\n"
    process.kill()
    assert await process.wait() == -signal.SIGKILL


async def test_nothing_of_a_forgotten_customer_is_found_in_any_table_or_on_any_topic_and_the_books_stay(
    shop: Shop, lives: list[str]
) -> None:
    mine = lives[:3]
    before = {name: await shop.timeline(name) for name in lives}
    assert {line.rpartition(": ")[2] for line in await shop.in_the_database()} == {*PERSONAL} - {"she rang"}
    assert await shop.differs() == []

    await killed_in_the_middle(shop, "ticket 4711")
    told = await forgotten(shop, "ticket 4712")

    assert ([each["subscription_id"] for each in told["subscriptions"]], told["left"]) == (sorted(mine), [])
    assert told["references"] == []
    assert await shop.in_the_database() == []
    assert await shop.differs() == []
    after = {name: await shop.timeline(name) for name in lives}
    assert {name: books(shown) for name, shown in after.items()} == {
        name: books(shown) for name, shown in before.items()
    }
    assert after[lives[3]] == before[lives[3]]
    assert {after[name]["customer_id"] for name in mine} == {told["pseudonym"]}
    assert [[entry["type"] for entry in after[name]["entries"]].count("customer-forgotten") for name in mine] == [
        1,
        1,
        1,
    ]
    assert await shop.acts() == [("ticket 4711", None, told["pseudonym"], 3)]

    # Life goes on: what was credited is carried out, and others are served.
    adjustment = after[mine[0]]["adjustments"][-1]
    charge = {
        "charge_id": "K1",
        "kind": "credit",
        "amount": adjustment["amount"],
        "settles_adjustment_id": adjustment["adjustment_id"],
    }
    await shop.event("invoice-issued", "late", mine[0], invoice_id="K", charges=[charge])
    await shop.kafka.until(lambda _: shop.kafka.timeline(mine[0])["adjustments"][-1]["state"] == "settled")
    assert shop.kafka.timeline(mine[0])["customer_id"] == told["pseudonym"]

    # What is said of the customer later is stored as it comes, and is forgotten under the pseudonym.
    regret = {"code": "regret", "comment": "Anna Sørensen stays after all"}
    await shop.event("cancellation-revoked", "later", mine[1], reason=regret)
    await shop.kafka.until(lambda _: any(o.header("ce_causationid") == "later" for o in shop.kafka.of(mine[1])))
    assert await shop.in_the_database() == ["fact.data: Anna Sørensen"]
    code, _, err = await shop.command("forget", told["pseudonym"], "--by", "ticket 4800")
    assert (code, await shop.in_the_database()) == (0, []), err

    # The topics of events forget when their time is over, the compacted one when it has been compacted.
    events = {shop.running.topics[name] for name in shop.running.topics} - {
        shop.running.topics[name] for name in (TIMELINE, DEAD, "cancellation-policy")
    }
    assert told["topics_clean_by"].keys() == events
    assert await shop.on_the_topics() != []
    await past_their_time(shop.running)
    async with asyncio.timeout(120):
        while await shop.on_the_topics():
            await shop.begins(f"s-{secrets.token_hex(4)}", "bo", "Bo")  # a segment that nobody writes to stays as it is
    for name in mine:
        (shown,) = [s for s in await shop.on_the_timeline_topic() if s["subscription_id"] == name]
        assert shown["customer_id"] == told["pseudonym"]

    assert (await shop.command("forget", ANNA, "--by", "me"))[:2] == (0, "Nothing is stored of this customer.\n")
    assert len(await shop.acts()) == 2
    assert await shop.differs() == []


async def test_dead_letters_about_the_customer_are_taken_off_and_those_of_others_keep_their_fates(
    shop: Shop,
) -> None:
    await shop.begins("s-letters", ANNA, "Anna Sørensen")
    await shop.kafka.until(lambda seen: any(outcome.topic == TIMELINE for outcome in seen))
    await set_aside(shop, "s-letters")
    first, second, *hers = await shop.letters()
    await shop.discard(first, "of no use")
    await shop.discard(hers[0], "she rang")
    code, out, err = await shop.command("forget", ANNA, "--dry-run", "--json")
    assert (code, err) == (0, "")
    assert sorted(json.loads(out)["dead_letters"]) == sorted(letter.name for letter in hers)
    assert await shop.in_the_database(("she rang",)) == ["dead_letter_fate.reason: she rang"]
    assert len(await shop.letters()) == 4

    told = await forgotten(shop, "ticket 4711")

    assert sorted(told["dead_letters"]) == sorted(letter.name for letter in hers)
    assert await shop.in_the_database() == []
    left = await shop.letters()
    assert [letter.original for letter in left] == [first.original, second.original]
    assert [None if letter.fate is None else letter.fate.reason for letter in left] == ["of no use", None]
    assert not [line for line in await shop.on_the_topics() if line.startswith(shop.running.topics[DEAD])]
