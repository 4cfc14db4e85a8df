"""The rule: what the facts say the customer owes, charge by charge.

    credit(charge) = billed - kept - what others credited, which never turns it into a debit

* `full` is what the charge would have cost without us: the first plan of it, or what was billed
  where that differs for reasons of the invoicing side's own.
* `kept` is `full` times active days over all days of the charge's own window, half up.
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

from service.domain.ends import End, Limits, schedule
from service.domain.money import ZERO, Amount
from service.domain.periods import Period, start_of_day
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


def settle(subscription: Subscription, now: datetime, limits: Limits) -> Settlement:
    """The rule applied to all facts known. `now` decides only whether the last period has begun."""
    ends = subscription.ends(limits)
    end = ends[-1][1] if ends else None
    others = _credited_by_others(subscription)
    charges = {
        charge.charge_id: _settled(charge, ends, end, others.get(charge.charge_id, ZERO))
        for charge in subscription.charges.values()
    }
    if end is None:
        return Settlement(None, charges, (), ())
    reported = {charge.window for charge in subscription.charges.values() if divisible(charge)}
    periods = {window for window in reported if window is not None} | set(subscription.renewals)
    agreed = schedule(subscription.agreement)
    last = agreed.containing(end.end_date)
    if start_of_day(last.start, subscription.agreement.time_zone) <= now:
        periods.add(last)
    periods.add(agreed.from_date(end.end_date))
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


def _settled(charge: Charge, ends: Sequence[tuple[datetime, End | None]], end: End | None, others: Amount) -> Settled:
    full = _full_value(charge, ends)
    active, total = _days(charge, end)
    kept = _kept(charge, full, end)
    credit = charge.billed.beyond(kept, others) if charge.state == "issued" else ZERO
    return Settled(charge, full, kept, others, credit, active, total)


def _days(charge: Charge, end: End | None) -> tuple[int, int]:
    """Active and total days of a charge; (1, 1) for one that is not for time."""
    if charge.window is None or not divisible(charge):
        return 1, 1
    total = charge.window.days
    return (total if end is None else charge.window.days_before(end.end_date)), total


def _kept(charge: Charge, full: Amount, end: End | None) -> Amount:
    if charge.voided:
        return ZERO
    active, total = _days(charge, end)
    return full.share(active, total)


def _full_value(charge: Charge, ends: Sequence[tuple[datetime, End | None]]) -> Amount:
    """What a charge would have cost without us: its first statement, unless a later one is another price.

    A later statement that is lower is ours when it was drawn up under a shortening of ours. One that
    is lower without, or higher, is a price of the invoicing side's own.
    """
    if charge.voided:
        return ZERO
    first = charge.statements[0]
    full = first.amount
    for statement in charge.statements[1:]:
        lower = statement.amount.gross < full.gross
        if not (lower and _ours(charge, full, first, statement, ends)):
            full = statement.amount
    return full


def _ours(
    charge: Charge,
    full: Amount,
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
        and _kept(charge, full, end) != full
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
