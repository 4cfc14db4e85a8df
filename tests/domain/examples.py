"""Lives of subscriptions, told in local time, and what their customers are told in return.

    life = Life("2026-11-01")
    life.issued("2026-11-01 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "300.00"))
    life.cancel("2026-11-12 09:00", on("2026-11-21"))

Each step answers with its outcomes as sentences, in order; no sentences is no outcome.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

from service.domain.decide import Decision, activate, decide, tick
from service.domain.facts import (
    Activated,
    ChargeLine,
    Command,
    EndWish,
    Fact,
    InvoicePaid,
    InvoiceStated,
    InvoiceVoided,
    Kind,
    Line,
    Paused,
    PriceChanged,
    Received,
    Renewed,
    Resumed,
    Terms,
)
from service.domain.money import Amount, decimal, minor_units
from service.domain.outcomes import (
    Adjusted,
    Body,
    ChargeChange,
    Ended,
    Outcome,
    PeriodChanged,
    Rejected,
    RenewalChanged,
    StatusChanged,
)
from service.domain.periods import Duration, Period, local_date
from service.domain.policy import Policy, Rules, Settlement
from service.domain.subscription import Subscription

Effect: TypeAlias = Literal["not-charged", "charged", "extends-period"]
IMMEDIATELY = EndWish("immediately")
END_OF_PERIOD = EndWish("end-of-period")


def on(day: str) -> EndWish:
    return EndWish("on-date", end_date=date.fromisoformat(day))


def last_day(day: str) -> EndWish:
    return EndWish("on-date", last_active_day=date.fromisoformat(day))


def instant(at: str) -> EndWish:
    return EndWish("on-date", at=datetime.fromisoformat(at))


@dataclass(frozen=True)
class Item:
    """One charge of an invoice; without dates (or instants) it is for no period."""

    charge_id: str
    start: str | None
    end: str | None
    amount: str
    tax: str | None = None
    kind: Kind = "recurring"
    corrects: str | None = None
    settles: str | None = None
    line_id: str | None = "L1"

    def line(self, currency: str) -> ChargeLine:
        tax = 0 if self.tax is None else minor_units(self.tax, currency)
        return ChargeLine(
            charge_id=self.charge_id,
            line_id=self.line_id,
            kind=self.kind,
            start=None if self.start is None else _moment(self.start),
            end=None if self.end is None else _moment(self.end),
            amount=Amount(minor_units(self.amount, currency), tax),
            taxed=self.tax is not None,
            corrects_charge_id=self.corrects,
            settles_adjustment_id=self.settles,
        )


def charge(charge_id: str, start: str, end: str, amount: str, tax: str | None = None) -> Item:
    return Item(charge_id, start, end, amount, tax)


@dataclass
class Life:
    """One subscription from the day it starts; it is activated an hour into the day before, unless told otherwise."""

    start: str
    amount: str = "300.00"
    currency: str = "DKK"
    zone: str = "Europe/Copenhagen"
    interval: str = "P1M"
    anchor: int | None = None
    trial_end: str | None = None
    lines: tuple[str, ...] = ("L1",)
    billing: Literal["in-advance", "in-arrears"] = "in-advance"
    terms: Terms | None = None
    activated_at: str | datetime | None = None
    rules: Rules = field(default_factory=Rules)
    inputs: list[Received] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    def __post_init__(self) -> None:
        start = date.fromisoformat(self.start)
        agreement = Activated(
            customer_id="customer",
            currency=self.currency,
            time_zone=self.zone,
            start_date=start,
            interval=Duration.parse(self.interval),
            anchor_day=self.anchor or date.fromisoformat(self.trial_end or self.start).day,
            billing=self.billing,
            lines=tuple(Line(line, minor_units(self.amount, self.currency)) for line in self.lines),
            trial_end_date=None if self.trial_end is None else date.fromisoformat(self.trial_end),
            terms=self.terms,
        )
        at = self.activated_at or f"{start - timedelta(days=1)} 01:00"
        received = self._received(at, None, "subscription-activated", agreement)
        self.subscription: Subscription = activate("default", "S1", received, agreement)

    def planned(self, at: str | datetime, invoice_id: str, *items: Item, seen: str | None = None) -> list[str]:
        return self._stated(at, invoice_id, "planned", items, seen)

    def issued(self, at: str | datetime, invoice_id: str, *items: Item, seen: str | None = None) -> list[str]:
        return self._stated(at, invoice_id, "issued", items, seen)

    def paid(self, at: str | datetime, invoice_id: str, amount: str) -> list[str]:
        return self._take(at, None, "invoice-paid", InvoicePaid(invoice_id, minor_units(amount, self.currency)))

    def voided(self, at: str | datetime, invoice_id: str) -> list[str]:
        return self._take(at, None, "invoice-voided", InvoiceVoided(invoice_id))

    def credited(self, at: str | datetime, charge_id: str, amount: str, tax: str | None = None) -> list[str]:
        """Somebody else gives a credit on a charge, with a credit note of its own."""
        name = f"credit-{len(self.inputs)}"
        return self.issued(at, name, Item(name, None, None, amount, tax, "credit", corrects=charge_id))

    def renewed(self, at: str | datetime, start: str, end: str) -> list[str]:
        return self._take(at, None, "subscription-renewed", Renewed(date.fromisoformat(start), date.fromisoformat(end)))

    def paused(
        self,
        at: str | datetime,
        start: str,
        resume: str | None = None,
        *,
        effect: Effect = "extends-period",
        name: str = "P1",
        seen: str | None = None,
    ) -> list[str]:
        until = None if resume is None else date.fromisoformat(resume)
        return self._take(at, seen, "subscription-paused", Paused(name, date.fromisoformat(start), until, effect))

    def resumed(self, at: str | datetime, day: str) -> list[str]:
        return self._take(at, None, "subscription-resumed", Resumed("P1", date.fromisoformat(day)))

    def price(self, at: str | datetime, day: str, amount: str) -> list[str]:
        lines = tuple(Line(line, minor_units(amount, self.currency)) for line in self.lines)
        return self._take(at, None, "price-changed", PriceChanged(date.fromisoformat(day), lines))

    def policy(self, at: str | datetime, policy: Policy) -> None:
        """The merchant's policy from an instant on."""
        self.rules = replace(self.rules, policies=(*self.rules.policies, (self.instant(at), policy)))

    def cancel(
        self,
        at: str | datetime,
        end: EndWish,
        *lines: str,
        name: str = "A",
        settlement: Settlement | None = None,
        why: str | None = None,
        seen: str | None = None,
    ) -> list[str]:
        command = Command("request", name, end, lines, settlement, reason_code=why)
        return self._take(at, seen, "cancellation-requested", command)

    def move(self, at: str | datetime, end: EndWish, *, name: str | None = None, seen: str | None = None) -> list[str]:
        return self._take(at, seen, "cancellation-moved", Command("move", name, end))

    def revoke(self, at: str | datetime, *, name: str | None = None, seen: str | None = None) -> list[str]:
        return self._take(at, seen, "cancellation-revoked", Command("revoke", name, None))

    def tick(self, at: str | datetime) -> list[str]:
        return self._answer(tick(self.subscription, self.instant(at), self.rules))

    def repeat(self) -> list[str]:
        """The last input once more, exactly as it was."""
        return self.take(self.inputs[-1])

    def take(self, received: Received) -> list[str]:
        self.inputs.append(received)
        return self._answer(decide(self.subscription, received, self.rules))

    def instant(self, at: str | datetime) -> datetime:
        """`2026-11-12 09:00` on the subscription's own clock; with an offset it is what it says."""
        read = at if isinstance(at, datetime) else datetime.fromisoformat(at)
        return (read if read.tzinfo else read.replace(tzinfo=ZoneInfo(self.zone))).astimezone(UTC)

    def given_back(self, charge_id: str) -> str:
        """Credits less debits published for a charge."""
        adjustments = [a for a in self.adjustments if a.adjustment.charge_id == charge_id]
        return self._text(sum(a.adjustment.amount.gross for a in adjustments))

    @property
    def adjustments(self) -> list[Adjusted]:
        return [outcome.body for outcome in self.outcomes if isinstance(outcome.body, Adjusted)]

    def _stated(
        self,
        at: str | datetime,
        invoice_id: str,
        state: Literal["planned", "issued"],
        items: Iterable[Item],
        seen: str | None,
    ) -> list[str]:
        lines = tuple(item.line(self.currency) for item in items)
        return self._take(at, seen, f"invoice-{state}", InvoiceStated(invoice_id, state, lines))

    def _take(self, at: str | datetime, seen: str | None, name: str, body: Fact | Command) -> list[str]:
        return self.take(self._received(at, seen, name, body))

    def _received(self, at: str | datetime, seen: str | None, name: str, body: Fact | Command) -> Received:
        event_id = f"event-{len(self.inputs)}"
        return Received("test", event_id, name, self.instant(at), self.instant(seen or at), body)

    def _answer(self, decision: Decision) -> list[str]:
        self.subscription = decision.subscription
        self.outcomes += decision.outcomes
        return [self._sentence(outcome.body) for outcome in decision.outcomes]

    def _sentence(self, body: Body) -> str:
        match body:
            case StatusChanged():
                done = body.type.removeprefix("cancellation-")
                return f"{done}: ends {body.end.end_date}, last active day {body.end.last_active_day}"
            case PeriodChanged():
                done = body.type.removeprefix("period-")
                return (
                    f"{_named(body.period)} {done} to {local_date(body.until, self.zone)}{self._changes(body.charges)}"
                )
            case RenewalChanged():
                done = body.type.removeprefix("renewal-")
                invoice = f", {body.invoice_id}" if body.invoice_id else ""
                return f"{_named(body.renewal)} {done}{invoice}{self._changes(body.charges)}"
            case Adjusted():
                return self._adjusted(body)
            case Rejected():
                return f"refused: {body.code}"
            case Ended():
                return f"ended: {body.end.end_date}, last active day {body.end.last_active_day}"
            case _:
                return "withdrawn"

    def _changes(self, changes: tuple[ChargeChange, ...]) -> str:
        return "".join(f"; {self._change(change)}" for change in changes)

    def _change(self, change: ChargeChange) -> str:
        tax = f" (tax {self._text(change.before.tax)} -> {self._text(change.after.tax)})" if change.taxed else ""
        amounts = f"{self._text(change.before.gross)} -> {self._text(change.after.gross)}"
        return f"{change.state} {change.charge_id} {amounts}{tax}"

    def _adjusted(self, body: Adjusted) -> str:
        given = body.adjustment
        direction = "credit" if (given.amount.gross, given.amount.tax) > (0, 0) else "debit"
        tax = f" with tax {self._text(abs(given.amount.tax))}" if given.amount.tax else ""
        parts = [(abs(given.offset), "offset"), (abs(given.refundable), "refundable")]
        split = ", ".join(f"{self._text(units)} {name}" for units, name in parts if units) or "open"
        known = [a.adjustment.adjustment_id for a in self.adjustments]
        back = given.reverses_adjustment_id
        reverses = f", reverses number {known.index(back) + 1}" if back else ""
        amount = self._text(abs(given.amount.gross))
        return f"{direction} {amount}{tax} on {given.charge_id}: {split}, {given.cause}{reverses}"

    def _text(self, units: int) -> str:
        return decimal(units, self.currency)


def paid_november() -> Life:
    """300.00 DKK a month: November issued and paid, December planned."""
    life = Life("2026-11-01", activated_at="2026-10-20 12:00")
    life.issued("2026-11-01 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "300.00"))
    life.paid("2026-11-02 08:00", "INV-1", "300.00")
    life.planned("2026-11-03 08:00", "INV-2", charge("C2", "2026-12-01", "2027-01-01", "300.00"))
    return life


def _moment(text: str) -> date | datetime:
    return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)


def _named(period: Period) -> str:
    return f"{period.start}/{period.end}"
