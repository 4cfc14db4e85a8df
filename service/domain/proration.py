"""How much of a charge is for active time: days, weighted by the price in force, without those that earn nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise

from service.domain.periods import DAY, Period
from service.domain.subscription import Charge, Pause, Price, Subscription


@dataclass(frozen=True, slots=True)
class Portion:
    """Active and total days of a charge, and the same weighted by price: the fraction that is kept."""

    active: int = 1
    total: int = 1
    earned: int = 1
    worth: int = 1


WHOLE = Portion()


def portion(subscription: Subscription, charge: Charge, window: Period, drawn_at: datetime, end: date) -> Portion:
    """What of a charge's window lies before an end date and earns.

    Paused days earn nothing unless the pause says otherwise, nor do the days of a free trial. A
    charge drawn up knowing of a pause is for the days it leaves, so they carry all of its amount;
    one drawn up before is for every day. A pause that extends the period moves the window's end and
    is never among the days the charge is for. A charge drawn up knowing of a price change is spread
    by the price in force; one drawn up before is spread evenly.
    """
    idle = [pause for pause in subscription.pauses if pause.effect != "charged"]
    free = [pause.days for pause in idle if pause.effect == "extends-period" or pause.known_at <= drawn_at]
    trial = subscription.calendar.trial
    free += [trial] if trial is not None else []
    lost = [pause.days for pause in idle if pause.effect == "not-charged" and pause.known_at > drawn_at]
    window = _extended(window, idle, drawn_at)
    prices = [price for price in subscription.price_lists if price.known_at <= drawn_at]
    edges = {window.start, window.end, min(max(end, window.start), window.end)}
    edges |= {edge for days in (*free, *lost) for edge in (days.start, days.end)}
    edges |= {price.effective_date for price in prices}
    active = total = earned = worth = 0
    for start, until in pairwise(sorted(edge for edge in edges if window.start <= edge <= window.end)):
        if any(days.contains(start) for days in free):
            continue
        days = (until - start).days
        weight = days * _price(prices, charge.line_id, start)
        total, worth = total + days, worth + weight
        if until <= end and not any(paused.contains(start) for paused in lost):
            active, earned = active + days, earned + weight
    return Portion(active, total, earned, worth) if worth else Portion(active, total, active, max(total, 1))


def _extended(window: Period, idle: list[Pause], drawn_at: datetime) -> Period:
    """The window with its end moved by the pauses that extend it and were not known when it was drawn up."""
    end = window.end
    for pause in sorted(idle, key=lambda pause: pause.effective_date):
        extends = pause.effect == "extends-period" and pause.known_at > drawn_at and pause.resume_date is not None
        if extends and window.start <= pause.effective_date < end:
            end += pause.days.days * DAY
    return Period(window.start, end)


def _price(known: list[Price], line_id: str | None, day: date) -> int:
    """The price in force on a day, by the price lists a charge knew; 1 throughout where it knew of no change."""
    if len(known) == 1:
        return 1
    in_force = next((price for price in reversed(known) if price.effective_date <= day), known[0])
    return in_force.of(line_id)
