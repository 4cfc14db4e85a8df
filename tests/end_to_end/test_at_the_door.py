"""What the service does with records that are not what they should be, and in which order it takes them."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator

import pytest
from aiokafka.producer import message_accumulator, producer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from tests.conftest import Running
from tests.kafka import Client, client, monthly

LIFECYCLE, REQUESTED = "subscription-lifecycle", "cancellation-requested"
GOOD: list[tuple[str, bytes | None]] = [
    ("ce_specversion", b"1.0"),
    ("ce_id", b"x"),
    ("ce_source", b"tests"),
    ("ce_type", b"cancellation-requested"),
    ("content-type", b"application/json"),
]
REQUEST = {"subscription_id": "anything", "end": {"mode": "immediately"}}
BODY = json.dumps(REQUEST).encode()
FLOAT_PAYMENT = json.dumps({"subscription_id": "anything", "invoice_id": "I", "paid_amount": 12.5}).encode()
CHARGE = {"charge_id": "C", "period": {"start": "2026-11-01", "end": "2026-12-01"}, "amount": "1.00"}
CHARGES = json.dumps({"subscription_id": "anything", "invoice_id": "I", "charges": [CHARGE] * 80_000}).encode()

BAD: dict[str, tuple[bytes | None, list[tuple[str, bytes | None]], str]] = {
    "a null header": (BODY, [*GOOD, ("x-tenant", None)], "bad-header"),
    "a header that is not UTF-8": (BODY, [*GOOD, ("x-tenant", b"\xff\xfe")], "bad-header"),
    "no value": (None, GOOD, "empty"),
    "an empty value": (b"", GOOD, "empty"),
    "broken JSON": (b'{"subscription_id": ', GOOD, "not-json"),
    "a megabyte of garbage": (secrets.token_bytes(1_000_000), GOOD, "not-json"),
    "as much as the topic takes": (secrets.token_bytes(7_990_000), GOOD, "too-large"),
    "a key twice": (b'{"subscription_id": "a", ' + BODY[1:], GOOD, "duplicate-key"),
    "a hundred thousand charges": (CHARGES, [*GOOD[:3], ("ce_type", b"invoice-issued"), GOOD[4]], "too-large"),
    "a thousand headers": (BODY, [*GOOD, *[("x-more", b"x")] * 1000], "too-large"),
    "a wrong type": (json.dumps({**REQUEST, "subscription_id": 7}).encode(), GOOD, "malformed"),
    "an unknown event type": (BODY, [*GOOD[:3], ("ce_type", b"coffee-requested"), GOOD[4]], "unknown-type"),
    "a float amount": (FLOAT_PAYMENT, [*GOOD[:3], ("ce_type", b"invoice-paid"), GOOD[4]], "malformed"),
    "no event attributes": (BODY, [], "malformed"),
    "a structured event without data": (
        b'{"specversion": "1.0", "id": "x", "source": "tests", "type": "cancellation-requested"}',
        [("content-type", b"application/cloudevents+json")],
        "malformed",
    ),
}


@pytest.fixture
async def kafka(running: Running) -> AsyncIterator[Client]:
    async with client(running.kafka, running.topics) as connected:
        yield connected


async def test_each_bad_record_goes_aside_byte_for_byte_and_everything_around_it_is_decided(kafka: Client) -> None:
    ids = {name: f"around-{number}" for number, name in enumerate(BAD)}
    for name, subscription in ids.items():
        await kafka.send(LIFECYCLE, "subscription-activated", f"{subscription}-a", monthly(subscription))
        value, headers, _ = BAD[name]
        await kafka.raw(REQUESTED, value, headers, key=name.encode(), partition=0)
        request = {"subscription_id": subscription, "end": {"mode": "on-date", "date": "2031-01-15"}}
        await kafka.send(REQUESTED, "cancellation-requested", f"{subscription}-c", request)

    await kafka.until(
        lambda _: len(kafka.dead_letters) >= len(BAD) and all(kafka.of(subscription) for subscription in ids.values())
    )

    assert [kafka.of(subscription)[0].type for subscription in ids.values()] == ["cancellation-scheduled"] * len(BAD)
    dead = {letter.key: letter for letter in kafka.dead_letters}
    assert set(dead) == {name.encode() for name in BAD}
    for name, (value, headers, reason) in BAD.items():
        letter = dead[name.encode()]
        assert letter.value == value, name
        assert letter.headers[: len(headers)] == headers, name
        assert letter.header("dlq_reason") == reason, name
        assert letter.header("dlq_topic") == kafka.names[REQUESTED], name
        assert letter.header("dlq_partition") == "0", name
        assert letter.header("dlq_error"), name


async def test_a_request_sent_right_after_its_invoices_finds_them(kafka: Client) -> None:
    subscriptions = [f"hurried-{number}" for number in range(30)]
    for subscription in subscriptions:
        ids = {"subscription_id": subscription}
        period = {"start": "2026-11-01", "end": "2026-12-01"}
        charge = {"charge_id": "C1", "line_id": "L1", "period": period, "amount": "30.00"}
        await kafka.send(LIFECYCLE, "subscription-activated", f"{subscription}-1", monthly(subscription))
        issued = {**ids, "invoice_id": "INV-1", "charges": [charge]}
        await kafka.send(LIFECYCLE, "invoice-issued", f"{subscription}-2", issued)
        request = {**ids, "end": {"mode": "on-date", "date": "2026-11-16"}}
        await kafka.send(REQUESTED, "cancellation-requested", f"{subscription}-3", request, time="2026-11-10T12:00:00Z")
    await kafka.until(lambda _: all(len(kafka.of(subscription)) >= 4 for subscription in subscriptions))
    told = [[outcome.type for outcome in kafka.of(subscription)] for subscription in subscriptions]
    whole = ["cancellation-scheduled", "period-shortened", "renewal-cancelled", "credit-adjustment"]
    assert told == [whole] * len(subscriptions)


async def test_a_header_whose_name_is_no_text_keeps_nothing_behind_it_from_being_read(
    kafka: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NotText(str):
        """A header name as a careless client writes it."""

        __slots__ = ()

        def encode(self, *_: object) -> bytes:
            return b"caf\xe9"

    for module in (producer, message_accumulator):
        monkeypatch.setattr(module, "DefaultRecordBatchBuilder", _DefaultRecordBatchBuilderPy)
    request = {"end": {"mode": "on-date", "date": "2031-01-15"}}
    for name in ("before", "bearing-it", "behind"):
        await kafka.send(LIFECYCLE, "subscription-activated", f"{name}-a", monthly(name))
        headers = [*GOOD[:1], ("ce_id", f"{name}-c".encode()), *GOOD[2:]]
        if name == "bearing-it":
            headers.insert(2, (NotText("x"), b"1"))
        value = json.dumps({"subscription_id": name, **request}).encode()
        await kafka.raw(REQUESTED, value, headers, key=b"k", partition=0)
    await kafka.until(lambda _: all(kafka.of(name) for name in ("before", "bearing-it", "behind")))
    assert kafka.of("bearing-it")[0].type == "cancellation-scheduled"
