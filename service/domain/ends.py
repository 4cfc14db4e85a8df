"""From a wish to an end: which date, which instant, and whether the agreement allows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from service.domain.facts import Activated, EndWish
from service.domain.periods import DAY, Schedule, end_date_of, local_date, start_of_day


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds within which a decision is taken.

    Attributes:
        ahead: a command's time may lie this far ahead of the clock.
        grace: an end is sealed this long after it was reached and the last command has arrived.
        backdate_days: an end may lie this many days before the day it was asked for.
    """

    ahead: timedelta = timedelta(minutes=5)
    grace: timedelta = timedelta(seconds=60)
    backdate_days: int = 366


@dataclass(frozen=True, slots=True)
class End:
    """When a subscription ends.

    `end_date` is the first local date that is not active, `access_ends_at` the exact instant.
    `requested_end_date` is what the wish says by itself, `earliest_permitted_end_date` the first
    end the agreement and the floor for backdating allow.
    """

    mode: str
    requested_end_date: date
    earliest_permitted_end_date: date
    end_date: date
    access_ends_at: datetime

    @property
    def last_active_day(self) -> date:
        """The last date that is active: the day before `end_date`."""
        return self.end_date - DAY

    def same_as(self, other: End) -> bool:
        """Whether both end the subscription at the same date and instant, however they were asked for."""
        return (self.end_date, self.access_ends_at) == (other.end_date, other.access_ends_at)


def schedule(agreement: Activated) -> Schedule:
    """The billing periods that were agreed."""
    return Schedule(agreement.start_date, agreement.interval, agreement.anchor_day)


def resolve(agreement: Activated, wish: EndWish, asked_at: datetime, limits: Limits) -> End:
    """The end a wish means, asked for at an instant.

    A request before the start that names no date ends the subscription at its start: nothing has
    begun that could run out. The result may lie before the start or too far back; `decide` refuses it.
    """
    asked_on = local_date(asked_at, agreement.time_zone)
    match wish.mode:
        case "immediately" if asked_on >= agreement.start_date:
            end_date, access = _at(asked_at, agreement)
        case "end-of-period" if asked_on >= agreement.start_date:
            end_date, access = _as_begins(schedule(agreement).containing(asked_on).end, agreement)
        case "on-date" if wish.at is not None:
            end_date, access = _at(wish.at, agreement)
        case "on-date" if wish.end_date is not None:
            end_date, access = _as_begins(wish.end_date, agreement)
        case "on-date" if wish.last_active_day is not None:
            end_date, access = _as_begins(wish.last_active_day + DAY, agreement)
        case _:
            end_date, access = _as_begins(agreement.start_date, agreement)
    floor = max(agreement.start_date, asked_on - limits.backdate_days * DAY)
    return End(wish.mode, end_date, floor, end_date, access)


def _at(instant: datetime, agreement: Activated) -> tuple[date, datetime]:
    """An end at an instant: the day that has begun is active."""
    return end_date_of(instant, agreement.time_zone), instant


def _as_begins(day: date, agreement: Activated) -> tuple[date, datetime]:
    """An end as a local day begins."""
    return day, start_of_day(day, agreement.time_zone)
