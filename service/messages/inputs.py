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

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)
from pydantic.config import JsonDict

from service.domain import facts
from service.domain.money import Amount, exponent, minor_units
from service.domain.periods import Duration, zone
from service.domain.policy import Language, Policy
from service.messages.notation import (
    A_CURRENCY,
    A_DATE,
    A_DURATION,
    A_ZONE,
    AN_INSTANT,
    CURRENCY,
    DURATION,
    GIVEN_DATE,
    GIVEN_INSTANT,
    GIVEN_MOMENT,
    INTERVAL,
    ZONE,
    written,
)

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
Money: TypeAlias = Annotated[
    str,
    Field(pattern=r"^[0-9]{1,15}(\.[0-9]{1,4})?$"),
    written("A decimal string in the subscription's currency, with at most that currency's own number of decimals."),
]
Day: TypeAlias = Annotated[
    date,
    Field(strict=False, ge=FIRST_DAY, le=LAST_DAY),
    BeforeValidator(_written_as(r"[0-9-]{10}")),
    written(A_DATE, pattern=GIVEN_DATE),
]
Instant: TypeAlias = Annotated[
    AwareDatetime,
    Field(strict=False, ge=datetime(1970, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC)),
    BeforeValidator(_written_as(r"[0-9-]{10}[Tt ].+")),
    written(AN_INSTANT, pattern=GIVEN_INSTANT),
]
Moment: TypeAlias = Annotated[
    Instant | Day, Field(union_mode="left_to_right"), WithJsonSchema({"type": "string", "pattern": GIVEN_MOMENT})
]
Zone: TypeAlias = Annotated[str, Field(max_length=64), AfterValidator(_known_zone), written(A_ZONE, pattern=ZONE)]
CurrencyCode: TypeAlias = Annotated[str, Field(pattern=CURRENCY), AfterValidator(_known_currency), written(A_CURRENCY)]
DurationText: TypeAlias = Annotated[str, AfterValidator(_duration), written(A_DURATION, pattern=DURATION)]
IntervalText: TypeAlias = Annotated[
    str,
    AfterValidator(_interval),
    written("An ISO 8601 duration: whole months and years, or whole weeks and days.", pattern=INTERVAL),
]
Settlement: TypeAlias = Literal["prorate", "full-period", "refund-period"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, use_attribute_docstrings=True)


class Input(_Model):
    """What every input has: the subscription it is about, and its tenant."""

    tenant_id: Tenant = "default"
    """The merchant that the subscription is with."""
    subscription_id: Text
    """The subscription this is about."""

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

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"start": {"pattern": GIVEN_DATE}}},
            "then": {"properties": {"end": {"pattern": GIVEN_DATE}}},
            "else": {"properties": {"end": {"pattern": GIVEN_INSTANT}}},
        }
    )

    start: Moment
    """The first day of the period, or the instant at which it begins."""
    end: Moment
    """The first day outside the period, or the instant at which it is over; later than the start."""

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
    """The id of the line, the same in every price list and charge."""
    amount: Money
    """The price of a full billing period."""
    description: Comment | None = None
    """What the line is for, in words; shown in the timeline."""

    def line(self, currency: str) -> facts.Line:
        """The line with its amount in minor units."""
        return facts.Line(self.line_id, minor_units(self.amount, currency), self.description)


class Terms(_Model):
    """What was agreed about ending the subscription."""

    minimum_term: DurationText | None = None
    """How long the subscription binds, from its start date on."""
    notice: DurationText | None = None
    """How long before the end it must be asked for."""
    notice_to: Literal["day", "month-end", "period-end"] = "day"
    """What the end of the notice is moved on to: nothing (the day itself), the end of the month or the end of the
    billing period.
    """
    settlement: Settlement | None = None
    """How the period that holds the end is settled, where the request does not say."""

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
    """The customer who has the subscription."""
    currency: CurrencyCode
    """The currency of all its amounts."""
    time_zone: Zone
    """The time zone in which its days begin and end."""
    start_date: Day
    """The first day of the subscription."""
    interval: IntervalText
    """The length of a billing period."""
    anchor_day: Annotated[int, Field(ge=1, le=31)] | None = None
    """The day of the month on which billing periods begin, the month's last where it has no such day; without it,
    the day on which charging starts.
    """
    billing: Literal["in-advance", "in-arrears"] = "in-advance"
    """Whether a period is paid for before or after it."""
    lines: Annotated[list[Line], Field(min_length=1, max_length=MOST_LINES, fail_fast=True)]
    """The price list from the start on."""
    trial_end_date: Day | None = None
    """The first day after the free trial."""
    terms: Terms | None = None
    """What was agreed about ending the subscription."""
    language: Language | None = None
    """What the customer is written to in, as an ISO 639-1 code; without it, the merchant's policy says."""

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
    """The billing period that has begun or been agreed."""

    def body(self, currency: str, event_id: str) -> facts.Renewed:  # noqa: ARG002, D102
        return facts.Renewed(self.period.start, self.period.end)


class PriceChanged(Input):
    """A new price list from a date on."""

    effective_date: Day
    """The first day on which the new prices hold."""
    lines: Annotated[list[Line], Field(min_length=1, max_length=MOST_LINES, fail_fast=True)]
    """The whole new price list."""

    def body(self, currency: str, event_id: str) -> facts.PriceChanged:  # noqa: ARG002, D102
        return facts.PriceChanged(self.effective_date, tuple(line.line(currency) for line in self.lines))


