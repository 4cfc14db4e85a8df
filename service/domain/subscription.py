"""The fold: a subscription as its facts leave it, and what has been published about it.

Nothing is forgotten that a later fact could need: every statement of a charge and every accepted
command stays, so that the rule can be run again. What can be derived (the end, what is kept, the
status) is not stored.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cached_property
from itertools import zip_longest
from typing import Literal, TypeAlias

from service.domain.course import Cancellation, Course, Ordered, courses
from service.domain.ends import Asked, End, earlier, resolve
from service.domain.facts import (
    Activated,
    ChargeLine,
    Fact,
    InvoicePaid,
    InvoiceStated,
    InvoiceVoided,
    Kind,
    Line,
    Paused,
    PriceChanged,
    Renewed,
    Resumed,
)
from service.domain.money import ZERO, Amount
from service.domain.periods import Period, Schedule, apart, local_date, whole_days
from service.domain.policy import Language, Proration, Rules, Settlement

Cause: TypeAlias = Literal["cancelled", "moved", "revoked", "late-invoice", "correction"]


@dataclass(frozen=True, slots=True)
class Statement:
    """What the invoicing side said a charge costs, and when it said so."""

    time: datetime
    state: Literal["planned", "issued"]
    amount: Amount


@dataclass(frozen=True, slots=True)
class Charge:
    """One charge of an invoice with every statement made of it, oldest first.

    `window` is the local days it is for, `instants` the same where it was given to the second. One
    that is implied was not reported by anybody and has ids of ours only.
    """

    charge_id: str
    invoice_id: str
    line_id: str | None
    kind: Kind
    window: Period | None
    taxed: bool
    statements: tuple[Statement, ...]
    instants: tuple[datetime, datetime] | None = None
    implied: bool = False
    voided: bool = False
    corrects_charge_id: str | None = None
    settles_adjustment_id: str | None = None

    @property
    def state(self) -> Literal["planned", "issued", "voided"]:
        """Where it stands: only an issued charge is billed."""
        return "voided" if self.voided else self.statements[-1].state

    @property
    def stated(self) -> Amount:
        """What it costs by the last statement."""
        return self.statements[-1].amount

    @property
    def billed(self) -> Amount:
        """What the customer has been billed: nothing while it is planned, nothing once it is void."""
        return self.stated if self.state == "issued" else Amount()


@dataclass(frozen=True, slots=True)
class Calculation:
    """How an adjustment came about, by what was known when it was decided; amounts are gross, in minor units.

    Attributes:
        language: what the customer was told of it in.
        period: the days the charge is for.
        full: what it costs when nothing ends.
        billed: what its invoice says.
        kept: what the customer owes for it.
        given: what had been adjusted for it before, in sum, with the sign of the adjustments.
        credited_by_others: what others had credited for it.
        active: the days or seconds of it that are paid for, whatever each of them costs.
        total: all the days or seconds it is for.
        unit: which of the two they are.
        settlement: how the period that holds the end is paid; None while nothing ends.
        voided: whether its invoice counts no more.
    """

    language: Language
    period: Period | None
    full: int
    billed: int
    kept: int
    given: int
    credited_by_others: int
    active: int
    total: int
    unit: Proration
    settlement: Settlement | None
    voided: bool


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A published adjustment: `amount` positive gives back, negative takes back what was given.

    Offset and refundable are parts of the gross amount, with its sign.
    """

    adjustment_id: str
    sequence: int
    charge_id: str
    invoice_id: str
    amount: Amount
    offset: int
    refundable: int
    cause: Cause
    reverses_adjustment_id: str | None
    calculation: Calculation
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class Level:
    """The amount last published for a charge, and the full value it was a part of."""

    amount: Amount
    full: Amount


Stretch: TypeAlias = tuple[Period, str]
"""A billing period of one line; charges that name no line, or one nobody has told of, are on the line `""`."""


