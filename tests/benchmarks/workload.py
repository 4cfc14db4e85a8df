"""What is measured on: subscriptions with half a year behind them, and a stream of what then happens to some of them.

Each subscription is 300.00 DKK a month in advance from 1 June 2025, its invoices issued and paid until
November, December planned: 15 facts, written into the tables as the service would have. The stream is
made of short stories, drawn in these shares of the subscriptions it touches:

| share | story |
|---|---|
| 55 % | cancelled to a date in November |
| 15 % | cancelled, then moved to another |
| 10 % | cancelled, then revoked |
| 10 % | renewed, and December issued |
| 10 % | cancelled, and December issued all the same |

So 81 of 100 events are commands, and the rest are the life they race.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from service.batch import Batch, read
from service.domain.subscription import Subscription
from service.settings import Settings, Topics
from service.store.records import Incoming, Outgoing
from service.store.subscriptions import Key, StoredFact, state_json

MODEL = "S00000000"
"""The id of the subscription that all others are copies of."""
NOW = datetime(2025, 11, 12, 12, tzinfo=UTC)
LIFECYCLE, REQUESTED = "subscription-lifecycle", "cancellation-requested"
_SETTINGS, _TOPICS = Settings(), Topics()
_SHARES = {"cancel": 55, "move": 15, "revoke": 10, "renew": 10, "race": 10}
_WITH_FACTS = 100_000
_MONTHS = ("2025-06-01", "2025-07-01", "2025-08-01", "2025-09-01", "2025-10-01", "2025-11-01", "2025-12-01")


@dataclass(frozen=True, slots=True)
class Sent:
    """One event as it is produced."""

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


def subscription_id(number: int) -> str:
    """The id of a subscription, as long as all others."""
    return f"S{number:08d}"


def stream(subscriptions: int, touched: int, seed: int = 1) -> Iterator[list[Sent]]:
    """The stories of so many subscriptions, each to be sent in order; the same seed draws the same ones."""
    chance = random.Random(seed)  # noqa: S311  to be repeated
    for number in chance.sample(range(1, subscriptions + 1), touched):
        yield story(chance.choices([*_SHARES], [*_SHARES.values()])[0], subscription_id(number))


def story(name: str, subscription: str) -> list[Sent]:
    """What happens to one subscription."""
    cancel = _command(subscription, "requested", 0, end={"mode": "on-date", "date": "2025-11-21"})
    december = _issued(subscription, 6, 1)
    match name:
        case "cancel":
            return [cancel]
        case "move":
            return [cancel, _command(subscription, "moved", 1, end={"mode": "on-date", "date": "2025-11-26"})]
        case "revoke":
            return [cancel, _command(subscription, "revoked", 1)]
        case "renew":
            period = {"start": _MONTHS[6], "end": "2026-01-01"}
            return [_life(subscription, "subscription-renewed", 0, NOW, period=period), december]
        case _:
            return [cancel, december]


def long_life(subscription: str, facts: int) -> Iterator[Sent]:
    """A subscription by the day, each day invoiced and paid, with so many facts up to now."""
    days = facts // 2
    first = (NOW - timedelta(days=days)).date()
    begun = datetime(first.year, first.month, first.day, tzinfo=UTC)
    yield _activated(subscription, begun, "P1D")
    for number in range(days - 1):
        at, day = begun + timedelta(days=number), first + timedelta(days=number)
        charge = {"charge_id": f"C{number}", "line_id": "L1", "amount": "300.00", "tax_amount": "60.00"}
        period = {"start": str(day), "end": str(day + timedelta(days=1))}
        issued = {"invoice_id": f"INV-{number}", "charges": [{**charge, "period": period}]}
        yield _life(subscription, "invoice-issued", number, at, **issued)
        paid = {"invoice_id": f"INV-{number}", "paid_amount": "300.00"}
        yield _life(subscription, "invoice-paid", number, at, **paid)


def again(subscription: str, turn: int) -> Sent:
    """Cancelled to tomorrow, and revoked, in turn, a second apart."""
    done, at = ("revoked", {}) if turn % 2 else ("requested", {"end": {"mode": "on-date", "date": "2025-11-13"}})
    name = f"cancellation-{done}"
    return _event(REQUESTED, name, subscription, f"{done}-{turn}", NOW + timedelta(seconds=turn), at)


class Model:
    """The subscription that all others are copies of, as the service itself has written it."""

    def __init__(self) -> None:
        self.facts: list[StoredFact] = []
        self.state: Subscription | None = None
        self.digest = b""
        key: Key = ("default", MODEL)
        for offset, event in enumerate(_history(MODEL)):
            batch, arrival = _decided(event, offset, self.state)
            self.state = dict(_by_key(batch))[key]
            self.facts += batch.facts
            assert arrival == key

    def after(self, events: list[Sent]) -> Subscription:
        """This subscription after a story."""
        state = self.state
        for offset, event in enumerate(events):
            batch, _ = _decided(event, offset, state)
            state = dict(_by_key(batch)).get(("default", MODEL), state)
        assert state is not None
        return state

    def outcomes(self, events: list[Sent]) -> list[list[Outgoing]]:
        """What each event of a story about this subscription leads to."""
        state, led_to = self.state, []
        for offset, event in enumerate(events):
            batch, _ = _decided(event, offset, state)
            state = dict(_by_key(batch)).get(("default", MODEL), state)
            led_to.append(batch.published)
        return led_to

    async def preload(self, connection: asyncpg.Connection, subscriptions: int) -> None:
        """Writes so many copies into the tables."""
        assert self.state is not None
        await connection.execute(
            """
            insert into subscription (tenant_id, subscription_id, customer_id, sequence, state, updated_at)
            select 'default', i.id, 'customer', 0, replace($2, $3, i.id)::json, $4
            from (select 'S' || lpad(n::text, 8, '0') as id from generate_series(1, $1) as n) as i
            """,
            subscriptions,
            state_json(self.state),
            MODEL,
            NOW,
        )
        for fact in self.facts:  # of many, a part is enough: no event reads them
            await connection.execute(
                """
                insert into fact
                (tenant_id, subscription_id, source, event_id, type, time, recorded_at, data, policies, digest)
                select
                    'default', i.id, $2, replace($3, $7, i.id), $4, $5, $5,
                    convert_to(replace($6, $7, i.id), 'UTF8'), 0, $8
                from (select 'S' || lpad(n::text, 8, '0') as id from generate_series(1, $1) as n) as i
                """,
                min(subscriptions, _WITH_FACTS),
                fact.source,
                fact.event_id,
                fact.type,
                fact.time,
                fact.data.decode(),
                MODEL,
                fact.digest,
            )


def incoming(event: Sent, offset: int) -> Incoming:
    """An event as it would be consumed."""
    return Incoming(event.topic, 0, offset, int(NOW.timestamp() * 1000), event.key, event.value, event.headers)


def _decided(event: Sent, offset: int, state: Subscription | None) -> tuple[Batch, Key | None]:
    arrival = read(incoming(event, offset), NOW)
    batch = Batch(_SETTINGS, _TOPICS, NOW, {}, {("default", MODEL): state})
    batch.take(arrival)
    for key in batch.undrawn:
        batch.draw(key)
    return batch, arrival.key


def _by_key(batch: Batch) -> Iterator[tuple[Key, Subscription]]:
    for subscription, _ in batch.changed:
        yield (subscription.tenant_id, subscription.subscription_id), subscription


def _history(subscription: str) -> Iterator[Sent]:
    yield _activated(subscription, datetime(2025, 6, 1, tzinfo=UTC), "P1M")
    for month in range(6):
        yield _issued(subscription, month, 0)
        paid = {"invoice_id": f"INV-{month}", "paid_amount": "300.00"}
        yield _life(subscription, "invoice-paid", month, _month(month), **paid)
    yield _issued(subscription, 6, 0, "planned")


def _activated(subscription: str, begun: datetime, interval: str) -> Sent:
    return _life(
        subscription,
        "subscription-activated",
        0,
        begun,
        customer_id="customer",
        currency="DKK",
        time_zone="Europe/Copenhagen",
        start_date=str(begun.date()),
        interval=interval,
        billing="in-advance",
        lines=[{"line_id": "L1", "amount": "300.00"}],
    )


def _issued(subscription: str, month: int, number: int, state: str = "issued") -> Sent:
    end = _MONTHS[month + 1] if month < len(_MONTHS) - 1 else "2026-01-01"
    charge = {
        "charge_id": f"C{month}",
        "line_id": "L1",
        "period": {"start": _MONTHS[month], "end": end},
        "amount": "300.00",
        "tax_amount": "60.00",
    }
    at = NOW if number else _month(min(month, 5))
    name = f"invoice-{state}"
    return _life(subscription, name, month + 10 * number, at, invoice_id=f"INV-{month}", charges=[charge])


def _month(month: int) -> datetime:
    return datetime.fromisoformat(f"{_MONTHS[month]}T00:00:00+00:00")


def _life(subscription: str, name: str, number: int, at: datetime, **data: Any) -> Sent:  # noqa: ANN401  JSON
    return _event(LIFECYCLE, name, subscription, f"{name}-{number}", at, data)


def _command(subscription: str, done: str, number: int, **data: Any) -> Sent:  # noqa: ANN401  JSON
    return _event(REQUESTED, f"cancellation-{done}", subscription, f"{done}-{number}", NOW.replace(minute=number), data)


def _event(topic: str, name: str, subscription: str, event: str, at: datetime, data: dict[str, Any]) -> Sent:
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": f"{subscription}-{event}",
        "ce_source": "benchmark",
        "ce_type": name,
        "ce_time": at.isoformat(),
    }
    value = json.dumps({"subscription_id": subscription, **data}).encode()
    return Sent(topic, subscription.encode(), value, [(key, text.encode()) for key, text in attributes.items()])
