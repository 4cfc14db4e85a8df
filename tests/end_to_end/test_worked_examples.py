"""Two cancellations worked out by hand, through a real Kafka, a real Postgres and a service in its own process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.local import Servers
from tests.conftest import Running, service
from tests.kafka import Client, client

LIFECYCLE, REQUESTED = "subscription-lifecycle", "cancellation-requested"


@pytest.fixture
async def kafka(running: Running) -> AsyncIterator[Client]:
    async with client(running.kafka, running.topics) as connected:
        yield connected


def charge(number: str, start: str, end: str, amount: str) -> dict[str, Any]:
    return {"charge_id": number, "line_id": "L1", "period": {"start": start, "end": end}, "amount": amount}


async def a_paid_november_and_a_planned_december(kafka: Client, subscription: str) -> None:
    """300.00 DKK a month in advance: November issued and paid, December planned."""
    ids = {"subscription_id": subscription}
    time = "2026-11-01T00:00:00+01:00"
    agreement = {
        **ids,
        "customer_id": "customer-1",
        "currency": "DKK",
        "time_zone": "Europe/Copenhagen",
        "start_date": "2026-11-01",
        "interval": "P1M",
        "billing": "in-advance",
        "lines": [{"line_id": "L1", "amount": "300.00"}],
    }
    november = {"invoice_id": "INV-1", "charges": [charge("C1", "2026-11-01", "2026-12-01", "300.00")]}
    december = {"invoice_id": "INV-2", "charges": [charge("C2", "2026-12-01", "2027-01-01", "300.00")]}
    paid = {"invoice_id": "INV-1", "paid_amount": "300.00"}
    await kafka.send(LIFECYCLE, "subscription-activated", f"{subscription}-1", agreement, time=time)
    await kafka.send(LIFECYCLE, "invoice-issued", f"{subscription}-2", {**ids, **november}, time=time)
    await kafka.send(LIFECYCLE, "invoice-paid", f"{subscription}-3", {**ids, **paid}, time=time)
    await kafka.send(LIFECYCLE, "invoice-planned", f"{subscription}-4", {**ids, **december}, time=time)


async def cancel(kafka: Client, subscription: str, event_id: str = "cancel") -> None:
    data = {"subscription_id": subscription, "end": {"mode": "on-date", "date": "2026-11-21"}}
    time = "2026-11-12T09:00:00+01:00"
    await kafka.send(REQUESTED, "cancellation-requested", f"{subscription}-{event_id}", data, time=time)


def without(data: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in names}


async def test_an_end_inside_a_paid_month_shortens_it_stops_the_next_and_gives_the_rest_back(kafka: Client) -> None:
    await a_paid_november_and_a_planned_december(kafka, "example-a")
    await cancel(kafka, "example-a")
    await kafka.until(lambda _: len(kafka.of("example-a")) >= 4)

    outcomes = kafka.of("example-a")
    head = {
        "tenant_id": "default",
        "subscription_id": "example-a",
        "customer_id": "customer-1",
        "cancellation_id": "example-a-cancel",
    }
    assert [outcome.type for outcome in outcomes] == [
        *("cancellation-scheduled", "period-shortened", "renewal-cancelled", "credit-adjustment"),
    ]
    scheduled, shortened, cancelled, credit = (outcome.data for outcome in outcomes)
    assert scheduled == {
        **head,
        "sequence": 1,
        "text": "The last day of the subscription is 20 November 2026.",
        "requested_end_date": "2026-11-21",
        "earliest_permitted_end_date": "2026-11-01",
        "end_date": "2026-11-21",
        "last_active_day": "2026-11-20",
        "access_ends_at": "2026-11-21T00:00:00+01:00",
        "mode": "on-date",
        "settlement": "prorate",
    }
    assert shortened == {
        **head,
        "sequence": 2,
        "currency": "DKK",
        "line_ids": ["L1"],
        "period": {"start": "2026-11-01", "end": "2026-12-01"},
        "shortened_to": {"start": "2026-11-01", "end": "2026-11-21"},
        "end_date": "2026-11-21",
        "last_active_day": "2026-11-20",
        "active": {"numerator": 20, "denominator": 30, "unit": "day"},
        "charges": [
            {
                "charge_id": "C1",
                "invoice_id": "INV-1",
                "state": "issued",
                "amount_before": "300.00",
                "amount_after": "200.00",
            }
        ],
    }
    assert cancelled == {
        **head,
        "sequence": 3,
        "currency": "DKK",
        "renewal": {"start": "2026-12-01", "end": "2027-01-01"},
        "invoice_id": "INV-2",
        "charges": [
            {
                "charge_id": "C2",
                "invoice_id": "INV-2",
                "state": "planned",
                "amount_before": "300.00",
                "amount_after": "0.00",
            }
        ],
    }
    assert without(credit, "adjustment_id") == {
        **head,
        "sequence": 4,
        "direction": "credit",
        "amount": "100.00",
        "tax_amount": "0.00",
        "currency": "DKK",
        "invoice_id": "INV-1",
        "charge_id": "C1",
        "line_id": "L1",
        "period": {"start": "2026-11-01", "end": "2026-12-01"},
        "settlement": {"offset": "0.00", "refundable": "100.00"},
        "cause": "cancelled",
        "calculation": {
            "billed": "300.00",
            "kept": "200.00",
            "active": 20,
            "total": 30,
            "unit": "day",
            "text": "20 of 30 days at 300.00 kr. a month = 200.00 kr.; 100.00 kr. back.",
        },
    }


async def test_a_regretted_cancellation_leaves_the_books_as_they_were(kafka: Client) -> None:
    await a_paid_november_and_a_planned_december(kafka, "example-a-revoked")
    await cancel(kafka, "example-a-revoked")
    revoke = {"subscription_id": "example-a-revoked"}
    time = "2026-11-14T09:00:00+01:00"
    await kafka.send(REQUESTED, "cancellation-revoked", "example-a-revoke", revoke, time=time)
    await kafka.until(lambda _: len(kafka.of("example-a-revoked")) >= 8)

    outcomes = kafka.of("example-a-revoked")
    assert [outcome.type for outcome in outcomes[4:]] == [
        *("cancellation-withdrawn", "period-restored", "renewal-reinstated", "credit-adjustment"),
    ]
    credit, _, restored, reinstated, debit = (outcome.data for outcome in outcomes[3:])
    assert restored["restored_to"] == {"start": "2026-11-01", "end": "2026-12-01"}
    assert [(c["amount_before"], c["amount_after"]) for c in restored["charges"]] == [("200.00", "300.00")]
    assert [(c["amount_before"], c["amount_after"]) for c in reinstated["charges"]] == [("0.00", "300.00")]
    assert (debit["direction"], debit["amount"], debit["cause"]) == ("debit", "100.00", "revoked")
    assert debit["reverses_adjustment_id"] == credit["adjustment_id"]
    assert debit["settlement"] == credit["settlement"]
    await kafka.until(lambda _: kafka.shown("example-a-revoked", 8))
    timeline = kafka.timeline("example-a-revoked")
    assert (timeline["status"], timeline["end_date"]) == ("active", None)
    assert [(c["charge_id"], c["kept"], c["credited"]) for c in timeline["charges"]] == [
        ("C1", "300.00", "0.00"),
        ("C2", "300.00", "0.00"),
    ]


async def test_an_unpaid_month_in_a_currency_without_decimals_is_offset_not_refunded(kafka: Client) -> None:
    ids = {"subscription_id": "example-b"}
    agreement = {
        **ids,
        "customer_id": "customer-2",
        "currency": "JPY",
        "time_zone": "Asia/Tokyo",
        "start_date": "2027-01-31",
        "interval": "P1M",
        "anchor_day": 31,
        "billing": "in-advance",
        "lines": [{"line_id": "L1", "amount": "1000"}],
    }
    march = {"invoice_id": "INV-1", "charges": [charge("C1", "2027-02-28", "2027-03-31", "1000")]}
    wish = {"mode": "on-date", "last_active_day": "2027-03-09"}
    await kafka.send(LIFECYCLE, "subscription-activated", "example-b-1", agreement, time="2026-11-01T00:00:00Z")
    await kafka.send(LIFECYCLE, "invoice-issued", "example-b-2", {**ids, **march}, time="2026-11-01T00:00:00Z")
    data = {**ids, "end": wish}
    await kafka.send(REQUESTED, "cancellation-requested", "example-b-3", data, time="2026-11-02T00:00:00Z")
    await kafka.until(lambda _: len(kafka.of("example-b")) >= 4)

    scheduled, shortened, cancelled, credit = (outcome.data for outcome in kafka.of("example-b"))
    assert (scheduled["end_date"], scheduled["last_active_day"]) == ("2027-03-10", "2027-03-09")
    assert shortened["active"] == {"numerator": 10, "denominator": 31, "unit": "day"}
    assert cancelled["renewal"] == {"start": "2027-03-31", "end": "2027-04-30"}
    assert (credit["amount"], credit["calculation"]["kept"]) == ("677", "323")
    assert credit["settlement"] == {"offset": "677", "refundable": "0"}


async def test_an_end_that_was_reached_is_sealed_and_then_nothing_moves_it(embedded: Servers, template: str) -> None:
    async with (
        service(embedded, template, {"SEAL_GRACE": "0", "CLOCK_INTERVAL": "0.05"}) as sealing,
        client(sealing.kafka, sealing.topics) as kafka,
    ):
        await a_paid_november_and_a_planned_december(kafka, "sealed")
        await cancel(kafka, "sealed")
        await kafka.until(lambda _: len(kafka.of("sealed")) >= 5)
        ended = kafka.of("sealed")[4]
        assert ended.type == "subscription-ended"
        assert (ended.data["end_date"], ended.data["last_active_day"]) == ("2026-11-21", "2026-11-20")
        assert ended.data["usage_cutoff"] == "2026-11-21T00:00:00+01:00"

        time = "2026-11-13T09:00:00+01:00"
        await kafka.send(REQUESTED, "cancellation-revoked", "too-late", {"subscription_id": "sealed"}, time=time)
        await kafka.until(lambda _: len(kafka.of("sealed")) >= 6)
        refused = kafka.of("sealed")[5].data
        assert (refused["code"], refused["rejected_type"]) == ("already-ended", "cancellation-revoked")