@dataclass(frozen=True, slots=True)
class Ends:
    """The ends in force from each instant on: of the whole, and of the lines that have one of their own."""

    history: tuple[tuple[datetime, End | None, dict[str, End]], ...]

    @property
    def whole(self) -> End | None:
        """The end of the whole that is in force now."""
        return self.history[-1][1] if self.history else None

    @property
    def lines(self) -> dict[str, End]:
        """The ends of their own that lines have now."""
        return self.history[-1][2] if self.history else {}

    @property
    def earliest(self) -> End | None:
        """The earliest end that has ever held for anything."""
        found: End | None = None
        for _, whole, lines in self.history:
            for end in (whole, *lines.values()):
                found = earlier(found, end)
        return found

    def of(self, line: str) -> End | None:
        """The end that holds for a line now: its own, but never later than that of the whole."""
        return earlier(self.whole, self.lines.get(line))

    def over(self, line: str) -> list[tuple[datetime, datetime | None, End | None]]:
        """Every end that has held for a line: from when, until when (None: still), and the end."""
        held = [(since, earlier(whole, lines.get(line))) for since, whole, lines in self.history]
        following = [since for since, _ in held[1:]]
        return [(since, until, end) for (since, end), until in zip_longest(held, following)]


@dataclass(frozen=True, slots=True)
class Told:
    """What has been published: the other side of every subtraction.

    `end` is that of the whole, `line_ends` those of single lines. `cuts` holds each shortened period
    of a line with the instant it was shortened to, `stopped` the renewals of a line published as
    cancelled, `levels` what was last published of each charge.
    """

    sequence: int = 0
    end: End | None = None
    line_ends: dict[str, End] = field(default_factory=dict)
    cuts: tuple[tuple[Stretch, datetime], ...] = ()
    stopped: tuple[Stretch, ...] = ()
    levels: dict[str, Level] = field(default_factory=dict)
    adjustments: tuple[Adjustment, ...] = ()
    ended: bool = False

    def given(self, charge_id: str) -> Amount:
        """Credits less debits published for a charge."""
        return sum((a.amount for a in self.adjustments if a.charge_id == charge_id), ZERO)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the history: what came in, when it happened, when it was recorded, and what was answered."""

    type: str
    event_id: str
    time: datetime
    recorded_at: datetime
    effective_date: date | None = None
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause, open until it is resumed; `resumes` holds every resume date told of it, with when it became known."""

    pause_id: str
    effective_date: date
    effect: Literal["not-charged", "charged", "extends-period"]
    resumes: tuple[tuple[datetime, date | None], ...]

    @property
    def known_at(self) -> datetime:
        """When the pause became known at its source."""
        return self.resumes[0][0]

    @property
    def resume_date(self) -> date | None:
        """The first day that is not paused any more, by what was told last."""
        return self.resumes[-1][1]

    @property
    def days(self) -> Period:
        """The paused days; without a resume date all that follow."""
        return Period(self.effective_date, self.resume_date or date.max)

    def resume_date_known(self, instant: datetime) -> date | None:
        """The resume date as it was known at an instant."""
        return next((day for known_at, day in reversed(self.resumes) if known_at <= instant), None)


@dataclass(frozen=True, slots=True)
class Price:
    """A price list in force from a date on. `known_at` is when it became known at its source."""

    effective_date: date
    lines: tuple[Line, ...]
    known_at: datetime

    def of(self, line_id: str | None) -> int:
        """The price of a line per period in minor units; of all lines together for a charge that names none."""
        return sum(line.amount for line in self.lines if line_id in {None, line.line_id})


