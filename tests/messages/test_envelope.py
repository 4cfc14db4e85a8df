"""What a record must be to be an event, and what is said of it when it is none."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.messages.envelope import Envelope, UnreadableError, decode
from service.messages.inputs import InvoiceIssued, SubscriptionActivated
from service.store.records import Incoming

REVOKED = {"subscription_id": "s"}
ATTRIBUTES = {"specversion": "1.0", "id": "e1", "source": "tests", "type": "cancellation-revoked"}
BINARY = [(f"ce_{name}", value.encode()) for name, value in ATTRIBUTES.items()]


def record(value: bytes | None, headers: list[tuple[str, bytes | None]]) -> Incoming:
    return Incoming("topic", 0, 0, 1_794_000_000_000, None, value, headers)


def reason(value: bytes | None, headers: list[tuple[str, bytes | None]]) -> str:
    with pytest.raises(UnreadableError) as caught:
        decode(record(value, headers))
    assert str(caught.value)
    return caught.value.reason


def event(name: str, data: dict[str, Any]) -> Envelope:
    headers: list[tuple[str, bytes | None]] = [*BINARY[:3], ("ce_type", name.encode())]
    return decode(record(json.dumps(data).encode(), headers))


ACTIVATED = {
    "subscription_id": "s",
    "customer_id": "c",
    "currency": "DKK",
    "time_zone": "Europe/Copenhagen",
    "start_date": "2026-11-01",
    "interval": "P1M",
    "billing": "in-advance",
    "lines": [{"line_id": "L1", "amount": "300.00"}],
}


def test_binary_and_structured_mode_say_the_same() -> None:
    body = json.dumps({**ATTRIBUTES, "data": REVOKED}).encode()
    structured = decode(record(body, [("Content-Type", b"application/cloudevents+json")]))
    assert structured == decode(record(json.dumps(REVOKED).encode(), [*BINARY]))


def test_an_event_without_a_time_has_that_of_its_record() -> None:
    assert decode(record(b'{"subscription_id": "s"}', [*BINARY])).time.isoformat() == "2026-11-06T21:20:00+00:00"


def test_the_layout_of_the_data_does_not_matter_for_what_it_says() -> None:
    spread = b'{\n "subscription_id":\t"s", "requested_by": "kim" }'
    tight = b'{"requested_by":"kim","subscription_id":"s"}'
    assert decode(record(spread, [*BINARY])).content == decode(record(tight, [*BINARY])).content


@pytest.mark.parametrize(
    "change",
    [
        {"currency": "XXX"},
        {"currency": "dkk"},
        {"time_zone": "Mars/Olympus"},
        {"time_zone": "../../etc/passwd"},
        {"start_date": "2026-02-30"},
        {"start_date": "9999-12-31"},
        {"start_date": 20},
        {"interval": "P0D"},
        {"interval": "P1M1D"},
        {"interval": "PT1H"},
        {"anchor_day": 32},
        {"anchor_day": "15"},
        {"lines": []},
        {"lines": [{"line_id": "L1", "amount": 300.0}]},
        {"lines": [{"line_id": "L1", "amount": "1e3"}]},
        {"lines": [{"line_id": "L1", "amount": "\u0663.00"}]},
        {"subscription_id": ""},
        {"subscription_id": "a\u0000b"},
        {"subscription_id": "x" * 256},
        {"terms": {"notice": "a month"}},
    ],
    ids=str,
)
def test_an_activation_that_cannot_be_relied_on_is_malformed(change: dict[str, Any]) -> None:
    with pytest.raises(UnreadableError) as caught:
        event("subscription-activated", {**ACTIVATED, **change})
    assert caught.value.reason == "malformed"


def test_unknown_fields_are_ignored_so_that_senders_can_grow() -> None:
    data = event("subscription-activated", {**ACTIVATED, "colour": "green"}).data
    assert isinstance(data, SubscriptionActivated)


@pytest.mark.parametrize(
    ("start", "end", "fine"),
    [
        ("2026-11-01", "2026-12-01", True),
        ("2026-11-01T00:00:00+01:00", "2026-12-01T00:00:00+01:00", True),
        ("2026-11-01", "2026-12-01T00:00:00+01:00", False),
        ("2026-12-01", "2026-11-01", False),
        ("2026-12-01", "2026-12-01", False),
        ("2026-11-01T00:00:00", "2026-12-01T00:00:00", False),
    ],
)
def test_a_period_is_two_dates_or_two_instants_in_order(start: str, end: str, *, fine: bool) -> None:
    charge = {"charge_id": "C1", "period": {"start": start, "end": end}, "amount": "1.00"}
    data = {"subscription_id": "s", "invoice_id": "I", "charges": [charge]}
    if fine:
        assert isinstance(event("invoice-issued", data).data, InvoiceIssued)
    else:
        with pytest.raises(UnreadableError):
            event("invoice-issued", data)


@pytest.mark.parametrize(
    "end",
    [
        {"mode": "on-date"},
        {"mode": "on-date", "date": "2026-11-21", "last_active_day": "2026-11-20"},
        {"mode": "at-dawn"},
        {"mode": "on-date", "at": "2026-11-21T10:00:00"},
    ],
    ids=str,
)
def test_a_request_says_exactly_one_end(end: dict[str, Any]) -> None:
    with pytest.raises(UnreadableError, match="end"):
        event("cancellation-requested", {"subscription_id": "s", "end": end})


@pytest.mark.parametrize(
    ("value", "headers", "why"),
    [
        (b"{}", [], "malformed"),
        (b"{}", [*BINARY, ("x", None)], "bad-header"),
        (b"{}", [*BINARY, ("x", b"\xff")], "bad-header"),
        (None, [*BINARY], "empty"),
        (b"", [*BINARY], "empty"),
        (b"{", [*BINARY], "not-json"),
        (b'{"subscription_id": NaN}', [*BINARY], "not-json"),
        (b'{"subscription_id": "\\ud800"}', [*BINARY], "not-json"),
        (b"[" * 100_000, [*BINARY], "not-json"),
        (b"[]", [*BINARY], "malformed"),
        (b"{}", [*BINARY], "malformed"),
        (b'{"subscription_id": "s"}', [("ce_specversion", b"0.3"), *BINARY[1:]], "malformed"),
        (b'{"subscription_id": "s"}', [*BINARY, ("ce_time", b"yesterday")], "malformed"),
        (b'{"subscription_id": "s"}', [*BINARY, ("ce_time", b"1794000000")], "malformed"),
    ],
)
def test_what_is_no_event_comes_with_a_reason(
    value: bytes | None, headers: list[tuple[str, bytes | None]], why: str
) -> None:
    assert reason(value, headers) == why


@given(
    value=st.none()
    | st.binary()
    | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(
        lambda loaded: json.dumps(loaded).encode()
    ),
    headers=st.lists(st.tuples(st.text(max_size=12), st.none() | st.binary(max_size=40)), max_size=4),
    binary=st.booleans(),
)
def test_no_record_makes_it_fail_in_any_other_way(
    value: bytes | None, headers: list[tuple[str, bytes | None]], *, binary: bool
) -> None:
    with suppress(UnreadableError):
        decode(record(value, [*BINARY, *headers] if binary else headers))
