"""Charges for a tenant whose invoicing reports none: each period that has begun counts as issued at its list price."""

from __future__ import annotations

from datetime import datetime

from service.domain.money import Amount, share
from service.domain.periods import Period, local_date, start_of_day
from service.domain.subscription import Charge, Ends, Statement, Subscription


def implied_charges(subscription: Subscription, ends: Ends, now: datetime) -> dict[str, Charge]:
    """The charges a settlement can bear on: of each line, from the first period an end was in to the one that runs now.

    In advance only: in arrears nothing has been issued of a period that has not ended. A renewal
    that had been published as cancelled before it would have begun was never issued.
    """
    end = ends.earliest
    if end is None or subscription.agreement.billing == "in-arrears":
        return {}
    calendar, today = subscription.calendar, local_date(now, subscription.agreement.time_zone)
    charges = {}
    period = calendar.containing(end.last_active_day)
    while period.start <= today and period != calendar.trial:
        for line in subscription.line_ids:
            amount = _list_price(subscription, line, period)
            if amount and _issued(subscription, ends, line, period):
                charge = _charge(subscription, line, period, amount)
                charges[charge.charge_id] = charge
        period = calendar.containing(period.end)
    return charges


def _issued(subscription: Subscription, ends: Ends, line: str, period: Period) -> bool:
    """Whether invoicing went by a period as it began: no end known by then stopped it."""
    begins = start_of_day(period.start, subscription.agreement.time_zone)
    known = [ordered.recorded_at <= begins for ordered in subscription.commands]
    held = [end for told, (_, _, end) in zip(known, ends.over(line), strict=True) if told]
    end = held[-1] if held else None
    return end is None or period.start < end.end_date


def _list_price(subscription: Subscription, line: str, period: Period) -> int:
    """The line's price in force as a period begins; of a first period that is shorter, its share by days."""
    price = [price for price in subscription.price_lists if price.effective_date <= period.start][-1].of(line)
    whole = subscription.calendar.whole(period)
    return share(price, min(period.days, whole.days), whole.days)


def _charge(subscription: Subscription, line: str, period: Period, amount: int) -> Charge:
    begins = start_of_day(period.start, subscription.agreement.time_zone)
    return Charge(
        charge_id=f"{line} {period.start}",
        invoice_id="",
        line_id=line,
        kind="recurring",
        window=period,
        taxed=False,
        statements=(Statement(begins, "issued", Amount(amount)),),
        implied=True,
    )
