"""Local dates, billing periods and the instants at which they begin.

The standard library's `date`, `datetime` and `zoneinfo` are used as they are: `datetime.combine(day,
midnight, zone)` with `fold=0` is the first instant of a local day even where midnight is skipped
or repeated, or the whole day is missing (Samoa, 30 December 2011).
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property, lru_cache
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
_DURATION = re.compile(r"P(?=[0-9])(?:([0-9]{1,4})Y)?(?:([0-9]{1,4})M)?(?:([0-9]{1,4})W)?(?:([0-9]{1,4})D)?")


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The IANA time zone of that name.

    Raises:
        ValueError: there is no such zone.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:
        raise ValueError(f"there is no time zone {name!r}") from error


@lru_cache(maxsize=8192)
def start_of_day(day: date, time_zone: str) -> datetime:
    """The instant (UTC) at which a local date begins."""
    return datetime.combine(day, time.min, zone(time_zone)).astimezone(UTC)


def local_date(instant: datetime, time_zone: str) -> date:
    """The local date an aware instant falls on."""
    return instant.astimezone(zone(time_zone)).date()


def end_date_of(instant: datetime, time_zone: str) -> date:
    """The first date that is not active when access ends at an instant: a day that has begun counts as active."""
    day = local_date(instant, time_zone)
    return day if instant == start_of_day(day, time_zone) else day + DAY


@dataclass(frozen=True, slots=True)
class Duration:
    """A calendar duration; `P1M` and `P30D` are different things."""

    months: int = 0
    days: int = 0

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Reads `P1M`, `P30D`, `P1Y`, `P2W` (ISO 8601, whole units, no time part).

        Raises:
            ValueError: it is not such a duration.
        """
        found = _DURATION.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is not an ISO 8601 duration such as P1M, P30D, P1Y or P2W")
        years, months, weeks, days = (int(part or 0) for part in found.groups())
        return cls(months=12 * years + months, days=7 * weeks + days)

    def after(self, day: date) -> date:
        """The day that lies this much later, or the month's last where it has no such day."""
        moved = _clamped(_month(day) + self.months, day.day) if self.months else day
        return moved + self.days * DAY

    def __str__(self) -> str:
        months = f"{self.months}M" if self.months else ""
        return f"P{months}{self.days}D" if self.days or not months else f"P{months}"


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """Local dates `[start, end)`: the end is the first date outside."""

    start: date
    end: date

    @property
    def days(self) -> int:
        """Calendar days in it; a 23- or 25-hour day is one day."""
        return (self.end - self.start).days

    def days_before(self, end: date) -> int:
        """How many of its days lie before a date: 0 to `days`."""
        return min(max((end - self.start).days, 0), self.days)


@dataclass(frozen=True)
class Schedule:
    """The billing periods of a subscription, from its start date onwards without end.

    Month arithmetic keeps the anchor day (31 Jan, 28 Feb, 31 Mar). A start off the anchor begins
    with a stub, to the first anchor day after start + interval - one month. The anchor is for
    intervals of months and years; intervals of days and weeks run from the start itself.

    `trial_start` is where a free trial began that runs until `start`, the first day to be paid for.
    `stops` are stretches, apart and in order, none before the first day of all, that do not count:
    the period they lie in (the trial too) ends so much later, and so does every period after it.
    """

    start: date
    interval: Duration
    anchor_day: int
    trial_start: date | None = None
    stops: tuple[Period, ...] = ()

    @property
    def trial(self) -> Period | None:
        """The time before the first period, which is free."""
        return None if self.trial_start is None else Period(self.trial_start, self.boundary(0))

    def boundary(self, index: int) -> date:
        """Where period number `index` begins; 0 is the first one paid for."""
        return self.delayed(self._counted_boundary(index))

    def counted(self, day: date) -> date:
        """The date a day would have if nothing had stopped before it."""
        return day - sum(stop.days_before(day) for stop in self.stops) * DAY

    def delayed(self, day: date) -> date:
        """The date that one counted without stops has come to be."""
        for stop in self.stops:
            if stop.start < day:
                day += stop.days * DAY
        return day

    def period(self, index: int) -> Period:
        """Period number `index`, counted from 0."""
        return Period(self.boundary(index), self.boundary(index + 1))

    def containing(self, day: date) -> Period:
        """The period a day lies in; the first period for days before all of them."""
        trial = self.trial
        if trial is not None and day < trial.end:
            return trial
        return self.period(self.index(day))

    def from_date(self, day: date) -> Period:
        """The first paid period that starts on or after a day."""
        index = self.index(day)
        return self.period(index if self.boundary(index) >= day else index + 1)

    def fraction(self, period: Period) -> tuple[int, int]:
        """The days a period is for, and those of the interval it ends: more where it is the stub at the beginning."""
        start, end = self.counted(period.start), self.counted(period.end)
        whole = self._anchored(_month(end) - self.interval.months) if self.interval.months else start
        return (end - start).days, (end - whole).days

    def index(self, day: date) -> int:
        """The number of the period a day lies in; 0 for days before all of them."""
        day = max(self.counted(day), self.start)
        if not self.interval.months:
            return (day - self.start).days // self.interval.days
        index = (_month(day) - self._first_anchor) // self.interval.months + 1
        return index if self._counted_boundary(index) <= day else index - 1

    def _counted_boundary(self, index: int) -> date:
        """Where a period would begin if nothing had stopped."""
        if index == 0:
            return self.start
        if not self.interval.months:
            return self.start + index * self.interval.days * DAY
        return self._anchored(self._first_anchor + (index - 1) * self.interval.months)

    @cached_property
    def _first_anchor(self) -> int:
        """The month (counted from year 0) in which the first whole interval begins or the stub ends."""
        months = self.interval.months
        if self._anchored(_month(self.start)) == self.start:
            return _month(self.start) + months
        reach = _month(self.start) + months - 1
        after = _clamped(reach, self.start.day)
        return reach if self._anchored(reach) > after else reach + 1

    def _anchored(self, month: int) -> date:
        return _clamped(month, self.anchor_day)


def _month(day: date) -> int:
    return day.year * 12 + day.month - 1


@lru_cache(maxsize=8192)
def _clamped(month: int, day: int) -> date:
    """That day of a month, or the month's last day where it has fewer."""
    year, month = month // 12, month % 12 + 1
    return date(year, month, min(day, monthrange(year, month)[1]))


def whole_days(start: date | datetime, end: date | datetime, time_zone: str) -> Period:
    """A period given as dates or as instants, in the subscription's local dates."""
    first = local_date(start, time_zone) if isinstance(start, datetime) else start
    last = end_date_of(end, time_zone) if isinstance(end, datetime) else end
    return Period(first, last)


def first_of_next_month(day: date) -> date:
    """The day after the last of a day's month."""
    return _clamped(_month(day) + 1, 1)


def apart(periods: Iterable[Period]) -> tuple[Period, ...]:
    """The same days as stretches that neither overlap nor touch, in order."""
    merged: list[Period] = []
    for period in sorted(periods):
        if merged and period.start <= merged[-1].end:
            merged[-1] = Period(merged[-1].start, max(merged[-1].end, period.end))
        elif period.days > 0:
            merged.append(period)
    return tuple(merged)
