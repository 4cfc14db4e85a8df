"""The events others send: what they may say, and how they become facts and commands.

Unknown fields are ignored, so that senders can grow. Amounts stay text until the currency of the
subscription is known.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Annotated, Literal, Self, TypeAlias
from zoneinfo import available_timezones

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from service.domain import facts
from service.domain.money import Amount, exponent, minor_units
from service.domain.periods import Duration, zone
from service.domain.policy import Language, Policy

LONGEST_ID = 255
LONGEST_COMMENT = 4_000
LONGEST_TRACE = 1_024
MOST_CHARGES = 1_000
"""Of one invoice."""
MOST_LINES = 500
"""Of one price list, or named in one request."""
MOST_EVER = 10_000
"""Charges, and events, of one subscription: what a decision has to look at is bounded by it."""
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2199, 12, 31)
LONGEST_YEARS = 100
"""Of an interval, a term or a notice: a date that lies so much later can still be written."""

_ZONES = available_timezones()


def _written_as(pattern: str) -> Callable[[object], object]:
    """Only as text of that shape: the library would also read a number of seconds."""
    shape = re.compile(pattern)

    def check(value: object) -> object:
        if not (isinstance(value, str) and shape.fullmatch(value)):
            raise ValueError("not a date YYYY-MM-DD or an RFC 3339 instant with an offset")
        return value

    return check


def _known_zone(name: str) -> str:
    if name not in _ZONES:
        raise ValueError(f"there is no time zone {name!r}")
    zone(name)
    return name


def _known_currency(code: str) -> str:
    exponent(code)
    return code


def _bounded(text: str) -> Duration:
    duration = Duration.parse(text)
    if duration.months > 12 * LONGEST_YEARS or duration.days > 365 * LONGEST_YEARS:
        raise ValueError(f"{text!r} is longer than {LONGEST_YEARS} years")
    return duration


def _duration(text: str) -> str:
    _bounded(text)
    return text


def _interval(text: str) -> str:
    interval = _bounded(text)
    if bool(interval.months) == bool(interval.days):
        raise ValueError(
            f"{text!r} is not an interval: whole months and years, or whole weeks and days, more than none"
        )
    return text


Text: TypeAlias = Annotated[str, Field(min_length=1, max_length=LONGEST_ID, pattern=r"^[^\x00-\x1f\x7f]+$")]
Tenant: TypeAlias = Annotated[str, Field(min_length=1, max_length=LONGEST_ID, pattern=r"^[^\x00-\x1f\x7f:]+$")]
"""Without a colon: tenant and subscription id, with one between them, are the key of all outcomes."""
Comment: TypeAlias = Annotated[str, Field(max_length=LONGEST_COMMENT, pattern=r"^[^\x00]*$")]
Money: TypeAlias = Annotated[str, Field(pattern=r"^[0-9]{1,15}(\.[0-9]{1,4})?$")]
Day: TypeAlias = Annotated[
    date, Field(strict=False, ge=FIRST_DAY, le=LAST_DAY), BeforeValidator(_written_as(r"[0-9-]{10}"))
]
Instant: TypeAlias = Annotated[
    AwareDatetime,
    Field(strict=False, ge=datetime(1970, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC)),
    BeforeValidator(_written_as(r"[0-9-]{10}[Tt ].+")),
]
Moment: TypeAlias = Annotated[Instant | Day, Field(union_mode="left_to_right")]
Zone: TypeAlias = Annotated[str, Field(max_length=64), AfterValidator(_known_zone)]
CurrencyCode: TypeAlias = Annotated[str, Field(pattern=r"^[A-Z]{3}$"), AfterValidator(_known_currency)]
DurationText: TypeAlias = Annotated[str, AfterValidator(_duration)]
IntervalText: TypeAlias = Annotated[str, AfterValidator(_interval)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class Input(_Model):
    """What every input has: the subscription it is about, and its tenant."""

    tenant_id: Tenant = "default"
    subscription_id: Text

    def body(self, currency: str, event_id: str) -> facts.Fact | facts.Command:
        """The fact or command it states.

        Args:
            currency: the subscription's own; amounts may have no more decimals than it has.
            event_id: the id a cancellation goes by when it names none.

        Raises:
            ValueError: an amount does not fit the currency.
        """
        raise NotImplementedError


class Period(_Model):
    """A billing period `[start, end)`: both dates or both instants."""

    start: Moment
    end: Moment

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if type(self.start) is not type(self.end):
            raise ValueError("a period is two dates or two instants")
        if self.end <= self.start:
            raise ValueError("a period ends after it starts")
        return self


class Line(_Model):
    """One line of the price list; `amount` is per full billing period."""

    line_id: Text
    amount: Money
    description: Comment | None = None

    def line(self, currency: str) -> facts.Line:
        """The line with its amount in minor units."""
        return facts.Line(self.line_id, minor_units(self.amount, currency), self.description)


class Terms(_Model):
    """What was agreed about ending the subscription."""

    minimum_term: DurationText | None = None
    notice: DurationText | None = None
    notice_to: Literal["day", "month-end", "period-end"] = "day"
    settlement: Literal["prorate", "full-period", "refund-period"] | None = None

    def terms(self) -> facts.Terms:
        """The terms with their durations read."""
        return facts.Terms(
            minimum_term=None if self.minimum_term is None else Duration.parse(self.minimum_term),
            notice=None if self.notice is None else Duration.parse(self.notice),
            notice_to=self.notice_to,
            settlement=self.settlement,
        )


class SubscriptionActivated(Input):
    """A subscription begins."""

    customer_id: Text
    currency: CurrencyCode
    time_zone: Zone
    start_date: Day
    interval: IntervalText
    anchor_day: Annotated[int, Field(ge=1, le=31)] | None = None
    billing: Literal["in-advance", "in-arrears"] = "in-advance"
    lines: Annotated[list[Line], Field(min_length=1, max_length=MOST_LINES, fail_fast=True)]
    trial_end_date: Day | None = None
    terms: Terms | None = None
    language: Language | None = None

    def body(self, currency: str, event_id: str) -> facts.Activated:  # noqa: ARG002, D102
        return facts.Activated(
            customer_id=self.customer_id,
            currency=self.currency,
            time_zone=self.time_zone,
            start_date=self.start_date,
            interval=Duration.parse(self.interval),
            anchor_day=self.anchor_day or max(self.trial_end_date or self.start_date, self.start_date).day,
            billing=self.billing,
            lines=tuple(line.line(self.currency) for line in self.lines),
            trial_end_date=self.trial_end_date,
            language=self.language,
            terms=None if self.terms is None else self.terms.terms(),
        )


class SubscriptionRenewed(Input):
    """A billing period has begun or been agreed."""

    period: Period

    def body(self, currency: str, event_id: str) -> facts.Renewed:  # noqa: ARG002, D102
        return facts.Renewed(self.period.start, self.period.end)


class PriceChanged(Input):
    """A new price list from a date on."""

    effective_date: Day
    lines: Annotated[list[Line], Field(min_length=1, max_length=MOST_LINES, fail_fast=True)]

    def body(self, currency: str, event_id: str) -> facts.PriceChanged:  # noqa: ARG002, D102
        return facts.PriceChanged(self.effective_date, tuple(line.line(currency) for line in self.lines))


class SubscriptionPaused(Input):
    """The subscription rests from a date on."""

    pause_id: Text
    effective_date: Day
    resume_date: Day | None = None
    effect: Literal["not-charged", "charged", "extends-period"] = "not-charged"

    def body(self, currency: str, event_id: str) -> facts.Paused:  # noqa: ARG002, D102
        return facts.Paused(self.pause_id, self.effective_date, self.resume_date, self.effect)


class SubscriptionResumed(Input):
    """A pause is over from a date on."""

    pause_id: Text
    effective_date: Day

    def body(self, currency: str, event_id: str) -> facts.Resumed:  # noqa: ARG002, D102
        return facts.Resumed(self.pause_id, self.effective_date)


class Charge(_Model):
    """One charge of an invoice.

    `amount` is the whole amount the customer pays, discounts taken off; `tax_amount` is the part of
    it that is tax. A credit's amount is what it gives back, without a sign.
    """

    charge_id: Text
    line_id: Text | None = None
    kind: Literal["recurring", "one-off", "usage", "credit"] = "recurring"
    period: Period | None = None
    amount: Money
    tax_amount: Money | None = None
    corrects_charge_id: Text | None = None
    settles_adjustment_id: Text | None = None

    @model_validator(mode="after")
    def _has_period(self) -> Self:
        if self.kind in {"recurring", "usage"} and self.period is None and self.settles_adjustment_id is None:
            raise ValueError(f"a {self.kind} charge needs the period it is for")
        return self

    def charge(self, currency: str) -> facts.ChargeLine:
        """The charge with its amounts in minor units."""
        return facts.ChargeLine(
            charge_id=self.charge_id,
            line_id=self.line_id,
            kind=self.kind,
            start=None if self.period is None else self.period.start,
            end=None if self.period is None else self.period.end,
            amount=Amount(minor_units(self.amount, currency), minor_units(self.tax_amount or "0", currency)),
            taxed=self.tax_amount is not None,
            corrects_charge_id=self.corrects_charge_id,
            settles_adjustment_id=self.settles_adjustment_id,
        )


class _Invoice(Input):
    invoice_id: Text
    charges: Annotated[list[Charge], Field(max_length=MOST_CHARGES, fail_fast=True)]

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        ids = [charge.charge_id for charge in self.charges]
        if len(set(ids)) < len(ids):
            raise ValueError("two charges of the invoice have the same charge_id")
        return self

    def stated(self, state: Literal["planned", "issued"], currency: str) -> facts.InvoiceStated:
        """The statement of all its charges."""
        return facts.InvoiceStated(self.invoice_id, state, tuple(charge.charge(currency) for charge in self.charges))


class InvoicePlanned(_Invoice):
    """An invoice is planned; nothing has been billed."""

    def body(self, currency: str, event_id: str) -> facts.InvoiceStated:  # noqa: ARG002, D102
        return self.stated("planned", currency)


class InvoiceIssued(_Invoice):
    """An invoice was issued; a planned one repeats its charges under the same ids."""

    def body(self, currency: str, event_id: str) -> facts.InvoiceStated:  # noqa: ARG002, D102
        return self.stated("issued", currency)


class InvoicePaid(Input):
    """Payment of an invoice: the total so far."""

    invoice_id: Text
    paid_amount: Money

    def body(self, currency: str, event_id: str) -> facts.InvoicePaid:  # noqa: ARG002, D102
        return facts.InvoicePaid(self.invoice_id, minor_units(self.paid_amount, currency))


class InvoiceVoided(Input):
    """An invoice counts for nothing any more."""

    invoice_id: Text

    def body(self, currency: str, event_id: str) -> facts.InvoiceVoided:  # noqa: ARG002, D102
        return facts.InvoiceVoided(self.invoice_id)


class End(_Model):
    """When to end: `on-date` comes with exactly one of `date` (exclusive), `last_active_day` and `at`."""

    mode: facts.Mode
    date: Day | None = None
    last_active_day: Day | None = None
    at: Instant | None = None

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        named = sum(value is not None for value in (self.date, self.last_active_day, self.at))
        if self.mode == "on-date" and named != 1:
            raise ValueError("on-date names exactly one of date, last_active_day and at")
        return self

    def wish(self) -> facts.EndWish:
        """The wish; other modes than on-date name no date."""
        if self.mode != "on-date":
            return facts.EndWish(self.mode)
        return facts.EndWish(self.mode, self.date, self.last_active_day, self.at)


class Reason(_Model):
    """Why, as the customer put it."""

    code: Text
    comment: Comment | None = None


class CancellationCommand(Input):
    """What the three commands have in common."""

    cancellation_id: Text | None = None
    requested_by: Text | None = None
    reason: Reason | None = None

    def body(self, currency: str, event_id: str) -> facts.Command:
        """The command it states; no amount in it, so any currency will do."""
        raise NotImplementedError

    def command(
        self, action: Literal["request", "move", "revoke"], cancellation_id: str | None, end: End | None
    ) -> facts.Command:
        """The command with what the three kinds have in common."""
        return facts.Command(
            action=action,
            cancellation_id=cancellation_id,
            end=None if end is None else end.wish(),
            requested_by=self.requested_by,
            reason_code=None if self.reason is None else self.reason.code,
            reason_comment=None if self.reason is None else self.reason.comment,
        )


class OverrideTerms(_Model):
    """Sets the agreement's terms aside: who decided it, and why."""

    by: Text
    why: Comment


