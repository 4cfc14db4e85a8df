"""The events we publish, each with all that its reader needs, and how they are made from the domain's outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal, TypeAlias, TypeVar, get_args

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, WithJsonSchema

from service import words
from service.domain import facts, policy
from service.domain import outcomes as domain
from service.domain.ends import End
from service.domain.money import decimal
from service.domain.outcomes import RefusalCode
from service.domain.periods import Period as DomainPeriod
from service.domain.periods import local_date, start_of_day, zone
from service.domain.policy import Language, Proration, Rules
from service.domain.settlement import Settled
from service.domain.subscription import Adjustment, Cause, Entry, Subscription
from service.domain.timeline import ShownPause, ShownPeriod, ShownPrice, Status, Timeline
from service.messages.notation import (
    A_CURRENCY,
    A_DATE,
    A_DURATION,
    A_ZONE,
    AN_INSTANT,
    CURRENCY,
    DATE,
    INSTANT,
    MOMENT,
    WRITTEN_DURATION,
    ZONE,
    known,
    written,
)

Money: TypeAlias = Annotated[
    str,
    Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$"),
    written("A decimal string in the subscription's currency, with that currency's own number of decimals."),
]
Day: TypeAlias = Annotated[date, written(A_DATE, pattern=DATE)]
Instant: TypeAlias = Annotated[AwareDatetime, written(AN_INSTANT, pattern=INSTANT)]
Moment: TypeAlias = Annotated[date | datetime, WithJsonSchema({"type": "string", "pattern": MOMENT})]
Count: TypeAlias = Annotated[int, written("", minimum=0)]
CurrencyCode: TypeAlias = Annotated[str, written(A_CURRENCY, pattern=CURRENCY)]
Zone: TypeAlias = Annotated[str, written(A_ZONE, pattern=ZONE)]
DurationText: TypeAlias = Annotated[str, written(A_DURATION, pattern=WRITTEN_DURATION)]
Mode: TypeAlias = Annotated[str, known(*get_args(facts.Mode))]
HowSettled: TypeAlias = Annotated[str, known(*get_args(policy.Settlement))]
Refusal: TypeAlias = Annotated[RefusalCode, known(*get_args(RefusalCode))]
Why: TypeAlias = Annotated[Cause, known(*get_args(Cause))]
Value = TypeVar("Value")
Maybe: TypeAlias = Annotated[Value | None, Field(exclude_if=lambda value: value is None)]
"""A field that is left out when it has no value."""


class _Model(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        use_attribute_docstrings=True,
        json_schema_serialization_defaults_required=True,
    )


class Outcome(_Model):
    """What every outcome begins with.

    `sequence` counts 1, 2, 3 … per subscription over all topics; it is 0 where no subscription is known.
    """

    tenant_id: str
    """The merchant that the subscription is with."""
    subscription_id: str
    """The subscription this is about."""
    customer_id: str | None
    """The customer who has the subscription; null where the subscription is not known."""
    cancellation_id: str | None
    """The cancellation that led to this; null where there is none."""
    sequence: Count
    """Counts 1, 2, 3 … per subscription over all topics; 0 where no subscription is known."""


class Period(_Model):
    """Local dates `[start, end)`, the end being the first date outside; by the second, two instants."""

    start: Moment
    """The first day of the period, or the instant at which it begins."""
    end: Moment
    """The first day outside the period, or the instant at which it is over."""


class Active(_Model):
    """Active days of all days of the period; by the second, seconds of seconds."""

    numerator: Count
    """How many days or seconds are active."""
    denominator: Count
    """How many days or seconds the whole period has."""
    unit: Proration = "day"
    """What is counted."""


class ChargeChange(_Model):
    """A charge's amount before (as last published, or as planned) and from now on."""

    charge_id: str
    """The charge."""
    invoice_id: str
    """The invoice that it is on."""
    state: Literal["planned", "issued"]
    """Whether it was planned only, or issued."""
    amount_before: Money
    """The whole amount as last published or, if nothing was, as planned or issued."""
    amount_after: Money
    """The whole amount that the customer owes from now on."""
    tax_before: Maybe[Money] = None
    """The part of `amount_before` that is tax; left out where no tax was reported."""
    tax_after: Maybe[Money] = None
    """The part of `amount_after` that is tax; left out where no tax was reported."""


