"""From a wish to an end: which date, which instant, whether the agreement allows it, how it is settled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from service.domain.facts import Activated, EndWish
from service.domain.periods import DAY, Schedule, end_date_of, first_of_next_month, local_date, start_of_day
from service.domain.policy import Policy, Proration, Rounding, Settlement


@dataclass(frozen=True, slots=True)
class End:
    """When a subscription ends, and how the period that holds the end is settled.

    `end_date` is the first local date that is not active, `access_ends_at` the exact instant.
    `requested_end_date` is what the wish says by itself, `earliest_permitted_end_date` the first
    end the agreement and the floor for backdating allow. `paid_until` is the instant up to which time
    is paid for: local midnight as `end_date` begins or, counted by the second, `access_ends_at`.
    """

    mode: str
    requested_end_date: date
    earliest_permitted_end_date: date
    end_date: date
    access_ends_at: datetime
    paid_until: datetime
    settlement: Settlement = "prorate"
    proration: Proration = "day"
    rounding: Rounding = "half-up"

    @property
    def last_active_day(self) -> date:
        """The last date that is active: the day before `end_date`."""
        return self.end_date - DAY

    def same_as(self, other: End) -> bool:
        """Whether both come to the same end, however they were asked for."""
        return (self.end_date, self.access_ends_at, self.settlement, self.proration) == (
            other.end_date,
            other.access_ends_at,
            other.settlement,
            other.proration,
        )


def earlier(one: End | None, other: End | None) -> End | None:
    """Whichever comes first; None never comes."""
    if one is None or other is None:
        return one or other
    return other if other.access_ends_at < one.access_ends_at else one


@dataclass(frozen=True, slots=True)
class Asked:
    """A wish with what it is to be read by.

    `invoiced_until` is how far recurring charges had been issued when it was made; `bound` tells
    whether the agreement's terms hold, which somebody may have overridden.
    """

    wish: EndWish
    at: datetime
    policy: Policy
    invoiced_until: date | None
    bound: bool
    settlement: Settlement


def resolve(agreement: Activated, calendar: Schedule, asked: Asked) -> End:
    """The end a wish means. It may lie before the start or too far back; `decide` refuses it then.

    An end before the earliest that the terms permit is moved to it. A request before the start that
    names no date ends the subscription at its start: nothing has begun that could run out.
    """
    end_date, access = _wished(agreement, calendar, asked)
    asked_on = local_date(asked.at, agreement.time_zone)
    floor = max(agreement.start_date, asked_on - asked.policy.earliest_backdate_days * DAY)
    permitted = _permitted(agreement, calendar, asked_on)
    requested = end_date
    if permitted is not None and end_date < permitted and asked.bound and asked.policy.on_early_end == "move":
        end_date, access = _as_begins(permitted, agreement)
    by_second = asked.policy.proration == "second"
    return End(
        mode=asked.wish.mode,
        requested_end_date=requested,
        earliest_permitted_end_date=floor if permitted is None else max(floor, permitted),
        end_date=end_date,
        access_ends_at=access,
        paid_until=access if by_second else start_of_day(end_date, agreement.time_zone),
        settlement=asked.settlement,
        proration=asked.policy.proration,
        rounding=asked.policy.rounding,
    )


def _wished(agreement: Activated, calendar: Schedule, asked: Asked) -> tuple[date, datetime]:
    """The end date and instant a wish comes to by itself."""
    wish, asked_on = asked.wish, local_date(asked.at, agreement.time_zone)
    if wish.mode == "on-date":
        return _named(agreement, wish)
    if asked_on < agreement.start_date:
        return _as_begins(agreement.start_date, agreement)
    current = calendar.containing(asked_on).end
    match wish.mode:
        case "immediately":
            free = asked.policy.day_of_cancellation == "free" and asked.policy.proration == "day"
            return asked_on if free else end_date_of(asked.at, agreement.time_zone), asked.at
        case "end-of-period":
            return _as_begins(current, agreement)
        case "end-of-invoiced":
            return _as_begins(max(current, asked.invoiced_until or current), agreement)
        case "end-of-term":
            bound_until = _bound_until(agreement) or asked_on
            return _as_begins(bound_until if bound_until > asked_on else current, agreement)
        case "earliest":
            permitted = _permitted(agreement, calendar, asked_on) if asked.bound else None
            return _as_begins(max(permitted or asked_on, asked_on + DAY), agreement)


def _named(agreement: Activated, wish: EndWish) -> tuple[date, datetime]:
    """An end on a date: exactly one of three ways to name it is set; the wire model sees to it."""
    if wish.at is not None:
        return end_date_of(wish.at, agreement.time_zone), wish.at
    if wish.end_date is not None:
        return _as_begins(wish.end_date, agreement)
    assert wish.last_active_day is not None, "on-date names a date"  # noqa: S101  a bug in the caller, not input
    return _as_begins(wish.last_active_day + DAY, agreement)


def _permitted(agreement: Activated, calendar: Schedule, asked_on: date) -> date | None:
    """The first end date that binding and notice allow; None where nothing was agreed."""
    terms = agreement.terms
    if terms is None or (terms.minimum_term is None and terms.notice is None):
        return None
    earliest = asked_on if terms.notice is None else terms.notice.after(asked_on)
    earliest = max(earliest, _bound_until(agreement) or earliest)
    match terms.notice_to:
        case "day":
            return earliest
        case "month-end":
            return earliest if earliest.day == 1 else first_of_next_month(earliest)
        case "period-end":
            period = calendar.containing(earliest)
            return earliest if period.start == earliest else period.end


def _bound_until(agreement: Activated) -> date | None:
    """The first date on which the binding is over."""
    terms = agreement.terms
    return None if terms is None or terms.minimum_term is None else terms.minimum_term.after(agreement.start_date)


def _as_begins(day: date, agreement: Activated) -> tuple[date, datetime]:
    """An end as a local day begins."""
    return day, start_of_day(day, agreement.time_zone)
