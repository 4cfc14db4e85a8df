"""The rule: what the facts say the customer owes, charge by charge.

    credit(charge) = billed - kept - what others credited, which never turns it into a debit

* `full` is what the charge would have cost without us: the first plan of it, or what was billed
  where that differs for reasons of the invoicing side's own.
* `kept` is `full` times active days over all days of the charge's own window (see `proration`), or
  all or nothing of it where that is the settlement agreed for the period that holds the end.
* What an invoice left out because we had published the charge shortened (`full - billed`) is
  carried out already. When the end moves out again, more is kept than was billed and the credit is
  negative: a debit.
* What others credited for the charge is so much less for us to credit, whenever it came. It is
  never a reason to debit what they gave.

Only recurring charges are divided; one-off and usage charges are kept whole. A charge that starts
on or after the end is kept for nothing, by the same formula. Without a cancellation in force
everything is kept, so all that was published is taken back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest

from service.domain.ends import End
from service.domain.money import ZERO, Amount
from service.domain.periods import Period, start_of_day
from service.domain.policy import Rules
from service.domain.proration import WHOLE, Portion, portion
from service.domain.subscription import Charge, Statement, Subscription


@dataclass(frozen=True, slots=True)
class Settled:
    """What the rule says of one charge; `credit` negative is a debit. Active and total are days."""

    charge: Charge
    full: Amount
    kept: Amount
    credited_by_others: Amount
    credit: Amount
    active: int
    total: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """What the facts say of a whole subscription.

    `cuts` are the periods shortened to the end date, `stopped` the renewals that do not come.
    """

    end: End | None
    charges: dict[str, Settled]
    cuts: tuple[Period, ...]
    stopped: tuple[Period, ...]


def settle(subscription: Subscription, now: datetime, rules: Rules) -> Settlement:
    """The rule applied to all facts known. `now` decides only whether the last period has begun."""
    ends = subscription.ends(rules)
    end = ends[-1][1] if ends else None
    others = _credited_by_others(subscription)
    charges = {
        charge.charge_id: _settled(subscription, charge, ends, others.get(charge.charge_id, ZERO))
        for charge in subscription.charges.values()
    }
    if end is None:
        return Settlement(None, charges, (), ())
    reported = {charge.window for charge in subscription.charges.values() if divisible(charge)}
    periods = {window for window in reported if window is not None} | set(subscription.renewals)
    calendar = subscription.calendar
    last = calendar.containing(end.end_date)
    if start_of_day(last.start, subscription.agreement.time_zone) <= now:
        periods.add(last)
    periods.add(calendar.from_date(end.end_date))
    return Settlement(
        end=end,
        charges=charges,
        cuts=tuple(sorted(period for period in periods if period.cut_by(end.end_date))),
        stopped=tuple(sorted(period for period in periods if period.start >= end.end_date)),
    )


def divisible(charge: Charge) -> bool:
    """Whether a charge is for time, and alive, so that an end can divide it."""
    ours = charge.settles_adjustment_id is not None
    return charge.kind == "recurring" and charge.window is not None and not charge.voided and not ours


def _settled(
    subscription: Subscription, charge: Charge, ends: Sequence[tuple[datetime, End | None]], others: Amount
) -> Settled:
    full, drawn_at = _full_value(subscription, charge, ends)
    kept, part = _kept(subscription, charge, full, drawn_at, ends[-1][1] if ends else None)
    credit = charge.billed.beyond(kept, others) if charge.state == "issued" else ZERO
    return Settled(charge, full, kept, others, credit, part.active, part.total)


def _kept(
    subscription: Subscription, charge: Charge, full: Amount, drawn_at: datetime, end: End | None
) -> tuple[Amount, Portion]:
    """What is kept of a charge under an end, and the days that says of how many."""
    if charge.voided:
        return ZERO, WHOLE
    if end is None or charge.window is None or not divisible(charge):
        return full, WHOLE if charge.window is None else _all_of(charge.window)
    if charge.window.end <= subscription.calendar.containing(end.last_active_day).start:
        return full, _all_of(charge.window)  # closed while the subscription lived
    part = portion(subscription, charge, charge.window, drawn_at, end.end_date)
    zone = subscription.agreement.time_zone
    inside = charge.window.start < end.end_date and end.access_ends_at < start_of_day(charge.window.end, zone)
    match end.settlement:
        case "full-period" if charge.window.start < end.end_date:
            return full, part
        case "refund-period" if inside:
            return ZERO, part
        case _:
            return full.share(part.earned, part.worth, end.rounding), part


def _all_of(window: Period) -> Portion:
    return Portion(window.days, window.days)


def _full_value(
    subscription: Subscription, charge: Charge, ends: Sequence[tuple[datetime, End | None]]
) -> tuple[Amount, datetime]:
    """What a charge would have cost without us, and when it was drawn up so.

    Its first statement, unless a later one is another price. A later statement that is lower is ours
    when it was drawn up under a shortening of ours. One that is lower without, or higher, is a price
    of the invoicing side's own.
    """
    first = charge.statements[0]
    full, drawn_at = first.amount, first.time
    for statement in charge.statements[1:]:
        lower = statement.amount.gross < full.gross
        if statement.amount != full and not (
            lower and _ours(subscription, charge, (full, drawn_at), first, statement, ends)
        ):
            full, drawn_at = statement.amount, statement.time
    return (ZERO if charge.voided else full), drawn_at


def _ours(
    subscription: Subscription,
    charge: Charge,
    value: tuple[Amount, datetime],
    first: Statement,
    statement: Statement,
    ends: Sequence[tuple[datetime, End | None]],
) -> bool:
    """Whether a lower statement was drawn up under a shortening of ours.

    By the events' own times: an end that shortens the charge was in force while the statement was on
    its way. Where the clocks of the sources disagree about that, an amount that is to the minor unit
    what we had published is taken for it, if anything had been asked by then.
    """
    following = [since for since, _ in ends[1:]]
    return any(
        since <= statement.time
        and (statement.followed or until is None or until > first.time)
        and _kept(subscription, charge, *value, end)[0] != value[0]
        for (since, end), until in zip_longest(ends, following)
    )


def _credited_by_others(subscription: Subscription) -> dict[str, Amount]:
    """Credits given besides ours, by the charge they correct. One that settles an adjustment of ours is ours."""
    credited: dict[str, Amount] = defaultdict(Amount)
    for charge in subscription.charges.values():
        corrects, ours = charge.corrects_charge_id, charge.settles_adjustment_id
        if charge.kind == "credit" and corrects is not None and ours is None:
            credited[corrects] = credited[corrects] + charge.billed
    return credited