class PeriodShortened(Outcome):
    """A billing period ends early."""

    currency: CurrencyCode
    """The currency of all amounts."""
    line_ids: list[str]
    """The lines whose period it is."""
    period: Period
    """The billing period as it was agreed."""
    shortened_to: Period
    """What is left of it."""
    end_date: Day
    """The first day that is not active."""
    last_active_day: Day
    """The last day that is active, the day before `end_date`."""
    active: Active
    """How much of the period is active from now on."""
    charges: list[ChargeChange]
    """Each charge concerned, before and from now on."""


class PeriodRestored(Outcome):
    """A shortened period is given back, in whole or in part; without an end in force there is no end date."""

    currency: CurrencyCode
    """The currency of all amounts."""
    line_ids: list[str]
    """The lines whose period it is."""
    period: Period
    """The billing period as it was agreed."""
    restored_to: Period
    """What it is from now on; shorter than the period where an end still cuts it."""
    end_date: Day | None
    """The first day that is not active; null where no end is in force."""
    last_active_day: Day | None
    """The last day that is active; null where no end is in force."""
    active: Active
    """How much of the period is active from now on."""
    charges: list[ChargeChange]
    """Each charge concerned, before and from now on."""


class RenewalCancelled(Outcome):
    """A renewal does not come; where lines are named, theirs only."""

    currency: CurrencyCode
    """The currency of all amounts."""
    line_ids: Maybe[list[str]] = None
    """The lines concerned, where it is not the whole subscription."""
    renewal: Period
    """The billing period that does not come."""
    invoice_id: Maybe[str] = None
    """The invoice that was for it, if one was planned or issued."""
    charges: list[ChargeChange]
    """Each charge concerned, before and from now on."""


class RenewalReinstated(Outcome):
    """A cancelled renewal comes after all; where lines are named, theirs only."""

    currency: CurrencyCode
    """The currency of all amounts."""
    line_ids: Maybe[list[str]] = None
    """The lines concerned, where it is not the whole subscription."""
    renewal: Period
    """The billing period that comes after all."""
    invoice_id: Maybe[str] = None
    """The invoice that is for it, if one was planned or issued."""
    charges: list[ChargeChange]
    """Each charge concerned, before and from now on."""


class Settlement(_Model):
    """How much meets the open balance of the invoice, and how much of what was paid can be given back."""

    offset: Money
    """How much of the amount meets the open balance of the invoice."""
    refundable: Money
    """How much of the amount was paid, and can be given back; as of the decision."""


class Calculation(_Model):
    """How the charge came to its amount, for a person to check."""

    billed: Money
    """What was billed for the charge."""
    kept: Money
    """What the customer owes of it."""
    active: Count
    """How many days or seconds are active."""
    total: Count
    """How many days or seconds the period has."""
    unit: Proration = "day"
    """What is counted."""
    text: str
    """The calculation in words, for the customer."""


class CreditAdjustment(Outcome):
    """An issued charge is to be credited or debited by `amount`, of which `tax_amount` is tax.

    Where invoicing reports no charges, line and period say what it is for, and invoice and charge are null.
    """

    adjustment_id: str
    """The id of the adjustment, which the charge that carries it out names as `settles_adjustment_id`."""
    direction: Literal["credit", "debit"]
    """Whether the amount is given back (credit) or asked for (debit)."""
    amount: Money
    """The whole amount to credit or debit, without a sign."""
    tax_amount: Money
    """The part of the amount that is tax."""
    currency: CurrencyCode
    """The currency of all amounts."""
    invoice_id: str | None
    """The invoice that is put right; null where charges are implied."""
    charge_id: str | None
    """The charge that is put right; null where charges are implied."""
    line_id: str | None
    """The line of the price list that the charge is for; null where it names none."""
    period: Period | None
    """The billing period of the charge; null where it is for none."""
    settlement: Settlement
    """How the amount is split."""
    reverses_adjustment_id: Maybe[str] = None
    """The adjustment that this one takes back."""
    cause: Why
    """What led to it."""
    calculation: Calculation
    """How the amount was come by."""


