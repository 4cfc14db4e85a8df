"""The events of the demo: what is in the file, and what the service makes of it, in memory."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from service.batch import Batch, read
from service.demo.cat import STRUCTURED
from service.demo.morning import FILE, Line, customers, morning
from service.demo.playing import DRAWN
from service.messages.envelope import UnreadableError, decode
from service.messages.inputs import Input
from service.messages.outcomes import OUTCOMES, CreditAdjustment, Outcome, SubscriptionTimeline
from service.settings import Settings, Topics
from service.store.records import Incoming

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


def record(line: Line, offset: int = 0) -> Incoming:
    value = json.dumps(line.event).encode()
    return Incoming(line.topic, 0, offset, 0, line.key.encode(), value, STRUCTURED)


def played() -> tuple[dict[str, SubscriptionTimeline], list[Outcome], list[str]]:
    """All of it in one batch: the timelines, the outcomes and the reasons of dead letters."""
    arrivals = [read(record(line, offset), NOW) for offset, line in enumerate(morning())]
    batch = Batch(Settings(), Topics(), NOW, {}, {arrival.key: None for arrival in arrivals if arrival.key is not None})
    for arrival in arrivals:
        batch.take(arrival)
    for key in batch.undrawn:
        batch.draw(key)
    timelines: dict[str, SubscriptionTimeline] = {}
    outcomes: list[Outcome] = []
    dead: list[str] = []
    for published in batch.published:
        headers = {name: value or b"" for name, value in published.headers}
        if "dlq_reason" in headers:
            dead.append(headers["dlq_error"].decode())
            continue
        body = OUTCOMES[headers["ce_type"].decode()][1].model_validate_json(published.value or b"")
        if isinstance(body, SubscriptionTimeline):
            timelines[body.subscription_id] = body
        else:
            outcomes.append(body)
    return timelines, outcomes, dead


def test_every_line_can_be_read_but_the_one_with_a_number_for_an_amount() -> None:
    unreadable = []
    for line in morning():
        try:
            data = decode(record(line)).data
            assert isinstance(data, Input)
            assert data.subscription_id == line.key == line.event["subject"]
        except UnreadableError as error:
            unreadable.append(str(error))
    assert unreadable == ["charges.0.amount: Input should be a valid string"]


def test_an_event_occurs_once_but_for_one_that_is_repeated_and_one_whose_id_is_used_again() -> None:
    identities = Counter(line.identity for line in morning())
    whole = Counter(json.dumps(line.event) for line in morning())
    assert sorted(identities.values())[-3:] == [1, 2, 2]
    assert sorted(whole.values())[-2:] == [1, 2]


def test_it_is_about_thirty_subscriptions_of_named_customers() -> None:
    people = customers(morning())
    assert len(people) == 30
    assert {line.key for line in morning()} == people.keys() > set(DRAWN)
    assert {customer.currency for customer in people.values()} == {"DKK", "EUR", "JPY", "BHD", "USD"}


def test_all_of_it_has_happened_long_since() -> None:
    assert max(line.time for line in morning()) < NOW


def test_it_is_small_enough_to_be_read() -> None:
    assert FILE.stat().st_size < 100_000
    assert all(line.startswith('{"topic": "') for line in FILE.read_text("utf-8").splitlines())


def test_it_shows_every_type_of_outcome_that_a_request_can_have() -> None:
    kinds = {type(outcome) for outcome in played()[1]}
    shown = {name for name, (_, model) in OUTCOMES.items() if model in kinds}
    assert OUTCOMES.keys() - shown == {"subscription-ended", "subscription-timeline"}


def test_it_shows_why_requests_are_refused() -> None:
    entries = [entry for timeline in played()[0].values() for entry in timeline.entries]
    refused = sorted(entry.refused for entry in entries if entry.refused)
    assert refused == ["already-ended", "conflicting-content", "end-too-far-back", "not-cancelled"]


def test_it_has_one_dead_letter() -> None:
    assert played()[2] == ["charges.0.amount: Input should be a valid string"]


@pytest.mark.parametrize(
    ("currency", "back", "again"),
    [
        ("BHD", "11.900", "0"),
        ("DKK", "1518.73", "220.00"),
        ("EUR", "37.93", "0"),
        ("JPY", "667", "0"),
        ("USD", "9.14", "0"),
    ],
)
def test_it_comes_to_this_much_money(currency: str, back: str, again: str) -> None:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for outcome in played()[1]:
        if isinstance(outcome, CreditAdjustment) and outcome.currency == currency:
            sums[outcome.direction] += Decimal(outcome.amount)
    assert (sums["credit"], sums["debit"]) == (Decimal(back), Decimal(again))


def test_the_credit_note_settles_the_adjustment_that_it_names() -> None:
    (adjustment,) = played()[0]["avis-1041"].adjustments
    assert (adjustment.amount, adjustment.state) == ("100.00", "settled")


def test_one_of_those_drawn_ends_in_years() -> None:
    assert str(played()[0]["hus-4001"].end_date) == "2031-02-28"
