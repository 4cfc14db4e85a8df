"""The independent books are worth something only if they are right by hand and hear every false note."""

import copy
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from tests.books import check, keep
from tests.lives import LIFECYCLE, REQUESTED, Event, Life, life

Data = dict[str, Any]


def _life(currency: str, zone: str, lifecycle: list[tuple[str, str, Data]], asked: tuple[str, Data]) -> Life:
    def event(topic: str, number: int, kind: str, at: str, data: Data) -> Event:
        return Event(topic, kind, f"e{number}", f"/{topic}", at, {"subscription_id": "SUB-1", **data})

    activated = {"customer_id": "CUS-1", "currency": currency, "time_zone": zone, "interval": "P1M"}
    facts = [event(LIFECYCLE, n, kind, at, data) for n, (kind, at, data) in enumerate(lifecycle)]
    facts[0].data.update(activated, billing="in-advance")
    command = event(REQUESTED, 9, "cancellation-requested", asked[0], {"cancellation_id": "CAN-1", "end": asked[1]})
    return Life(1, "default", "SUB-1", "CUS-1", facts, [command])


def _charge(charge_id: str, start: str, end: str, amount: str) -> Data:
    return {"charge_id": charge_id, "line_id": "L1", "period": {"start": start, "end": end}, "amount": amount}


@pytest.fixture
def danish() -> Life:
    """300.00 DKK a month from November 2026, paid, the next month planned; it is to end on the 21st."""
    november = _charge("C1", "2026-11-01", "2026-12-01", "300.00")
    december = _charge("C2", "2026-12-01", "2027-01-01", "300.00")
    lines = [{"line_id": "L1", "amount": "300.00"}]
    lifecycle: list[tuple[str, str, Data]] = [
        ("subscription-activated", "2026-10-30T08:00:00+01:00", {"start_date": "2026-11-01", "lines": lines}),
        ("invoice-issued", "2026-11-01T08:00:00+01:00", {"invoice_id": "INV-1", "charges": [november]}),
        ("invoice-paid", "2026-11-03T08:00:00+01:00", {"invoice_id": "INV-1", "paid_amount": "300.00"}),
        ("invoice-planned", "2026-11-10T08:00:00+01:00", {"invoice_id": "INV-2", "charges": [december]}),
    ]
    asked = ("2026-11-12T09:00:00+01:00", {"mode": "on-date", "date": "2026-11-21"})
    return _life("DKK", "Europe/Copenhagen", lifecycle, asked)


@pytest.fixture
def japanese() -> Life:
    """1,000 JPY a month, anchored on the 31st; the period from 28 February is issued and unpaid."""
    charge = _charge("C1", "2027-02-28", "2027-03-31", "1000")
    lines = [{"line_id": "L1", "amount": "1000"}]
    activated = {"start_date": "2027-01-31", "anchor_day": 31, "lines": lines}
    lifecycle: list[tuple[str, str, Data]] = [
        ("subscription-activated", "2027-01-30T08:00:00+09:00", activated),
        ("invoice-issued", "2027-02-28T08:00:00+09:00", {"invoice_id": "INV-1", "charges": [charge]}),
    ]
    asked = ("2027-03-01T09:00:00+09:00", {"mode": "on-date", "last_active_day": "2027-03-09"})
    return _life("JPY", "Asia/Tokyo", lifecycle, asked)


@pytest.fixture
def outcomes() -> list[Data]:
    """What the Danish life should lead to, written down by hand."""
    november, december = {"start": "2026-11-01", "end": "2026-12-01"}, {"start": "2026-12-01", "end": "2027-01-01"}
    end: Data = {
        "end_date": "2026-11-21",
        "last_active_day": "2026-11-20",
        "access_ends_at": "2026-11-21T00:00:00+01:00",
    }
    told: list[tuple[str, str, Data]] = [
        ("cancellation-status", "cancellation-scheduled", {**end, "mode": "on-date", "settlement": "prorate"}),
        (
            "period-shortened",
            "period-shortened",
            {
                **end,
                "period": november,
                "shortened_to": {"start": "2026-11-01", "end": "2026-11-21"},
                "active": {"numerator": 20, "denominator": 30, "unit": "day"},
                "charges": [_link("C1", "INV-1", "issued", ("300.00", "200.00"))],
            },
        ),
        (
            "renewal-cancelled",
            "renewal-cancelled",
            {
                "renewal": december,
                "invoice_id": "INV-2",
                "charges": [_link("C2", "INV-2", "planned", ("300.00", "0.00"))],
            },
        ),
        (
            "credit-adjustment",
            "credit-adjustment",
            {
                "adjustment_id": "A1",
                "direction": "credit",
                "amount": "100.00",
                "tax_amount": "0.00",
                "currency": "DKK",
                "invoice_id": "INV-1",
                "charge_id": "C1",
                "line_id": "L1",
                "settlement": {"offset": "0.00", "refundable": "100.00"},
                "calculation": {"text": "300.00 DKK x 20 / 30 = 200.00 kept"},
            },
        ),
        (
            "subscription-timeline",
            "subscription-timeline",
            {
                **end,
                "status": "cancelling",
                "charges": [
                    _shown("C1", "INV-1", "issued", ("300.00", "200.00", "100.00")),
                    _shown("C2", "INV-2", "planned", ("0.00", "0.00", "0.00")),
                ],
            },
        ),
    ]
    head = {"tenant_id": "default", "subscription_id": "SUB-1", "customer_id": "CUS-1", "cancellation_id": "CAN-1"}
    return [
        {"topic": topic, "type": kind, "id": f"o{n}", "data": {**head, "sequence": min(n, 4), **data}}
        for n, (topic, kind, data) in enumerate(told, 1)
    ]