class _Ending(CancellationCommand):
    """A command with an end."""

    end: End
    settlement: Literal["prorate", "full-period", "refund-period"] | None = None
    override_terms: OverrideTerms | None = None

    def ending(self, action: Literal["request", "move"], cancellation_id: str | None) -> facts.Command:
        """The command with how to settle, and the override of the terms if there is one."""
        override = self.override_terms
        return replace(
            self.command(action, cancellation_id, self.end),
            settlement=self.settlement,
            override=None if override is None else facts.Override(override.by, override.why),
        )


class CancellationRequested(_Ending):
    """The customer wants the subscription to end, or only some of its lines."""

    line_ids: Annotated[list[Text], Field(min_length=1, max_length=MOST_LINES, fail_fast=True)] | None = None

    def body(self, currency: str, event_id: str) -> facts.Command:  # noqa: ARG002, D102
        command = self.ending("request", self.cancellation_id or event_id)
        return replace(command, lines=tuple(dict.fromkeys(self.line_ids or ())))


class CancellationMoved(_Ending):
    """The customer wants another end."""

    def body(self, currency: str, event_id: str) -> facts.Command:  # noqa: ARG002, D102
        return self.ending("move", self.cancellation_id)


class CancellationRevoked(CancellationCommand):
    """The customer regrets the cancellation."""

    def body(self, currency: str, event_id: str) -> facts.Command:  # noqa: ARG002, D102
        return self.command("revoke", self.cancellation_id, None)


