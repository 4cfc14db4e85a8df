"""Charges for a tenant whose invoicing reports none: each period that has begun counts as issued at its list price."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from service.domain.money import Amount, share
from service.domain.periods import Period, Schedule, start_of_day
from service.domain.policy import Rules
from service.domain.subscription import Adjustment, Charge, Ends, Statement, Subscription

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_NUMBERED = " #"
"""Stands between line and number in the id of a charge that is implied."""


def implied_charges(subscription: Subscription, ends: Ends, now: datetime, rules: Rules) -> dict[str, Charge]:
    """The charges a settlement can bear on: of each line, from the first period an end was in to the one that runs now.

    Each is drawn up as its period begins, by the policy, the prices and the pauses known by then, and
    goes by the period's number for ever after. In advance only: in arrears nothing has been issued
    of a period that has not ended. One that was adjusted and, by what is known now, never was issued
    counts as void.
    """
    end = ends.earliest
    if end is None or subscription.agreement.billing == "in-arrears":
        return {}
    adjusted = {a.charge_id: a for a in subscription.told.adjustments if a.charge_id not in subscription.charges}
    first = subscription.calendar(end.end_date).index(end.last_active_day)
    earliest = min([first, *(_number(charge_id) for charge_id in adjusted)])
    charges = {charge_id: _void(adjustment) for charge_id, adjustment in adjusted.items()}
    for number, begun, calendar in _begun(subscription, earliest, now) if rules.ever_implied else ():
        for line in subscription.line_ids if rules.at(begun).charges == "implied" else ():
            charge = _charge(subscription, line, number, begun, calendar)
            bears = number >= first or charge.charge_id in adjusted
            if bears and charge.stated and _issued(subscription, ends, charge):
                charges[charge.charge_id] = charge
    return charges


def _begun(subscription: Subscription, number: int, now: datetime) -> Iterator[tuple[int, datetime, Schedule]]:
    """Each paid period that has begun, from a number on: its own, the instant, and the calendar as known by then."""
    unpaused = subscription.calendar_as_known(_LONG_AGO)
    learnt = [known_at for pause in subscription.extensions for known_at, _ in pause.resumes]
    begun = _start(unpaused, number, subscription)
    while begun <= now:
        calendar = subscription.calendar_as_known(begun)
        begins = _start(calendar, number, subscription)
        if begins > begun:  # a pause known by then has put it off, unless more is learnt of it before
            begun = min([begins, *(known_at for known_at in learnt if known_at > begun)])
            continue
        yield number, begun, calendar
        number += 1
        begun = _start(unpaused, number, subscription)


def _start(calendar: Schedule, number: int, subscription: Subscription) -> datetime:
    return start_of_day(calendar.boundary(number), subscription.agreement.time_zone)


def _charge(subscription: Subscription, line: str, number: int, begun: datetime, calendar: Schedule) -> Charge:
    """A period of a line at the price in force as it begins; a first one that is shorter costs its share by days."""
    period = calendar.period(number)
    prices = [p for p in subscription.price_lists if p.effective_date <= period.start and p.known_at <= begun]
    amount = share(prices[-1].of(line), *calendar.fraction(period))
    return _implied(f"{line}{_NUMBERED}{number}", line, period, Statement(begun, "issued", Amount(amount)))


def _number(charge_id: str) -> int:
    return int(charge_id.rpartition(_NUMBERED)[2])


def _void(adjustment: Adjustment) -> Charge:
    """The charge that an adjustment was for, which never was."""
    line, _, _ = adjustment.charge_id.rpartition(_NUMBERED)
    statement = Statement(adjustment.decided_at, "issued", Amount())
    return replace(_implied(adjustment.charge_id, line, adjustment.calculation.period, statement), voided=True)


def _implied(charge_id: str, line: str, period: Period | None, statement: Statement) -> Charge:
    return Charge(charge_id, "", line, "recurring", period, taxed=False, statements=(statement,), implied=True)


def _issued(subscription: Subscription, ends: Ends, charge: Charge) -> bool:
    """Whether invoicing went by a period as it began: no end known by then stopped it."""
    assert charge.window is not None and charge.line_id is not None  # noqa: S101, PT018  it has just been drawn up
    begun = charge.statements[0].time
    known = [ordered.recorded_at <= begun for ordered in subscription.commands]
    held = [end for told, (_, _, end) in zip(known, ends.over(charge.line_id), strict=True) if told]
    end = held[-1] if held else None
    return end is None or charge.window.start < end.end_date
