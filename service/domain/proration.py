"""How much of a charge is for active time: days or seconds, by the price in force, without those that earn nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise

from service.domain.ends import End
from service.domain.periods import DAY, Period, Schedule, local_date, start_of_day
from service.domain.policy import Proration
from service.domain.subscription import Charge, Price, Subscription


@dataclass(frozen=True, slots=True)
class Portion:
    """Active and total time of a charge, in days or seconds, and the same weighted by price: what is kept of it."""

    active: int
    total: int
    earned: int
    worth: int


def span(subscription: Subscription, charge: Charge, drawn_at: datetime, day: date) -> Period | None:
    """The days a charge is for, moved by the pauses learnt of since it was drawn up; an open one lasts until a day."""
    if charge.window is None:
        return None
    drawn, calendar = subscription.calendar_as_known(drawn_at), subscription.calendar(day)
    if drawn.stops == calendar.stops:
        return charge.window
    start, end = (calendar.delayed(drawn.counted(edge)) for edge in (charge.window.start, charge.window.end))
    return Period(start, end)


def portion(subscription: Subscription, charge: Charge, window: Period, drawn_at: datetime, end: End) -> Portion:
    """What of a charge's window, as it was drawn up, lies before an end and earns.

    Paused days earn nothing unless the pause says otherwise, nor do the days of a free trial. A
    charge drawn up knowing of a pause is for the days it leaves, so they carry all of its amount;
    one drawn up before is for every day. While a pause that extends the period lasts, time stands
    still: the end and other pauses fall as many days earlier in the window. A charge drawn up knowing
    of a price change is spread by the price in force; one drawn up before is spread evenly.
    """
    then = _Then(subscription.calendar_as_known(drawn_at), subscription.calendar(date.min))
    scale = _Scale(end.proration, subscription.agreement.time_zone)
    begins, ends = scale.window(charge, window)
    resting = [scale.day(then.day(p.effective_date)) for p in subscription.extensions if p.resume_date is None]
    paid_until = min([scale.end(end, then), *resting])
    trial = [] if then.drawn.trial is None else [then.drawn.trial]
    free = [scale.span(days, window) for days in (*trial, *then.drawn.stops)]
    lost: list[tuple[int, int]] = []
    for pause in subscription.pauses:
        if pause.effect == "not-charged":
            (lost if pause.known_at > drawn_at else free).append(scale.span(then.days(pause.days), window))
    prices = [price for price in subscription.price_lists if price.known_at <= drawn_at]
    known = [(scale.day(max(price.effective_date, window.start)), price) for price in prices]
    edges = {begins, ends, paid_until, *(edge for span in (*free, *lost) for edge in span), *(s for s, _ in known)}
    active = total = earned = worth = 0
    for start, until in pairwise(sorted(edge for edge in edges if begins <= edge <= ends)):
        if any(since <= start < back for since, back in free):
            continue
        length = until - start
        weight = length * _price(known, charge.line_id, start)
        total, worth = total + length, worth + weight
        if until <= paid_until and not any(since <= start < back for since, back in lost):
            active, earned = active + length, earned + weight
    return Portion(active, total, earned, worth) if worth else Portion(active, total, active, max(total, 1))


@dataclass(frozen=True, slots=True)
class _Then:
    """Where days fall by the calendar that a charge was drawn up by, which pauses have moved since."""

    drawn: Schedule
    current: Schedule

    def day(self, day: date) -> date:
        """The day that a day by the current calendar would have been."""
        return day if day == date.max else self.drawn.delayed(self.current.counted(day))

    def days(self, days: Period) -> Period:
        """The same for a stretch of days."""
        return Period(self.day(days.start), self.day(days.end))


@dataclass(frozen=True, slots=True)
class _Scale:
    """Days or instants as points on a line of days or of seconds."""

    proration: Proration
    time_zone: str

    def day(self, day: date) -> int:
        """Where a local day begins."""
        if self.proration == "day":
            return day.toordinal()
        return int(start_of_day(day, self.time_zone).timestamp())

    def span(self, days: Period, window: Period) -> tuple[int, int]:
        """Where a stretch of days begins and ends as far as a window reaches; one outside ends before it begins."""
        return self.day(max(days.start, window.start)), self.day(min(days.end, window.end))

    def window(self, charge: Charge, window: Period) -> tuple[int, int]:
        """Where a charge's window begins and ends: at its own instants where it has some."""
        if self.proration == "second" and charge.instants is not None:
            begins, ends = charge.instants
            return int(begins.timestamp()), int(ends.timestamp())
        return self.day(window.start), self.day(window.end)

    def end(self, end: End, then: _Then) -> int:
        """Where an end falls, a part of a day with the day."""
        if self.proration == "day":
            return self.day(then.day(end.end_date))
        last = local_date(end.paid_until, self.time_zone)
        into = end.paid_until - start_of_day(last, self.time_zone)
        return min(self.day(then.day(last)) + int(into.total_seconds()), self.day(then.day(last + DAY)))


def _price(known: list[tuple[int, Price]], line_id: str | None, point: int) -> int:
    """The price in force at a point, by the price lists a charge knew."""
    return next((price for since, price in reversed(known) if since <= point), known[0][1]).of(line_id)