@dataclass(frozen=True)
class Subscription:
    """The state of one subscription. What is derived from it is worked out once, when it is first asked for."""

    tenant_id: str
    subscription_id: str
    agreement: Activated
    renewals: tuple[Period, ...] = ()
    prices: tuple[Price, ...] = ()
    pauses: tuple[Pause, ...] = ()
    charges: dict[str, Charge] = field(default_factory=dict)
    paid: dict[str, int] = field(default_factory=dict)
    commands: tuple[Ordered, ...] = ()
    entries: tuple[Entry, ...] = ()
    told: Told = field(default_factory=Told)

    @cached_property
    def courses(self) -> list[tuple[datetime, Course]]:
        """What was in force from each command on, oldest first."""
        return courses(self.commands)

    @property
    def course(self) -> Course:
        """The cancellations in force."""
        return self.courses[-1][1] if self.courses else Course()

    @property
    def cancellation_id(self) -> str | None:
        """The cancellation that outcomes speak of: the one requested last."""
        ids = [ordered.command.cancellation_id for ordered in self.commands if ordered.command.action == "request"]
        return ids[-1] if ids else None

    @cached_property
    def line_ids(self) -> tuple[str, ...]:
        """Every line there is or has been, in the order they came."""
        return tuple(dict.fromkeys(line.line_id for price in self.price_lists for line in price.lines))

    @cached_property
    def price_lists(self) -> tuple[Price, ...]:
        """The price agreed on and every change of it, by the date they take effect."""
        agreed = Price(self.agreement.start_date, self.agreement.lines, datetime.min.replace(tzinfo=UTC))
        return (agreed, *self.prices)

    @cached_property
    def extensions(self) -> tuple[Pause, ...]:
        """The pauses that move the ends of periods."""
        return tuple(pause for pause in self.pauses if pause.effect == "extends-period")

    def calendar(self, day: date) -> Schedule:
        """The billing periods, the trial before them and the pauses that move their ends: an open one until a day."""
        if not self.extensions:
            return self._uninterrupted
        return self._calendar({p: p.resume_date or max(day, p.effective_date) for p in self.extensions})

    def calendar_as_known(self, instant: datetime) -> Schedule:
        """The same as it was to be foreseen at an instant."""
        if not self.extensions:
            return self._uninterrupted
        return self._calendar({p: p.resume_date_known(instant) or p.effective_date for p in self.extensions})

    @cached_property
    def _uninterrupted(self) -> Schedule:
        return self._calendar({})

    def _calendar(self, resumed: dict[Pause, date]) -> Schedule:
        agreement, first = self.agreement, self.agreement.start_date
        paid_from = max(first, agreement.trial_end_date or first)
        stops = apart(Period(max(pause.effective_date, first), until) for pause, until in resumed.items())
        return Schedule(
            start=paid_from,
            interval=agreement.interval,
            anchor_day=agreement.anchor_day,
            trial_start=first if first < paid_from else None,
            stops=stops,
        )

    def ends(self, rules: Rules) -> Ends:
        """Every end that has been in force, for the whole and for each line with one of its own."""
        found = self.courses
        resolved = {id(c): self.resolve(c, rules) for _, course in found for c in course.in_force}
        history = [
            (since, resolved.get(id(course.whole)), {line: resolved[id(own)] for line, own in course.lines.items()})
            for since, course in found
        ]
        if self.told.ended and history:  # sealed: nothing learnt later moves any
            history[-1] = (history[-1][0], self.told.end, self.told.line_ends)
        return Ends(tuple(history))

    def resolve(self, cancellation: Cancellation, rules: Rules) -> End:
        """The end a cancellation means for this subscription, by the policy in force when it was asked for."""
        command, asked_at = cancellation.last.command, cancellation.last.time
        assert command.end is not None, "what is in force has an end"  # noqa: S101  a bug, not input
        policy, terms = rules.at(asked_at), self.agreement.terms
        asked = Asked(
            wish=command.end,
            at=asked_at,
            policy=policy,
            invoiced_until=self._invoiced_until(asked_at) if command.end.mode == "end-of-invoiced" else None,
            bound=command.override is None,
            settlement=cancellation.settlement
            or (terms.settlement if terms is not None else None)
            or policy.settlement,
        )
        return resolve(self.agreement, self.calendar(local_date(asked_at, self.agreement.time_zone)), asked)

    def _invoiced_until(self, instant: datetime) -> date | None:
        """How far recurring charges had been issued by then."""
        ends = [
            charge.window.end
            for charge in self.charges.values()
            if charge.kind == "recurring"
            and charge.window is not None
            and not charge.voided
            and any(statement.state == "issued" and statement.time <= instant for statement in charge.statements)
        ]
        return max(ends, default=None)

    @property
    def carried_out(self) -> set[str]:
        """The adjustments that the invoicing side has carried out with a charge of its own."""
        return {c.settles_adjustment_id for c in self.charges.values() if c.settles_adjustment_id and c.billed}

    @property
    def open_adjustments(self) -> list[Adjustment]:
        """The published adjustments that nobody has carried out yet, oldest first."""
        done = self.carried_out
        return [adjustment for adjustment in self.told.adjustments if adjustment.adjustment_id not in done]

    def of_invoice(self, invoice_id: str) -> list[Charge]:
        """The charges that stand on an invoice."""
        return [charge for charge in self.charges.values() if charge.invoice_id == invoice_id]


