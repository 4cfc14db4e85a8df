"""How many decisions a second the domain alone takes, in one process: no wire, no disk.

    python -m tests.benchmarks.domain [SECONDS]

A subscription by the day, each day invoiced and paid, with a typical history (40 facts) and a long
one (10,000). The decisions: a payment while nothing is cancelled; a cancellation, its move and its
revoke; a late invoice while an end is in force. Prints `name: value`
lines. The figures move with the machine: compare only what was measured side by side.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, date, datetime, timedelta
from typing import TypeAlias

from service.domain.decide import activate, decide
from service.domain.facts import (
    Activated,
    ChargeLine,
    Command,
    EndWish,
    Fact,
    InvoicePaid,
    InvoiceStated,
    Line,
    Received,
)
from service.domain.money import Amount
from service.domain.periods import DAY, Duration
from service.domain.policy import Rules
from service.domain.subscription import Subscription

TYPICAL, LONG = 40, 10_000
RULES = Rules()
Round: TypeAlias = tuple[Subscription, list[Received]]
"""A subscription and what it is to decide."""


def main(seconds: float) -> None:
    """Measures each kind of decision on each history for so many seconds."""
    rates = {(facts, kind): _rate(facts, kind, seconds) for facts in (TYPICAL, LONG) for kind in _KINDS}
    for (facts, kind), rate in rates.items():
        print(f"{kind}_per_s_at_{facts}_facts: {rate:.0f}")
    for kind in _KINDS:
        print(f"{kind}_cost_ratio: {rates[TYPICAL, kind] / rates[LONG, kind]:.1f}")


def _rate(facts: int, kind: str, seconds: float) -> float:
    """Decisions per second; after each round the subscription is again as it was, so that none costs more."""
    days = facts // 2
    start, now = date(2026, 6, 1) - days * DAY, datetime(2026, 6, 1, 12, tzinfo=UTC)
    before, received = _KINDS[kind](_lived(start, days), now, days)
    done, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds:
        subscription = before
        for one in received:
            subscription = decide(subscription, one, RULES).subscription
        done += len(received)
    return done / spent


def _lived(start: date, days: int) -> Subscription:
    agreement = Activated(
        customer_id="customer",
        currency="DKK",
        time_zone="Europe/Copenhagen",
        start_date=start,
        interval=Duration(days=1),
        anchor_day=start.day,
        billing="in-advance",
        lines=(Line("L1", 30_000),),
    )
    begun = datetime(start.year, start.month, start.day, tzinfo=UTC)
    life = activate("default", "S1", _received(agreement, begun, "activated"), agreement)
    for day in range(days):
        at = begun + timedelta(days=day)
        life = decide(life, _received(_invoice(start, day), at, f"issued {day}"), RULES).subscription
        life = decide(life, _received(InvoicePaid(f"INV-{day}", 30_000), at, f"paid {day}"), RULES).subscription
    return life


def _invoice(start: date, day: int) -> InvoiceStated:
    begins = start + day * DAY
    charge = ChargeLine(f"C{day}", "L1", "recurring", begins, begins + DAY, Amount(30_000, 6_000), taxed=True)
    return InvoiceStated(f"INV-{day}", "issued", (charge,))


def _payment(lived: Subscription, now: datetime, days: int) -> Round:
    return lived, [_received(InvoicePaid(f"INV-{days - 1}", 30_000), now, "paid again")]


def _command(lived: Subscription, now: datetime, _: int) -> Round:
    commands = (
        Command("request", "A", _on(now)),
        Command("move", None, _on(now + timedelta(days=3))),
        Command("revoke", None, None),
    )
    return lived, [_received(command, now, command.action) for command in commands]


def _late_invoice(lived: Subscription, now: datetime, days: int) -> Round:
    cancelled = decide(lived, _received(Command("request", "A", _on(now)), now, "A"), RULES).subscription
    return cancelled, [_received(_invoice(lived.agreement.start_date, days + 1), now, "late")]


_KINDS = {"payment": _payment, "command": _command, "late_invoice": _late_invoice}


def _on(now: datetime) -> EndWish:
    return EndWish("on-date", end_date=now.date() + DAY)


def _received(body: Fact | Command, at: datetime, name: str) -> Received:
    return Received("benchmark", name, name, at, at, body)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 3)
