"""What a record may be at most, and what is said of one that is more: a reason for machines, a sentence for people."""

from __future__ import annotations

import gc
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from service import arrivals
from service.messages.envelope import LARGEST_HEADERS, LARGEST_VALUE, MOST_HEADERS, Envelope, UnreadableError, decode
from service.messages.inputs import LONGEST_ID, MOST_CHARGES, MOST_LINES
from service.store.records import Incoming

NOW = datetime(2026, 11, 12, tzinfo=UTC)
ACTIVATED: dict[str, Any] = {
    "subscription_id": "s",
    "customer_id": "c",
    "currency": "DKK",
    "time_zone": "Europe/Copenhagen",
    "start_date": "2026-11-01",
    "interval": "P1M",
    "lines": [{"line_id": "L1", "amount": "300.00"}],
}
PERIOD = {"start": "2026-11-01", "end": "2026-12-01"}


def headers(event_type: str) -> list[tuple[str, bytes | None]]:
    attributes = {"specversion": "1.0", "id": "e1", "source": "tests", "type": event_type}
    return [(f"ce_{name}", value.encode()) for name, value in attributes.items()]


def read(value: bytes, event_type: str, *more: tuple[str, bytes | None]) -> Envelope | UnreadableError:
    try:
        return decode(Incoming("topic", 0, 0, 1_794_000_000_000, None, value, [*headers(event_type), *more]))
    except UnreadableError as error:
        return error


def activation(**changes: object) -> Envelope | UnreadableError:
    return read(json.dumps({**ACTIVATED, **changes}).encode(), "subscription-activated")


def invoice(charges: int) -> bytes:
    listed = [{"charge_id": f"C{n}", "period": PERIOD, "amount": "1.00"} for n in range(charges)]
    return json.dumps({"subscription_id": "s", "invoice_id": "I", "charges": listed}).encode()


def said(outcome: Envelope | UnreadableError) -> tuple[str, str]:
    return ("fine", "") if isinstance(outcome, Envelope) else (outcome.reason, str(outcome))


def lines(count: int) -> list[dict[str, str]]:
    return [{"line_id": f"L{n}", "amount": "1.00"} for n in range(count)]


@pytest.mark.parametrize(
    ("most", "more", "reason", "sentence"),
    [
        ({"subscription_id": "x" * LONGEST_ID}, {"subscription_id": "x" * 256}, "malformed", "at most 255"),
        ({"subscription_id": "ø" * LONGEST_ID}, {"customer_id": "x" * 10_000}, "malformed", "at most 255"),
        ({"subscription_id": "a:b"}, {"tenant_id": "a:b"}, "malformed", "tenant_id"),
        ({"lines": lines(MOST_LINES)}, {"lines": lines(10_000)}, "malformed", "at most 500"),
        ({"start_date": "1900-01-01"}, {"start_date": "1899-12-31"}, "malformed", "1900-01-01"),
        ({"start_date": "2199-12-31"}, {"start_date": "2200-01-01"}, "malformed", "2199-12-31"),
        ({"interval": "P100Y"}, {"interval": "P101Y"}, "malformed", "longer than 100 years"),
        ({"interval": "P1D"}, {"interval": "P0D"}, "malformed", "is not an interval"),
        ({"interval": "P9999D"}, {"interval": "P1000000Y"}, "malformed", "is not an ISO 8601 duration"),
        ({"terms": {"notice": "P0D"}}, {"terms": {"notice": "P1201M"}}, "malformed", "longer than 100 years"),
        ({"time_zone": "Africa/Casablanca"}, {"time_zone": "right/Europe/Copenhagen"}, "malformed", "no time zone"),
        ({"time_zone": "Pacific/Apia"}, {"time_zone": "Europe/Atlantis"}, "malformed", "no time zone"),
        ({"x": 1e300}, {"x": float("inf")}, "not-json", "is not JSON"),
    ],
    ids=str,
)
def test_an_activation_may_say_so_much_and_no_more(
    most: dict[str, Any], more: dict[str, Any], reason: str, sentence: str
) -> None:
    assert said(activation(**most)) == ("fine", "")
    assert said(activation(**more))[0] == reason
    assert sentence in said(activation(**more))[1]


def test_an_invoice_has_at_most_a_thousand_charges() -> None:
    assert said(read(invoice(MOST_CHARGES), "invoice-issued")) == ("fine", "")
    assert said(read(invoice(MOST_CHARGES + 1), "invoice-issued"))[0] == "malformed"


@pytest.mark.parametrize("value", [invoice(8_000), invoice(100_000), b'{"x":' + b"[" * 999_990, b"1" * LARGEST_VALUE])
def test_what_is_far_too_much_is_refused_in_no_time(value: bytes) -> None:
    began = time.process_time()
    assert said(read(value, "invoice-issued"))[0] in {"too-large", "malformed", "not-json"}
    assert time.process_time() - began < 1


