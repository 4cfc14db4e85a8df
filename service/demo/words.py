"""Events in words that a person understands: what somebody asked for, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from rich.text import Text

from service.demo.dates import full, medium, short, span
from service.messages.outcomes import (
    CancellationRejected,
    CancellationRescheduled,
    CancellationScheduled,
    CancellationWithdrawn,
    ChargeChange,
    CreditAdjustment,
    Outcome,
    Period,
    PeriodRestored,
    PeriodShortened,
    RenewalCancelled,
    RenewalReinstated,
    SubscriptionEnded,
)

STYLES = {
    "cancellation-scheduled": "yellow",
    "cancellation-rescheduled": "yellow",
    "cancellation-withdrawn": "green",
    "cancellation-rejected": "red",
    "subscription-ended": "bold",
    "period-shortened": "cyan",
    "period-restored": "green",
    "renewal-cancelled": "blue",
    "renewal-reinstated": "green",
    "credit-adjustment": "magenta",
    "dead letter": "bold red",
}
"""The colour of each type of outcome."""


def asked(kind: str, data: dict[str, Any], currency: str) -> str:
    """What an event says that goes in, after the name of the person."""
    match kind:
        case "cancellation-requested":
            return f"cancels {_wish(data['end'])}"
        case "cancellation-moved":
            return f"wants another end, {_wish(data['end'])}"
        case "cancellation-revoked":
            return "takes the cancellation back"
        case "subscription-activated":
            return "subscribes"
        case "subscription-renewed":
            return f"is renewed for {span(*map(date.fromisoformat, data['period'].values()))}"
        case "invoice-issued" if any(charge.get("kind") == "credit" for charge in data["charges"]):
            return f"gets credit note {data['invoice_id']}, {_sum(data)} {currency}"
        case "invoice-issued":
            return f"gets invoice {data['invoice_id']}, {_sum(data)} {currency}"
        case _:
            return kind.replace("-", " ")


def _wish(end: dict[str, str]) -> str:
    match end:
        case {"mode": "immediately"}:
            return "at once"
        case {"mode": "end-of-period"}:
            return "at the end of the period"
        case {"date": day}:
            return f"as of {full(date.fromisoformat(day))}"
        case {"last_active_day": day}:
            return f"with {full(date.fromisoformat(day))} as the last day"
        case {"at": instant}:
            at = datetime.fromisoformat(instant)
            return f"as of {full(at)} at {at:%H:%M}"
        case _:
            return end.get("mode", "")


def _sum(data: dict[str, Any]) -> str:
    return str(sum(Decimal(str(charge["amount"])) for charge in data["charges"]))


def told(outcome: Outcome, currency: str) -> Text:
    """What an outcome says."""
    match outcome:
        case CancellationScheduled():
            return _end(outcome)
        case CancellationWithdrawn():
            return Text("goes on as if nothing had happened")
        case CancellationRejected():
            return Text(f"{outcome.code}: {outcome.message}")
        case SubscriptionEnded():
            return Text(f"last active day {medium(outcome.last_active_day)}")
        case PeriodShortened() | PeriodRestored():
            again = " again" if isinstance(outcome, PeriodRestored) else ""
            active = f"{outcome.active.numerator} of {outcome.active.denominator} days{again}"
            return _changed(f"{_span(outcome.period)}: {active}", outcome.charges, currency)
        case RenewalCancelled() | RenewalReinstated():
            comes = "does not come" if isinstance(outcome, RenewalCancelled) else "comes after all"
            return _changed(f"{_span(outcome.renewal)} {comes}", outcome.charges, currency)
        case CreditAdjustment():
            return _money(outcome)
        case _:
            return Text()


def _end(outcome: CancellationScheduled) -> Text:
    now = "now ends " if isinstance(outcome, CancellationRescheduled) else "ends "
    last, access = outcome.last_active_day, outcome.access_ends_at
    until = f", until {access:%H:%M}" if access.date() == last else ""
    return Text.assemble(now, (medium(outcome.end_date), "bold"), f", last active day {last:%a} {short(last)}{until}")


def _span(period: Period) -> str:
    return span(period.start, period.end)


def _changed(what: str, charges: Sequence[ChargeChange], currency: str) -> Text:
    changes = ", ".join(f"{charge.amount_before} → {charge.amount_after}" for charge in charges)
    return Text(f"{what}, {changes} {currency}".rstrip() if changes else what)


def _money(outcome: CreditAdjustment) -> Text:
    """How much, and how it comes about."""
    amount = f"{outcome.direction} {outcome.amount} {outcome.currency}"
    return Text.assemble((amount, "bold"), f" · {outcome.calculation.text}")
