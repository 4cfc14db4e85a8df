"""The fold: a subscription as its facts leave it, and what has been published about it.

Nothing is forgotten that a later fact could need: every statement of a charge and every accepted
command stays, so that the rule can be run again. What can be derived (the end, what is kept, the
status) is not stored.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Literal, TypeAlias

from service.domain.ends import Asked, End, resolve
from service.domain.facts import (
    Activated,
    ChargeLine,
    Command,
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
)
from service.domain.money import Amount
from service.domain.periods import Period, Schedule, apart, whole_days
from service.domain.policy import Rules, Settlement

Cause: TypeAlias = Literal["cancelled", "moved", "revoked", "late-invoice", "correction"]


@dataclass(frozen=True, slots=True)
class Statement:
    """What the invoicing side said a charge costs, and when it said so.

    `followed` tells that it came to exactly what we had published for the charge by then.
    """

    time: datetime
    state: Literal["planned", "issued"]
    amount: Amount
    followed: bool = False


@dataclass(frozen=True, slots=True)
class Charge:
    """One charge of an invoice with every statement made of it, oldest first."""

    charge_id: str
    invoice_id: str
    line_id: str | None
    kind: Kind
    window: Period | None
    taxed: bool
    statements: tuple[Statement, ...]
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
    def due(self) -> Amount | None:
        """What it is to cost as things stand; None once it is void."""
        return None if self.voided else self.stated

    @property
    def billed(self) -> Amount:
        """What the customer has been billed: nothing while it is planned, nothing once it is void."""
        return self.stated if self.state == "issued" else Amount()


@dataclass(frozen=True, slots=True)
class Ordered:
    """An accepted command with both its times."""

    command: Command
    time: datetime
    recorded_at: datetime


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
    text: str
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class Level:
    """The amount last published for a charge, and the full value it was a part of."""

    amount: Amount
    full: Amount


@dataclass(frozen=True, slots=True)
class Told:
    """What has been published: the other side of every subtraction.

    `cuts` holds each shortened period with the date it was shortened to, `stopped` the renewals
    published as cancelled, `levels` what was last published of each charge.
    """

    sequence: int = 0
    end: End | None = None
    cuts: tuple[tuple[Period, date], ...] = ()
    stopped: tuple[Period, ...] = ()
    levels: dict[str, Level] = field(default_factory=dict)
    adjustments: tuple[Adjustment, ...] = ()
    ended: bool = False


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
    """A pause, open until it is resumed. `known_at` is when it became known at its source."""

    pause_id: str
    effective_date: date
    resume_date: date | None
    effect: Literal["not-charged", "charged", "extends-period"]
    known_at: datetime

    @property
    def days(self) -> Period:
        """The paused days; without a resume date all that follow."""
        return Period(self.effective_date, self.resume_date or date.max)


@dataclass(frozen=True, slots=True)
class Price:
    """A price list in force from a date on. `known_at` is when it became known at its source."""

    effective_date: date
    lines: tuple[Line, ...]
    known_at: datetime

    def of(self, line_id: str | None) -> int:
        """The price of a line per period in minor units; of all lines together for a charge that names none."""
        return sum(line.amount for line in self.lines if line_id in {None, line.line_id})


@dataclass(frozen=True, slots=True)
class Subscription:
    """The state of one subscription."""

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

    @property
    def cancellation_id(self) -> str | None:
        """The id the last accepted request came with: the cancellation that outcomes speak of."""
        ids = [ordered.command.cancellation_id for ordered in self.commands if ordered.command.action == "request"]
        return ids[-1] if ids else None

    @property
    def in_force(self) -> bool:
        """Whether a cancellation is in force."""
        return bool(self.commands) and self.commands[-1].command.action != "revoke"

    @property
    def price_lists(self) -> tuple[Price, ...]:
        """The price agreed on and every change of it, by the date they take effect."""
        agreed = Price(self.agreement.start_date, self.agreement.lines, datetime.min.replace(tzinfo=UTC))
        return (agreed, *self.prices)

    @property
    def calendar(self) -> Schedule:
        """The billing periods, a trial before them and the pauses that move their ends."""
        agreement, trial_end = self.agreement, self.agreement.trial_end_date
        on_trial = trial_end is not None and trial_end > agreement.start_date
        stops = [p.days for p in self.pauses if p.effect == "extends-period" and p.resume_date is not None]
        return Schedule(
            start=trial_end if on_trial and trial_end is not None else agreement.start_date,
            interval=agreement.interval,
            anchor_day=agreement.anchor_day,
            trial=Period(agreement.start_date, trial_end) if on_trial and trial_end is not None else None,
            stops=apart(stops),
        )

    def ends(self, rules: Rules) -> list[tuple[datetime, End | None]]:
        """Every end that has been in force, oldest first, each from the time it was asked for; None is a revoke."""
        return [
            (
                ordered.time,
                None if ordered.command.end is None else self.resolve(ordered.command, ordered.time, rules),
            )
            for ordered in self.commands
        ]

    def resolve(self, command: Command, asked_at: datetime, rules: Rules) -> End:
        """The end a command means for this subscription; the command has one."""
        assert command.end is not None, "a revoke has no end to resolve"  # noqa: S101  a bug, not input
        policy, terms = rules.at(asked_at), self.agreement.terms
        asked = Asked(
            wish=command.end,
            at=asked_at,
            policy=policy,
            invoiced_until=self._invoiced_until(asked_at),
            bound=command.override is None,
            settlement=command.settlement
            or self._requested_settlement(command, asked_at)
            or (terms.settlement if terms is not None else None)
            or policy.settlement,
        )
        return resolve(self.agreement, self.calendar, asked)

    def _requested_settlement(self, command: Command, asked_at: datetime) -> Settlement | None:
        """What the cancellation that a command moves was requested with."""
        named: Settlement | None = None
        for ordered in self.commands:
            if ordered.time > asked_at or ordered.command == command:
                break
            named = None if ordered.command.action == "revoke" else ordered.command.settlement or named
        return named

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

    def of_invoice(self, invoice_id: str) -> list[Charge]:
        """The charges that stand on an invoice."""
        return [charge for charge in self.charges.values() if charge.invoice_id == invoice_id]


def evolve(subscription: Subscription, fact: Fact, time: datetime) -> Subscription:
    """The subscription after one more fact. Facts of one source come in order; a repeat changes nothing."""
    match fact:
        case InvoiceStated():
            stated = {line.charge_id: _stated(subscription, fact, line, time) for line in fact.charges}
            redrawn = {
                number
                for number, charge in stated.items()
                if charge.state == "planned" and charge is not subscription.charges.get(number)
            }
            return _overtaken(replace(subscription, charges={**subscription.charges, **stated}), redrawn)
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
            paused = Pause(fact.pause_id, fact.effective_date, fact.resume_date, fact.effect, time)
            rest = [pause for pause in subscription.pauses if pause.pause_id != fact.pause_id]
            return replace(subscription, pauses=(*rest, paused))
        case Resumed():
            pauses = tuple(
                replace(pause, resume_date=fact.effective_date) if pause.pause_id == fact.pause_id else pause
                for pause in subscription.pauses
            )
            return replace(subscription, pauses=pauses)
        case Activated():
            return replace(subscription, agreement=fact)


def accept(subscription: Subscription, command: Command, received: Received) -> Subscription:
    """The subscription after a command that was judged acceptable."""
    ordered = Ordered(command, received.time, received.recorded_at)
    return replace(subscription, commands=(*subscription.commands, ordered))


def _overtaken(subscription: Subscription, charge_ids: set[str]) -> Subscription:
    """Drops what was published of charges that a void or another plan has overtaken, so that it is published anew."""
    levels = {
        charge_id: level
        for charge_id, level in subscription.told.levels.items()
        if charge_id not in charge_ids or level.amount == subscription.charges[charge_id].due
    }
    return replace(subscription, told=replace(subscription.told, levels=levels))


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
    told = subscription.told.levels.get(line.charge_id)
    statement = Statement(time, fact.state, line.amount, followed=told is not None and told.amount == line.amount)
    if earlier and (earlier[-1].state, earlier[-1].amount) == (statement.state, statement.amount):
        earlier = earlier[:-1]
    return Charge(
        charge_id=line.charge_id,
        invoice_id=fact.invoice_id,
        line_id=line.line_id,
        kind=line.kind,
        window=_window(before if earlier else None, line, subscription.agreement.time_zone),
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
    within = earlier is not None and earlier.start == stated.start and stated.end <= earlier.end
    return earlier if within else stated