class CancellationScheduled(Outcome):
    """The subscription will end (or has ended, for an end in the past)."""

    text: str
    """The end in words, for the customer."""
    requested_end_date: Day
    """The end date that was asked for."""
    earliest_permitted_end_date: Day
    """The first end date that notice and binding allow."""
    end_date: Day
    """The first day that is not active."""
    last_active_day: Day
    """The last day that is active, the day before `end_date`."""
    access_ends_at: Instant
    """The exact instant at which access ends."""
    mode: Mode
    """How the end was asked for."""
    settlement: HowSettled
    """How the period that holds the end is settled."""
    line_ids: Maybe[list[str]] = None
    """The lines concerned, where it is not the whole subscription."""


class CancellationRescheduled(CancellationScheduled):
    """The end was moved."""


class CancellationWithdrawn(Outcome):
    """The cancellation was taken back; all is as if it had not been."""

    text: str
    """The withdrawal in words, for the customer."""
    line_ids: Maybe[list[str]] = None
    """The lines concerned, where it is not the whole subscription."""


class CancellationRejected(Outcome):
    """A command was refused; nothing changed. The text is for the customer, the message for whoever sent it."""

    text: str
    """The refusal in words, for the customer."""
    code: Refusal
    """Why, for machines."""
    message: str
    """Why, for whoever sent the command."""
    rejected_type: Annotated[str, known("cancellation-requested", "cancellation-moved", "cancellation-revoked")]
    """The type of the event that was refused."""


class SubscriptionEnded(Outcome):
    """The subscription has ended and the end can no longer change. Usage up to `usage_cutoff` is billed as ever."""

    text: str
    """The end in words, for the customer."""
    end_date: Day
    """The first day that is not active."""
    last_active_day: Day
    """The last day that is active, the day before `end_date`."""
    access_ends_at: Instant
    """The exact instant at which access ends."""
    usage_cutoff: Instant
    """The instant until which usage is billed."""


class TimelinePeriod(Period):
    """A billing period and what became of it."""

    state: Literal["whole", "shortened", "cancelled"]
    """Whether it runs whole, ends early or does not come."""
    shortened_to: Maybe[Day] = None
    """The first day outside what is left of it."""


class TimelinePause(_Model):
    """A pause; open while it has no resume date. It is cut off at the end, and a resume after that is suppressed."""

    pause_id: str
    """The id of the pause."""
    effective_date: Day
    """The first day that is paused."""
    resume_date: Day | None
    """The first day after the pause; null while it is open."""
    effect: Annotated[str, known("not-charged", "charged", "extends-period")]
    """What the pause does to what is charged."""
    state: Literal["in-force", "cut-off", "suppressed"] = "in-force"
    """Whether it holds, was cut off by the end, or lies after it."""


class TimelineLine(_Model):
    """A line of a price list."""

    line_id: str
    """The id of the line."""
    amount: Money
    """The price of a full billing period."""
    description: Maybe[str] = None
    """What the line is for, in words."""


class TimelinePrice(_Model):
    """A price list and the date it is in force from; suppressed while the subscription ends before that."""

    effective_date: Day
    """The first day on which the prices hold."""
    lines: list[TimelineLine]
    """The whole price list."""
    state: Literal["in-force", "suppressed"] = "in-force"
    """Whether it holds, or is suppressed because the subscription ends before."""


class TimelineCharge(_Model):
    """A charge: what was billed for it, what is kept, what we credited (negative: debited) and what others did.

    A credit, and a charge that carries out an adjustment, is listed but counts where it belongs: with
    the charge it corrects or the adjustment it settles.
    """

    charge_id: str | None
    """The charge; null where it is implied."""
    invoice_id: str | None
    """The invoice that it is on; null where it is implied."""
    line_id: str | None
    """The line of the price list that it is for; null where it names none."""
    kind: Annotated[str, known(*get_args(facts.Kind))]
    """What the charge is."""
    period: Period | None
    """The billing period that it is for; null where it is for none."""
    state: Literal["planned", "issued", "voided"]
    """Whether it was planned only, issued, or voided."""
    amount: Money
    """The whole amount before any shortening."""
    billed: Money
    """What was billed for it."""
    kept: Money
    """What the customer owes of it."""
    credited: Money
    """What this service published as credits, less debits."""
    credited_by_others: Money
    """What others gave back on it."""