def _link(charge_id: str, invoice_id: str, state: str, amounts: tuple[str, str]) -> Data:
    before, after = amounts
    link = {"charge_id": charge_id, "invoice_id": invoice_id, "state": state}
    return link | {"amount_before": before, "amount_after": after}


def _shown(charge_id: str, invoice_id: str, state: str, figures: tuple[str, str, str]) -> Data:
    named = {"charge_id": charge_id, "invoice_id": invoice_id, "state": state}
    return named | dict(zip(("billed", "kept", "credited"), figures, strict=True))


def test_twenty_of_thirty_days_keep_two_thirds_of_a_danish_month(danish: Life) -> None:
    books = keep(danish)
    november, december = books.accounts["C1"], books.accounts["C2"]
    assert (str(november.kept.amount), str(november.credited.amount)) == ("200.00", "100.00")
    assert (december.state, str(december.kept.amount), str(december.credited.amount)) == ("planned", "0.00", "0")
    assert books.end is not None
    assert books.end.access == (datetime.fromisoformat("2026-11-21T00:00:00+01:00"),)
    assert [day.isoformat() for day in books.renewals] == ["2026-12-01"]


def test_ten_of_thirty_one_days_are_rounded_to_whole_yen(japanese: Life) -> None:
    account = keep(japanese).accounts["C1"]
    assert (str(account.kept.amount), str(account.credited.amount)) == ("323", "677")


def test_nothing_is_said_against_the_right_outcomes(danish: Life, outcomes: list[Data]) -> None:
    assert check(danish, outcomes) == []


def test_an_outcome_read_twice_counts_once(danish: Life, outcomes: list[Data]) -> None:
    assert check(danish, [*outcomes[:4], outcomes[3], outcomes[0], outcomes[4]]) == []


FALSE_NOTES: dict[str, tuple[int, list[str | int], Any, str]] = {
    "an amount a cent off": (3, ["amount"], "100.01", "credited 100.01"),
    "tax where none is": (3, ["tax_amount"], "0.01", "(tax 0.01)"),
    "a debit for a credit": (3, ["direction"], "debit", "credited -100.00"),
    "an offset beside a whole refund": (3, ["settlement", "offset"], "1.00", "offset 1.00"),
    "a reversal of what never was": (3, ["reverses_adjustment_id"], "A0", "reverses A0"),
    "a gap in the numbers": (3, ["sequence"], 5, "sequence numbers"),
    "a number twice": (2, ["sequence"], 2, "sequence numbers"),
    "a chain from elsewhere": (1, ["charges", 0, "amount_before"], "299.00", "the first amount_before"),
    "a chain to elsewhere": (1, ["charges", 0, "amount_after"], "200.01", "left at 200.01"),
    "a withdrawal that leaves something": (2, ["charges", 0, "amount_after"], "0.01", "left at 0.01"),
    "a month a day too long": (1, ["shortened_to", "end"], "2026-11-22", "left ending 2026-11-22"),
    "another renewal": (2, ["renewal", "start"], "2026-12-02", "no period of the subscription"),
    "another last active day": (0, ["last_active_day"], "2026-11-21", "last_active_day"),
    "access an hour too long": (0, ["access_ends_at"], "2026-11-21T01:00:00+01:00", "access_ends_at"),
    "another tenant": (0, ["tenant_id"], "acme", "tenant_id"),
    "another cancellation": (0, ["cancellation_id"], "CAN-2", "cancellation_id is CAN-2"),
    "a consequence of another cancellation": (3, ["cancellation_id"], "CAN-2", "cancellation_id is CAN-2"),
    "a link on another invoice": (2, ["charges", 0, "invoice_id"], "INV-9", "on INV-9"),
    "a timeline left behind": (4, ["sequence"], 3, "reflects #3 of 4"),
    "a timeline that ends elsewhere": (4, ["end_date"], "2026-12-01", "timeline: end_date"),
    "a timeline that keeps more": (4, ["charges", 0, "kept"], "200.01", "kept is 200.01"),
    "a timeline short of a decimal": (4, ["charges", 0, "credited"], "100.0", "with 2 decimals"),
    "a field that cannot be read": (3, ["amount"], "much", "unreadable"),
}