class SubscriptionPaused(Input):
    """The subscription rests from a date on."""

    pause_id: Text
    """The id of the pause, by which it is resumed."""
    effective_date: Day
    """The first day that is paused."""
    resume_date: Day | None = None
    """The first day after the pause, where it is known."""
    effect: Literal["not-charged", "charged", "extends-period"] = "not-charged"
    """Whether paused days earn nothing, are charged as ever, or earn nothing and move the period's end by as many
    days.
    """

    def body(self, currency: str, event_id: str) -> facts.Paused:  # noqa: ARG002, D102
        return facts.Paused(self.pause_id, self.effective_date, self.resume_date, self.effect)


class SubscriptionResumed(Input):
    """A pause is over from a date on."""

    pause_id: Text
    """The pause that is over."""
    effective_date: Day
    """The first day after the pause."""

    def body(self, currency: str, event_id: str) -> facts.Resumed:  # noqa: ARG002, D102
        return facts.Resumed(self.pause_id, self.effective_date)


class Charge(_Model):
    """One charge of an invoice.

    `amount` is the whole amount the customer pays, discounts taken off; `tax_amount` is the part of
    it that is tax. A credit's amount is what it gives back, without a sign.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"not": {"required": ["period"], "properties": {"period": {"type": "object"}}}},
            "then": {
                "anyOf": [
                    {"required": ["kind"], "properties": {"kind": {"enum": ["one-off", "credit"]}}},
                    {
                        "required": ["settles_adjustment_id"],
                        "properties": {"settles_adjustment_id": {"type": "string"}},
                    },
                ]
            },
        }
    )

    charge_id: Text
    """The id of the charge, distinct within the subscription; issuing a planned charge repeats it."""
    line_id: Text | None = None
    """The line of the price list that it is for."""
    kind: Literal["recurring", "one-off", "usage", "credit"] = "recurring"
    """What the charge is: only recurring ones are divided; a credit gives back."""
    period: Period | None = None
    """What the charge is for; required of recurring and usage charges, unless they carry out an adjustment."""
    amount: Money
    """The whole amount the customer pays, discounts taken off and tax included; of a credit, what it gives back."""
    tax_amount: Money | None = None
    """The part of the amount that is tax."""
    corrects_charge_id: Text | None = None
    """Of a credit given on the sender's own account: the charge it corrects."""
    settles_adjustment_id: Text | None = None
    """The adjustment of ours that the charge carries out; it counts nowhere else."""

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
    """The id of the invoice; issuing a planned one repeats it."""
    charges: Annotated[list[Charge], Field(max_length=MOST_CHARGES, fail_fast=True)]
    """All charges of the invoice."""

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
    """The invoice that was paid."""
    paid_amount: Money
    """The total paid so far, not the latest payment."""

    def body(self, currency: str, event_id: str) -> facts.InvoicePaid:  # noqa: ARG002, D102
        return facts.InvoicePaid(self.invoice_id, minor_units(self.paid_amount, currency))


class InvoiceVoided(Input):
    """An invoice counts for nothing any more."""

    invoice_id: Text
    """The invoice that counts no more."""

    def body(self, currency: str, event_id: str) -> facts.InvoiceVoided:  # noqa: ARG002, D102
        return facts.InvoiceVoided(self.invoice_id)


_NAMED = ("date", "last_active_day", "at")


def _only(named: str) -> JsonDict:
    """The schema of an end that names this and nothing else."""
    others: JsonDict = {name: {"type": "null"} for name in _NAMED if name != named}
    return {"required": [named], "properties": {named: {"type": "string"}, **others}}


class End(_Model):
    """When to end: `on-date` comes with exactly one of `date` (exclusive), `last_active_day` and `at`."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"mode": {"const": "on-date"}}},
            "then": {"anyOf": [_only(name) for name in _NAMED]},
        }
    )

    mode: facts.Mode
    """How the end is chosen; `on-date` comes with exactly one of `date`, `last_active_day` and `at`."""
    date: Day | None = None
    """The first day that is not active."""
    last_active_day: Day | None = None
    """The last day that is active, the day before `date`."""
    at: Instant | None = None
    """The instant at which access ends."""

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
    """The reason as the sender's own list has it."""
    comment: Comment | None = None
    """The reason in the customer's words."""


class CancellationCommand(Input):
    """What the three commands have in common."""

    cancellation_id: Text | None = None
    """The id of the cancellation; a request without one goes by its event's id, and a move or a revocation without
    one is about the cancellation in force.
    """
    requested_by: Text | None = None
    """Who asked."""
    reason: Reason | None = None
    """Why it was asked for."""

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
    """Who decided it."""
    why: Comment
    """Why, in words."""


class _Ending(CancellationCommand):
    """A command with an end."""

    end: End
    """When the subscription is to end."""
    settlement: Settlement | None = None
    """How the period that holds the end is settled; without it, the terms say, else the merchant's policy."""
    override_terms: OverrideTerms | None = None
    """Sets binding and notice aside."""

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
    """The lines that are to end; without it, the whole subscription."""

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
    """The merchant whose policy it is."""
    settlement: Settlement = "prorate"
    """How the period that holds the end is settled: paid for active time, kept whole or given back whole."""
    proration: Literal["day", "second"] = "day"
    """What active time is counted in; by the second, an end is an instant."""
    day_of_cancellation: Literal["active", "free"] = "active"
    """Whether the day on which access ends at once counts as active."""
    rounding: Literal["half-up", "half-even"] = "half-up"
    """How a share of an amount is rounded to the currency's minor unit."""
    on_early_end: Literal["move", "refuse"] = "move"
    """Whether an end before the earliest permitted one is moved to it or refused."""
    earliest_backdate_days: Annotated[int, Field(ge=0, le=36_600)] = 366
    """How many days before the day it is asked for an end may lie."""
    charges: Literal["reported", "implied"] = "reported"
    """Whether invoicing reports its charges, or each period that has begun counts as issued at its list price."""
    language: Language = "en"
    """What customers are written to in where their subscription does not say, as an ISO 639-1 code."""

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