class TimelineAdjustment(_Model):
    """A published adjustment: open until the invoicing side reports the charge that carries it out."""

    adjustment_id: str
    """The id of the adjustment."""
    sequence: Count
    """The number of the outcome that published it."""
    charge_id: str | None
    """The charge that is put right; null where charges are implied."""
    invoice_id: str | None
    """The invoice that is put right; null where charges are implied."""
    direction: Literal["credit", "debit"]
    """Whether the amount is given back (credit) or asked for (debit)."""
    amount: Money
    """The whole amount, without a sign."""
    tax_amount: Money
    """The part of the amount that is tax."""
    cause: Why
    """What led to it."""
    state: Literal["open", "settled"]
    """Open until invoicing reports the charge that carries it out."""
    text: str
    """The calculation in words, for the customer."""


class TimelineEntry(_Model):
    """One line of the history: when it happened, and when it was recorded here."""

    type: str
    """The type of the event or outcome."""
    event_id: str
    """The id of the event that it comes from."""
    time: Instant
    """When it happened."""
    recorded_at: Instant
    """When it was recorded here."""
    effective_date: Maybe[Day] = None
    """The day from which it has effect."""
    refused: Maybe[Annotated[str, known(*get_args(RefusalCode))]] = None
    """Why it was refused, if it was."""


class TimelineLineEnd(_Model):
    """The end that one line has of its own; never later than that of the whole, where there is one."""

    line_id: str
    """The line that ends."""
    end_date: Day
    """The first day that is not active."""
    last_active_day: Day
    """The last day that is active, the day before `end_date`."""
    access_ends_at: Instant
    """The exact instant at which access ends."""
    mode: Mode
    """How the end was asked for."""
    settlement: HowSettled
    """How the period that holds the end is settled."""


class TimelinePolicy(_Model):
    """The merchant's policy that the cancellation in force was decided by; without one, that which is in force."""

    settlement: HowSettled
    """How the period that holds the end is settled."""
    proration: Annotated[str, known(*get_args(Proration))]
    """What active time is counted in."""
    day_of_cancellation: Annotated[str, known("active", "free")]
    """Whether the day on which access ends at once counts as active."""
    rounding: Annotated[str, known(*get_args(policy.Rounding))]
    """How a share of an amount is rounded to the currency's minor unit."""
    on_early_end: Annotated[str, known("move", "refuse")]
    """Whether an end before the earliest permitted one is moved to it or refused."""
    earliest_backdate_days: Count
    """How many days before the day it is asked for an end may lie."""
    charges: Annotated[str, known("reported", "implied")]
    """Whether invoicing reports its charges, or they are implied."""
    language: Annotated[str, known(*get_args(Language))]
    """What customers are written to in, as an ISO 639-1 code."""


class SubscriptionTimeline(Outcome):
    """The whole current timeline; `sequence` is the last outcome it reflects."""

    status: Status
    """Where the subscription stands."""
    text: str
    """Where the subscription stands, in words, for the customer."""
    start_date: Day
    """The first day of the subscription."""
    currency: CurrencyCode
    """The currency of all amounts."""
    time_zone: Zone
    """The time zone in which its days begin and end."""
    interval: DurationText
    """The length of a billing period."""
    end_date: Day | None
    """The first day that is not active; null where no end is in force."""
    last_active_day: Day | None
    """The last day that is active; null where no end is in force."""
    access_ends_at: Instant | None
    """The exact instant at which access ends; null where no end is in force."""
    mode: Maybe[Mode] = None
    """How the end was asked for."""
    settlement: Maybe[HowSettled] = None
    """How the period that holds the end is settled."""
    policy: TimelinePolicy
    """The merchant's policy that applies."""
    line_ends: Maybe[list[TimelineLineEnd]] = None
    """The ends that single lines have of their own."""
    periods: list[TimelinePeriod]
    """The billing periods worth showing, in order."""
    pauses: list[TimelinePause]
    """All pauses, in order."""
    prices: list[TimelinePrice]
    """All price lists, in order."""
    charges: list[TimelineCharge]
    """All charges."""
    adjustments: list[TimelineAdjustment]
    """All published adjustments, in order."""
    entries: list[TimelineEntry]
    """The history, in order of when it happened."""