@pytest.mark.parametrize(("index", "path", "value", "complaint"), FALSE_NOTES.values(), ids=FALSE_NOTES)
def test_one_false_note_is_heard(
    danish: Life, outcomes: list[Data], index: int, path: list[str | int], value: object, complaint: str
) -> None:
    place = outcomes[index]["data"]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    complaints = check(danish, outcomes)
    assert any(complaint in told for told in complaints), complaints
    assert all(told.startswith("seed 1 ") for told in complaints)


@pytest.mark.parametrize("index", range(5))
def test_one_missing_outcome_is_missed(danish: Life, outcomes: list[Data], index: int) -> None:
    assert check(danish, outcomes[:index] + outcomes[index + 1 :])


def test_a_broken_link_within_a_chain_is_heard(danish: Life, outcomes: list[Data]) -> None:
    """To end on the 11th, then moved to the 21st: 300.00, 100.00, 200.00 is the chain, until a link is bent."""
    sooner, request = {"mode": "on-date", "date": "2026-11-11"}, danish.commands[0]
    first = replace(request, id="e8", time="2026-11-09T09:00:00+01:00", data={**request.data, "end": sooner})
    second = replace(request, type="cancellation-moved", time="2026-11-10T09:00:00+01:00")
    moved = replace(danish, commands=[first, second])
    scheduled, shortened, cancelled, credit, timeline = outcomes
    rescheduled, restored, debit = (copy.deepcopy(outcome) for outcome in (scheduled, shortened, credit))
    for early in (scheduled, shortened):
        early["data"].update(end_date="2026-11-11", last_active_day="2026-11-10")
    scheduled["data"]["access_ends_at"] = "2026-11-11T00:00:00+01:00"
    shortened["data"]["shortened_to"]["end"] = "2026-11-11"
    shortened["data"]["active"]["numerator"] = 10
    shortened["data"]["charges"][0]["amount_after"] = "100.00"
    credit["data"].update(amount="200.00", settlement={"offset": "0.00", "refundable": "200.00"})
    rescheduled.update(id="o6", type="cancellation-rescheduled")
    restored.update(id="o7", type="period-restored")
    restored["data"]["restored_to"] = restored["data"].pop("shortened_to")
    restored["data"]["charges"][0]["amount_before"] = "100.00"
    debit.update(id="o8")
    debit["data"].update(adjustment_id="A2", direction="debit", reverses_adjustment_id="A1")
    for number, later in enumerate((rescheduled, restored, debit), 5):
        later["data"]["sequence"] = number
    timeline["data"]["sequence"] = 7
    told = [scheduled, shortened, cancelled, credit, rescheduled, restored, debit, timeline]
    assert check(moved, told) == []
    restored["data"]["charges"][0]["amount_before"] = "100.01"
    assert any("it stood at 100.00" in complaint for complaint in check(moved, told))


def test_a_seed_always_gives_the_same_life() -> None:
    assert [life(seed) for seed in range(50)] == [life(seed) for seed in range(50)]


def test_the_lives_go_everywhere_that_they_should() -> None:
    """A generator that never revokes or never obeys would prove little, however many lives it made."""
    books = [keep(life(seed)) for seed in range(2_000)]
    verdicts = {verdict.code or verdict.type for kept in books for verdict in kept.verdicts}
    assert verdicts == {
        "cancellation-scheduled",
        "cancellation-rescheduled",
        "cancellation-withdrawn",
        "already-ended",
        "conflicting-content",
        "end-before-start",
        "end-too-far-back",
        "not-cancelled",
        "superseded",
    }
    accounts = [account for kept in books for account in kept.accounts.values()]
    assert {account.state for account in accounts} == {"planned", "issued", "voided"}
    issued = [account for account in accounts if account.state == "issued"]
    assert any(account.billed.amount < account.full.amount for account in issued)
    assert {(a.credited.amount > 0) - (a.credited.amount < 0) for a in issued} == {-1, 0, 1}
