"""The books as a table of figures, and what was published: to be laid beside each other before and after."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer

from service.ops.exporting import export
from service.settings import Settings
from tests.books import TIMELINE
from tests.chaos.checker import DEAD, OUTCOMES

_EVER = datetime(2030, 1, 1, tzinfo=UTC)
_NUMBERED = sorted({*OUTCOMES} - {TIMELINE, DEAD})


@dataclass
class Books:
    """Counts, sums for each currency, and a digest of every date and amount of every subscription.

    `way` is a digest of how it came about as well: all adjustments with their ids, and the numbers of the outcomes.
    `adjustments` are the ids of all that were published, as far as the books know.
    """

    subscriptions: int = 0
    cancelled: int = 0
    facts: int = 0
    sums: dict[str, dict[str, str]] = field(default_factory=dict)
    digest: str = ""
    way: str = ""
    adjustments: set[str] = field(default_factory=set)

    def lines(self) -> dict[str, str]:
        """Each figure under its name."""
        plain = {name: str(value) for name, value in asdict(self).items() if name not in {"sums", "adjustments"}}
        return {**plain, **{f"{c} {name}": total for c, each in self.sums.items() for name, total in each.items()}}


async def books(url: str, kafka: str) -> Books:
    """The books as the database has them."""
    lines: list[dict[str, Any]] = []
    settings = Settings(database_url=url, kafka_bootstrap_servers=kafka)
    unreadable = await export(settings, None, lambda line: lines.append(json.loads(line)), _EVER)
    assert not unreadable
    connection = await asyncpg.connect(url)
    try:
        facts = await connection.fetchval("select count(*) from fact where type <> 'clock'")
    finally:
        await connection.close()
    found, digest, way = Books(len(lines), facts=facts), hashlib.blake2b(digest_size=8), hashlib.blake2b(digest_size=8)
    totals: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for line in sorted(lines, key=lambda each: (each["tenant_id"], each["subscription_id"])):
        found.adjustments |= {each["adjustment_id"] for each in line["adjustments"]}
        found.cancelled += line["end_date"] is not None
        charges = sorted(line["charges"], key=lambda each: str(each["charge_id"]))
        for charge in charges:
            for name in ("billed", "kept", "credited"):
                totals[line["currency"]][name] += Decimal(charge[name])
        names = ("tenant_id", "subscription_id", "customer_id", "status", "end_date", "last_active_day", "periods")
        said = [[line[name] for name in names], charges]
        digest.update(json.dumps(said).encode())
        way.update(json.dumps([said, line["sequence"], line["adjustments"]]).encode())
    found.sums = {c: {name: str(total) for name, total in each.items()} for c, each in sorted(totals.items())}
    found.digest, found.way = digest.hexdigest(), way.hexdigest()
    return found


@dataclass
class Published:
    """Numbered outcomes on Kafka: under each id its value, and how often it is there."""

    values: dict[str, bytes] = field(default_factory=dict)
    times: Counter[str] = field(default_factory=Counter)
    otherwise: int = 0

    @property
    def adjustments(self) -> set[str]:
        """The ids of all credits and debits."""
        said = (json.loads(value) for value in self.values.values() if b'"adjustment_id"' in value)
        return {data["adjustment_id"] for data in said}

    @property
    def total(self) -> int:
        """How many records there are, repeats included."""
        return self.times.total()


async def published(kafka: str, topics: Mapping[str, str]) -> Published:
    """All numbered outcomes there are; `otherwise` counts repeats that say something else."""
    found = Published()
    consumer = AIOKafkaConsumer(
        *(topics[name] for name in _NUMBERED), bootstrap_servers=kafka, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        places = consumer.assignment()
        ends = await consumer.end_offsets(places)
        while behind := [tp for tp in places if await consumer.position(tp) < ends[tp]]:
            for records in (await consumer.getmany(*behind, timeout_ms=500)).values():
                for record in records:
                    event_id = dict(record.headers)["ce_id"].decode()
                    found.otherwise += found.values.setdefault(event_id, record.value or b"") != record.value
                    found.times[event_id] += 1
    finally:
        await consumer.stop()
    return found