OUTCOMES: dict[str, tuple[str, type[Outcome]]] = {
    "period-shortened": ("period-shortened", PeriodShortened),
    "period-restored": ("period-shortened", PeriodRestored),
    "renewal-cancelled": ("renewal-cancelled", RenewalCancelled),
    "renewal-reinstated": ("renewal-cancelled", RenewalReinstated),
    "credit-adjustment": ("credit-adjustment", CreditAdjustment),
    "cancellation-scheduled": ("cancellation-status", CancellationScheduled),
    "cancellation-rescheduled": ("cancellation-status", CancellationRescheduled),
    "cancellation-withdrawn": ("cancellation-status", CancellationWithdrawn),
    "cancellation-rejected": ("cancellation-status", CancellationRejected),
    "subscription-ended": ("cancellation-status", SubscriptionEnded),
    "subscription-timeline": ("subscription-timeline", SubscriptionTimeline),
}
"""Each type with the default name of its topic and its model."""


Written: TypeAlias = dict[str, Any]
"""An outcome, or a part of one, as it is to be written: the fields of its model, in their order."""


def rejection(tenant_id: str, subscription_id: str, outcome: domain.Outcome, rules: Rules) -> Written:
    """The answer about a subscription nobody has told us of."""
    assert isinstance(outcome.body, domain.Rejected), "only a refusal needs no subscription"  # noqa: S101
    head = _head(tenant_id, subscription_id, None, outcome.cancellation_id, outcome.sequence)
    return _rejected(head, outcome.body, rules.at(outcome.time).language)


def message(subscription: Subscription, outcome: domain.Outcome, rules: Rules) -> Written:
    """An outcome as it goes on the wire, in the subscription's language or the tenant's at the time of the decision."""
    language = subscription.agreement.language or rules.at(outcome.time).language
    return _Writer(subscription, outcome.sequence, outcome.cancellation_id, language).message(outcome.body)


def snapshot(timeline: Timeline) -> Written:
    """A timeline as it goes on the wire."""
    subscription = timeline.subscription
    writer = _Writer(subscription, subscription.told.sequence, subscription.cancellation_id, timeline.language)
    return writer.timeline(timeline)


def as_read(timeline: Timeline) -> SubscriptionTimeline:
    """A timeline as a reader of its topic has it."""
    return SubscriptionTimeline.model_validate(snapshot(timeline))