def evolve(subscription: Subscription, fact: Fact, time: datetime) -> Subscription:
    """The subscription after one more fact. Facts of one source come in order; a repeat changes nothing."""
    match fact:
        case InvoiceStated():
            stated = {line.charge_id: _stated(subscription, fact, line, time) for line in fact.charges}
            fresh = {number for number, charge in stated.items() if charge is not subscription.charges.get(number)}
            return _overtaken(replace(subscription, charges={**subscription.charges, **stated}), fresh)
        case InvoicePaid():
            return replace(subscription, paid={**subscription.paid, fact.invoice_id: fact.paid})
        case InvoiceVoided():
            voided = {
                charge.charge_id: replace(charge, voided=True) for charge in subscription.of_invoice(fact.invoice_id)
            }
            return _overtaken(replace(subscription, charges={**subscription.charges, **voided}), set(voided))
        case Renewed():
            period = whole_days(fact.start, fact.end, subscription.agreement.time_zone)
            return replace(subscription, renewals=tuple(sorted({*subscription.renewals, period})))
        case PriceChanged():
            others = [price for price in subscription.prices if price.effective_date != fact.effective_date]
            price = Price(fact.effective_date, fact.lines, time)
            prices = sorted([*others, price], key=lambda price: price.effective_date)
            return replace(subscription, prices=tuple(prices))
        case Paused():
            paused = Pause(fact.pause_id, fact.effective_date, fact.effect, ((time, fact.resume_date),))
            rest = [pause for pause in subscription.pauses if pause.pause_id != fact.pause_id]
            return replace(subscription, pauses=(*rest, paused))
        case Resumed():
            pauses = tuple(
                replace(pause, resumes=(*pause.resumes, (time, fact.effective_date)))
                if pause.pause_id == fact.pause_id
                else pause
                for pause in subscription.pauses
            )
            return replace(subscription, pauses=pauses)
        case Activated():
            return replace(subscription, agreement=fact)


def accept(subscription: Subscription, ordered: Ordered, entry: Entry) -> Subscription:
    """The subscription after a command that was judged acceptable."""
    return replace(subscription, commands=(*subscription.commands, ordered), entries=(*subscription.entries, entry))


def _overtaken(subscription: Subscription, charge_ids: set[str]) -> Subscription:
    """Drops what was published of charges that others have overtaken since, so that it is published anew.

    A void overtakes it, and so does a plan at anything else than what we published, and an invoice
    at a price that neither obeys nor ignores us.
    """
    levels = {
        charge_id: level
        for charge_id, level in subscription.told.levels.items()
        if charge_id not in charge_ids or _still_holds(subscription.charges[charge_id], level)
    }
    return replace(subscription, told=replace(subscription.told, levels=levels))


def _still_holds(charge: Charge, level: Level) -> bool:
    match charge.state:
        case "voided":
            return False
        case "planned":
            return charge.stated == level.amount
        case "issued":
            return charge.stated in {level.amount, level.full}


def _stated(subscription: Subscription, fact: InvoiceStated, line: ChargeLine, time: datetime) -> Charge:
    """A charge after one more statement of it.

    A void is undone by stating the charge again, from the beginning. A plan that arrives once the
    charge is issued is stale, and saying the same again adds nothing.
    """
    before = subscription.charges.get(line.charge_id)
    if before is not None and before.state == "issued" and fact.state == "planned":
        return before
    earlier = () if before is None or before.voided else before.statements
    if before is not None and (time, fact.state, line.amount) in {(s.time, s.state, s.amount) for s in earlier}:
        return before
    statement = Statement(time, fact.state, line.amount)
    if earlier and (earlier[-1].state, earlier[-1].amount) == (statement.state, statement.amount):
        earlier = earlier[:-1]
    window = _window(before if earlier else None, line, subscription.agreement.time_zone)
    instants = before.instants if before is not None and before.window == window else _instants(line)
    return Charge(
        charge_id=line.charge_id,
        invoice_id=fact.invoice_id,
        line_id=line.line_id,
        kind=line.kind,
        window=window,
        instants=instants,
        taxed=line.taxed,
        statements=(*earlier, statement),
        corrects_charge_id=line.corrects_charge_id,
        settles_adjustment_id=line.settles_adjustment_id,
    )


def _window(before: Charge | None, line: ChargeLine, time_zone: str) -> Period | None:
    """The days a charge is for. An invoice that obeys states the shortened period; the charge's own stays the first."""
    if line.start is None or line.end is None:
        return None
    stated = whole_days(line.start, line.end, time_zone)
    earlier = before.window if before is not None else None
    return max(earlier, stated) if earlier is not None and earlier.start == stated.start else stated


def _instants(line: ChargeLine) -> tuple[datetime, datetime] | None:
    """The instants a charge was given for, if it was."""
    if isinstance(line.start, datetime) and isinstance(line.end, datetime):
        return line.start, line.end
    return None