def test_a_value_has_at_most_a_million_bytes() -> None:
    text = json.dumps(ACTIVATED)
    assert said(read(text.ljust(LARGEST_VALUE).encode(), "subscription-activated")) == ("fine", "")
    assert said(read(text.ljust(LARGEST_VALUE + 1).encode(), "subscription-activated"))[0] == "too-large"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ([("x", b"")] * (MOST_HEADERS - 4), "fine"),
        ([("x", b"")] * (MOST_HEADERS - 3), "too-large"),
        ([("x", b"")] * 100_000, "too-large"),
        ([("x", b"x" * (LARGEST_HEADERS - 200))], "fine"),
        ([("x", b"x" * LARGEST_HEADERS)], "too-large"),
        ([("x" * LARGEST_HEADERS, b"x")], "too-large"),
        ([("traceparent", b"x" * 1024)], "fine"),
        ([("traceparent", b"x" * 1025)], "malformed"),
        ([("ce_id", b"x" * 10_000)], "malformed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_headers_are_counted_and_weighed(more: list[tuple[str, bytes | None]], reason: str) -> None:
    assert said(read(json.dumps(ACTIVATED).encode(), "subscription-activated", *more))[0] == reason


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b'{"subscription_id": "s", "subscription_id": "t"}', "duplicate-key"),
        (b'{"subscription_id": "s", "reason": {"code": "c", "code": "c"}}', "duplicate-key"),
        (b'{"subscription_id": "s", "subscr\\u0069ption_id": "s"}', "duplicate-key"),
        (b'{"subscription_id": "s", "x": [{"a": 1, "a": 1}]}', "duplicate-key"),
        (b'{"subscription_id": "s", "x": "\\u003a", "x": ""}', "duplicate-key"),
        (b'{"subscription_id": "s", "x": "\\u003a", "y": "::"}', "fine"),
        (b'{"subscription_id": "s", "x": "\\\\u003a"}', "fine"),
        (b'{"subscription_id": "a:b", "x:y": ":"}', "fine"),
        (b'{"subscription_id": "s", "x": NaN}', "not-json"),
        (b'{"subscription_id": "s", "x": -Infinity}', "not-json"),
        (b'{"subscription_id": "s", "x": 1e999}', "not-json"),
        (b'{"subscription_id": "s", "x": ' + b"9" * 5000 + b"}", "not-json"),
        (b'{"subscription_id": "s", "x": "\xff"}', "not-json"),
        (b'{"subscription_id": "s", "x": "\xed\xa0\x80"}', "not-json"),
        (b'{"subscription_id": "s", "x": "\\udc00"}', "not-json"),
        (b'{"subscription_id": "s", "x": "\\ud83d\\ude00"}', "fine"),
        (b'{"subscription_id": "s", "x": ' + b"[" * 198 + b"]" * 198 + b"}", "fine"),
        (b'{"subscription_id": "s", "x": ' + b"[" * 201 + b"]" * 201 + b"}", "not-json"),
        (b'\xef\xbb\xbf{"subscription_id": "s"}', "not-json"),
        ('{"subscription_id": "s"}'.encode("utf-16"), "not-json"),
    ],
)
def test_only_json_that_says_one_thing_is_read(value: bytes, reason: str) -> None:
    assert said(read(value, "cancellation-revoked"))[0] == reason


def test_a_key_twice_in_a_structured_event_is_found_too() -> None:
    event = '{"specversion":"1.0","id":"1","source":"t","type":"cancellation-revoked","data":{"subscription_id":"s"}%s}'
    structured = ("content-type", b"application/cloudevents+json")
    assert said(read((event % "").encode(), "x", structured)) == ("fine", "")
    assert said(read((event % ',"id":"2"').encode(), "x", structured))[0] == "duplicate-key"


def test_no_complaint_is_longer_than_a_few_lines() -> None:
    long = activation(interval="P" * 500_000)
    assert len(said(long)[1]) <= 501


def test_a_record_that_cannot_be_read_is_let_go_of_with_its_batch() -> None:
    def receive(value: bytes) -> bool:
        record = Incoming("let-go", 0, 0, 0, None, value, headers("subscription-activated"))
        batch = [arrivals.read(record, NOW)]
        return isinstance(batch[0].event, UnreadableError)

    assert receive(json.dumps({**ACTIVATED, "start_date": "the first"}).encode())
    gc.collect()
    assert not [each for each in gc.get_objects() if isinstance(each, Incoming) and each.topic == "let-go"]