class _Writer:
    """Writes the domain's values for one subscription: its money, its zone, its ids, its language.

    Plain dictionaries: the values were computed, and to validate each of them once more would take as long as the
    decision. That they are what the models say is looked at by the tests, over arbitrary lives.
    """

    def __init__(
        self, subscription: Subscription, sequence: int, cancellation_id: str | None, language: Language
    ) -> None:
        self._agreement, self._prices, self._language = subscription.agreement, subscription.price_lists, language
        self._zone = zone(subscription.agreement.time_zone)
        customer = subscription.agreement.customer_id
        self._head = _head(subscription.tenant_id, subscription.subscription_id, customer, cancellation_id, sequence)

    def message(self, body: domain.Body) -> Written:
        head = self._head
        match body:
            case domain.StatusChanged():
                text = self._status(body.type, body.end, body.lines)
                return {**head, "text": text, **self._asked(body.end), **_lines(body.lines)}
            case domain.Withdrawn():
                text = words.withdrawn(self._language, self._named(body.lines))
                return {**head, "text": text, **_lines(body.lines)}
            case domain.Rejected():
                return _rejected(head, body, self._language)
            case domain.Ended():
                ended, text = self._end(body.end), self._status(body.type, body.end)
                return {**head, "text": text, **ended, "usage_cutoff": ended["access_ends_at"]}
            case domain.PeriodChanged():
                return self._period_changed(body)
            case domain.RenewalChanged():
                return {
                    **head,
                    "currency": self._agreement.currency,
                    **_lines(body.line_ids),
                    "renewal": self._period(body.renewal, body.proration),
                    **_given(invoice_id=body.invoice_id),
                    "charges": [self._change(charge) for charge in body.charges],
                }
            case domain.Adjusted():
                return self._adjustment(body)

    def timeline(self, timeline: Timeline) -> Written:
        agreement, end = self._agreement, timeline.end
        line_ends = [{"line_id": line, **self._end(own), **_how(own)} for line, own in timeline.line_ends.items()]
        return {
            **self._head,
            "status": timeline.status,
            "text": self._standing(timeline),
            "start_date": agreement.start_date,
            "currency": agreement.currency,
            "time_zone": agreement.time_zone,
            "interval": str(agreement.interval),
            **(_ENDLESS if end is None else {**self._end(end), **_how(end)}),
            "policy": {name: getattr(timeline.policy, name) for name in TimelinePolicy.model_fields},
            **_given(line_ends=line_ends or None),
            "periods": [_period_shown(period) for period in timeline.periods],
            "pauses": [_pause(pause) for pause in timeline.pauses],
            "prices": [self._price(price) for price in timeline.prices],
            "charges": [self._charge(settled) for settled in timeline.charges],
            "adjustments": [self._shown(adjustment, settled=settled) for adjustment, settled in timeline.adjustments],
            "entries": [_entry(entry) for entry in timeline.entries],
        }

    def _standing(self, timeline: Timeline) -> str:
        if timeline.end is None:
            return words.uncancelled(self._language)
        return self._status(
            "subscription-ended" if timeline.status == "ended" else "cancellation-scheduled", timeline.end
        )

    def _status(self, name: words.StatusName, end: End, lines: Iterable[str] = ()) -> str:
        return words.status(self._language, name, end, self._agreement, self._named(lines))

    def _named(self, lines: Iterable[str]) -> list[str]:
        """What the customer knows lines by: how they were described last."""
        described = {
            line.line_id: line.description for price in self._prices for line in price.lines if line.description
        }
        return [described.get(line, line) for line in lines]

    def _money(self, units: int) -> str:
        return decimal(units, self._agreement.currency)

    def _end(self, end: End) -> Written:
        return {
            "end_date": end.end_date,
            "last_active_day": end.last_active_day,
            "access_ends_at": end.access_ends_at.astimezone(self._zone),
        }

    def _asked(self, end: End) -> Written:
        return {
            "requested_end_date": end.requested_end_date,
            "earliest_permitted_end_date": end.earliest_permitted_end_date,
            **self._end(end),
            **_how(end),
        }

    def _period(self, period: DomainPeriod, proration: Proration = "day") -> Written:
        if proration == "day":
            return {"start": period.start, "end": period.end}
        start, end = (
            start_of_day(day, self._agreement.time_zone).astimezone(self._zone) for day in (period.start, period.end)
        )
        return {"start": start, "end": end}

    def _period_changed(self, body: domain.PeriodChanged) -> Written:
        period = self._period(body.period, body.proration)
        until = body.until if body.proration == "second" else local_date(body.until, self._agreement.time_zone)
        to = {**period, "end": until.astimezone(self._zone) if isinstance(until, datetime) else until}
        return {
            **self._head,
            "currency": self._agreement.currency,
            "line_ids": body.line_ids,
            "period": period,
            "shortened_to" if body.type == "period-shortened" else "restored_to": to,
            "end_date": None if body.end is None else body.end.end_date,
            "last_active_day": None if body.end is None else body.end.last_active_day,
            "active": {"numerator": _length(to), "denominator": _length(period), "unit": body.proration},
            "charges": [self._change(charge) for charge in body.charges],
        }

    def _change(self, charge: domain.ChargeChange) -> Written:
        taxes = {"tax_before": self._money(charge.before.tax), "tax_after": self._money(charge.after.tax)}
        return {
            "charge_id": charge.charge_id,
            "invoice_id": charge.invoice_id,
            "state": charge.state,
            "amount_before": self._money(charge.before.gross),
            "amount_after": self._money(charge.after.gross),
            **(taxes if charge.taxed else {}),
        }

    def _adjustment(self, body: domain.Adjusted) -> Written:
        adjustment, told = body.adjustment, body.adjustment.calculation
        return {
            **self._head,
            "adjustment_id": adjustment.adjustment_id,
            **self._amount(adjustment),
            "currency": self._agreement.currency,
            **_charged(adjustment),
            "line_id": body.line_id,
            "period": None if told.period is None else self._period(told.period, told.unit),
            "settlement": {
                "offset": self._money(abs(adjustment.offset)),
                "refundable": self._money(abs(adjustment.refundable)),
            },
            **_given(reverses_adjustment_id=adjustment.reverses_adjustment_id),
            "cause": adjustment.cause,
            "calculation": {
                "billed": self._money(told.billed),
                "kept": self._money(told.kept),
                "active": told.active,
                "total": told.total,
                "unit": told.unit,
                "text": words.adjustment(adjustment, self._agreement),
            },
        }

    def _amount(self, adjustment: Adjustment) -> Written:
        credit = (adjustment.amount.gross, adjustment.amount.tax) > (0, 0)
        amount = adjustment.amount if credit else -adjustment.amount
        return {
            "direction": "credit" if credit else "debit",
            "amount": self._money(amount.gross),
            "tax_amount": self._money(amount.tax),
        }

    def _shown(self, adjustment: Adjustment, *, settled: bool) -> Written:
        charged = _charged(adjustment)
        return {
            "adjustment_id": adjustment.adjustment_id,
            "sequence": adjustment.sequence,
            "charge_id": charged["charge_id"],
            "invoice_id": charged["invoice_id"],
            **self._amount(adjustment),
            "cause": adjustment.cause,
            "state": "settled" if settled else "open",
            "text": words.adjustment(adjustment, self._agreement),
        }

    def _price(self, price: ShownPrice) -> Written:
        lines = [
            {"line_id": line.line_id, "amount": self._money(line.amount), **_given(description=line.description)}
            for line in price.lines
        ]
        return {"effective_date": price.effective_date, "lines": lines, "state": price.state}

    def _charge(self, settled: Settled) -> Written:
        charge = settled.charge
        counts = charge.kind != "credit" and charge.settles_adjustment_id is None
        return {
            "charge_id": None if charge.implied else charge.charge_id,
            "invoice_id": None if charge.implied else charge.invoice_id,
            "line_id": charge.line_id,
            "kind": charge.kind,
            "period": None if charge.window is None else self._period(charge.window),
            "state": charge.state,
            "amount": self._money(settled.full.gross),
            "billed": self._money(charge.billed.gross if counts else 0),
            "kept": self._money(settled.kept.gross if counts else 0),
            "credited": self._money(settled.credit.gross),
            "credited_by_others": self._money(settled.credited_by_others.gross),
        }