class CancellationPolicySet(_Model):
    """A tenant's policy, whole: what it does not say is the default. In force from the event's time on."""

    tenant_id: Tenant = "default"
    settlement: Literal["prorate", "full-period", "refund-period"] = "prorate"
    proration: Literal["day", "second"] = "day"
    day_of_cancellation: Literal["active", "free"] = "active"
    rounding: Literal["half-up", "half-even"] = "half-up"
    on_early_end: Literal["move", "refuse"] = "move"
    earliest_backdate_days: Annotated[int, Field(ge=0, le=36_600)] = 366
    charges: Literal["reported", "implied"] = "reported"
    language: Language = "en"

    def policy(self) -> Policy:
        """The policy it sets."""
        return Policy(
            settlement=self.settlement,
            proration=self.proration,
            day_of_cancellation=self.day_of_cancellation,
            rounding=self.rounding,
            on_early_end=self.on_early_end,
            earliest_backdate_days=self.earliest_backdate_days,
            charges=self.charges,
            language=self.language,
        )


INPUTS: dict[str, type[Input | CancellationPolicySet]] = {
    "subscription-activated": SubscriptionActivated,
    "subscription-renewed": SubscriptionRenewed,
    "price-changed": PriceChanged,
    "subscription-paused": SubscriptionPaused,
    "subscription-resumed": SubscriptionResumed,
    "invoice-planned": InvoicePlanned,
    "invoice-issued": InvoiceIssued,
    "invoice-paid": InvoicePaid,
    "invoice-voided": InvoiceVoided,
    "cancellation-requested": CancellationRequested,
    "cancellation-moved": CancellationMoved,
    "cancellation-revoked": CancellationRevoked,
    "cancellation-policy-set": CancellationPolicySet,
}
