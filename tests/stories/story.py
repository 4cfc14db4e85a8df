"""What a story is, and the few words it is told in: events as their producers send them, and what comes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TypeAlias

Data: TypeAlias = dict[str, object]


@dataclass(frozen=True)
class Event:
    """One event, with an id of its own unless it is given one.

    Its time is on the subscription's own clock, or has an offset; it arrives at once unless `seen` says otherwise.
    """

    at: str
    type: str
    data: Data
    seen: str | None = None
    id: str | None = None


@dataclass(frozen=True)
class Clock:
    """The service looks at its clock."""

    at: str


Step: TypeAlias = Event | Clock


@dataclass(frozen=True)
class Expected:
    """What the timeline and the outcomes say at the end of the story.

    `charges` has a sentence for every charge: what is kept of it, what was given back (and how much of that meets the
    open balance, how much is to be refunded), or what is planned. `renewals` are the starts of those that are
    cancelled. What follows `dead` is looked at only where a story gives it.
    """

    status: str
    end_date: str | None
    last_active_day: str | None
    charges: Mapping[str, str]
    renewals: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    dead: int = 0
    ends_at: str | None = None
    requested: str | None = None
    permitted: str | None = None
    settlement: str | None = None
    cutoff: str | None = None
    shortened: tuple[str, ...] | None = None
    pauses: Mapping[str, str] | None = None
    prices: Mapping[str, str] | None = None
    adjustments: tuple[str, ...] | None = None
    told: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Story:
    """A paragraph with its figures worked out by hand, the events it tells of, and what must come of them."""

    title: str
    text: str
    events: tuple[Step, ...]
    expected: Expected
    zone: str = field(default="Europe/Copenhagen")


def started(start: str, amount: str = "300.00", **more: object) -> Event:
    """A subscription in kroner, by the month and in advance unless told otherwise; known twelve days before."""
    data: Data = {
        "subscription_id": "S1",
        "customer_id": "customer",
        "currency": "DKK",
        "time_zone": "Europe/Copenhagen",
        "start_date": start,
        "interval": "P1M",
        "billing": "in-advance",
        "lines": [{"line_id": "L1", "amount": amount}],
        **more,
    }
    return Event(f"{date.fromisoformat(start) - timedelta(days=12)} 12:00", "subscription-activated", data)


def charge(charge_id: str, start: str, end: str, amount: str, **more: object) -> Data:
    """A charge for a period; the end is the first date outside."""
    return {
        "charge_id": charge_id,
        "line_id": "L1",
        "period": {"start": start, "end": end},
        "amount": amount,
        **more,
    }


def fee(charge_id: str, amount: str) -> Data:
    """A charge that is for no period."""
    return {"charge_id": charge_id, "kind": "one-off", "amount": amount}


def credit_on(charge_id: str, amount: str, credit_id: str = "N1") -> Data:
    """A credit that somebody else gives on a charge."""
    return {"charge_id": credit_id, "kind": "credit", "amount": amount, "corrects_charge_id": charge_id}


def about(at: str, kind: str, seen: str | None = None, **data: object) -> Event:
    """Anything about the subscription."""
    return Event(at, kind, {"subscription_id": "S1", **data}, seen)


def planned(at: str, invoice_id: str, *charges: Data, seen: str | None = None) -> Event:
    return about(at, "invoice-planned", seen, invoice_id=invoice_id, charges=list(charges))


def issued(at: str, invoice_id: str, *charges: Data, seen: str | None = None) -> Event:
    return about(at, "invoice-issued", seen, invoice_id=invoice_id, charges=list(charges))


def paid(at: str, invoice_id: str, amount: str) -> Event:
    return about(at, "invoice-paid", invoice_id=invoice_id, paid_amount=amount)


def voided(at: str, invoice_id: str) -> Event:
    return about(at, "invoice-voided", invoice_id=invoice_id)


def renewed(at: str, start: str, end: str, seen: str | None = None) -> Event:
    return about(at, "subscription-renewed", seen, period={"start": start, "end": end})


def priced(at: str, effective_date: str, amount: str) -> Event:
    """A new price of the one line."""
    lines = [{"line_id": "L1", "amount": amount}]
    return about(at, "price-changed", effective_date=effective_date, lines=lines)


def paused(at: str, start: str, resume: str | None = None, effect: str = "not-charged", pause_id: str = "P1") -> Event:
    data: Data = {"pause_id": pause_id, "effective_date": start, "effect": effect}
    until: Data = {} if resume is None else {"resume_date": resume}
    return about(at, "subscription-paused", None, **data, **until)


def resumed(at: str, day: str) -> Event:
    return about(at, "subscription-resumed", pause_id="P1", effective_date=day)


def on(day: str) -> Data:
    """The first date that is no longer active."""
    return {"mode": "on-date", "date": day}


def last_day(day: str) -> Data:
    return {"mode": "on-date", "last_active_day": day}


def instant(at: str) -> Data:
    return {"mode": "on-date", "at": at}


IMMEDIATELY: Data = {"mode": "immediately"}
END_OF_PERIOD: Data = {"mode": "end-of-period"}
END_OF_INVOICED: Data = {"mode": "end-of-invoiced"}
END_OF_TERM: Data = {"mode": "end-of-term"}
EARLIEST: Data = {"mode": "earliest"}


def cancel(at: str, end: Data, seen: str | None = None, **more: object) -> Event:
    return about(at, "cancellation-requested", seen, end=end, **more)


def move(at: str, end: Data, seen: str | None = None, **more: object) -> Event:
    return about(at, "cancellation-moved", seen, end=end, **more)


def revoke(at: str, seen: str | None = None, **more: object) -> Event:
    return about(at, "cancellation-revoked", seen, **more)


def policy(at: str, seen: str | None = None, **data: object) -> Event:
    return Event(at, "cancellation-policy-set", dict(data), seen)


NOVEMBER = charge("C1", "2026-11-01", "2026-12-01", "300.00")
DECEMBER = charge("C2", "2026-12-01", "2027-01-01", "300.00")
NOVEMBER_ISSUED: tuple[Step, ...] = (started("2026-11-01"), issued("2026-11-01 08:00", "INV-1", NOVEMBER))
NOVEMBER_PAID: tuple[Step, ...] = (*NOVEMBER_ISSUED, paid("2026-11-02 08:00", "INV-1", "300.00"))
CANCELLED: Step = cancel("2026-11-12 09:00", on("2026-11-21"))
DECEMBER_PLANNED: Step = planned("2026-11-03 08:00", "INV-2", DECEMBER)

TWENTY_DAYS_PAID = "200.00 kept, 100.00 back (100.00 refundable)"
TWENTY_DAYS_OWED = "200.00 kept, 100.00 back (100.00 offset)"