_ENDLESS: Written = {"end_date": None, "last_active_day": None, "access_ends_at": None}


def _head(
    tenant_id: str, subscription_id: str, customer_id: str | None, cancellation_id: str | None, sequence: int
) -> Written:
    return {
        "tenant_id": tenant_id,
        "subscription_id": subscription_id,
        "customer_id": customer_id,
        "cancellation_id": cancellation_id,
        "sequence": sequence,
    }


def _rejected(head: Written, body: domain.Rejected, language: Language) -> Written:
    text = words.rejected(language, body.code)
    said = {"code": body.code, "message": body.message, "rejected_type": body.rejected_type}
    return {**head, "text": text, **said}


def _how(end: End) -> Written:
    return {"mode": end.mode, "settlement": end.settlement}


def _charged(adjustment: Adjustment) -> Written:
    """What an adjustment puts right; charges that are implied have ids of ours only."""
    charge_id = adjustment.charge_id if adjustment.invoice_id else None
    return {"invoice_id": adjustment.invoice_id or None, "charge_id": charge_id}


def _lines(lines: Sequence[str]) -> Written:
    return {"line_ids": lines} if lines else {}


def _given(**fields: object) -> Written:
    """The fields that have a value; the others are left out."""
    return {name: value for name, value in fields.items() if value is not None}


def _period_shown(period: ShownPeriod) -> Written:
    shortened = {} if period.shortened_to is None else {"shortened_to": period.shortened_to}
    return {"start": period.start, "end": period.end, "state": period.state, **shortened}


def _pause(pause: ShownPause) -> Written:
    return {
        "pause_id": pause.pause_id,
        "effective_date": pause.effective_date,
        "resume_date": pause.resume_date,
        "effect": pause.effect,
        "state": pause.state,
    }


def _entry(entry: Entry) -> Written:
    written: Written = {
        "type": entry.type,
        "event_id": entry.event_id,
        "time": entry.time,
        "recorded_at": entry.recorded_at,
    }
    if entry.effective_date is not None:
        written["effective_date"] = entry.effective_date
    if entry.refused is not None:
        written["refused"] = entry.refused
    return written


def _length(period: Written) -> int:
    """Days of a period of dates, seconds of one of instants."""
    length: timedelta = period["end"] - period["start"]
    return int(length.total_seconds()) if isinstance(period["start"], datetime) else length.days
