"""Periods: where they begin and end, and at which instant a local day begins."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from service.domain.periods import (
    DAY,
    Duration,
    Period,
    Schedule,
    apart,
    end_date_of,
    local_date,
    start_of_day,
    whole_days,
    zone,
)


def boundaries(start: str, interval: str, anchor: int, count: int) -> list[str]:
    schedule = Schedule(date.fromisoformat(start), Duration.parse(interval), anchor)
    return [str(schedule.boundary(index)) for index in range(count)]


@pytest.mark.parametrize(
    ("start", "interval", "anchor", "expected"),
    [
        # the anchor day is kept, and never drifts to the 28th
        ("2027-01-31", "P1M", 31, ["2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31"]),
        ("2027-01-30", "P1M", 30, ["2027-01-30", "2027-02-28", "2027-03-30", "2027-04-30"]),
        ("2027-01-29", "P1M", 29, ["2027-01-29", "2027-02-28", "2027-03-29", "2027-04-29"]),
        ("2028-01-31", "P1M", 31, ["2028-01-31", "2028-02-29", "2028-03-31"]),
        ("2028-01-29", "P1M", 29, ["2028-01-29", "2028-02-29", "2028-03-29"]),
        ("2028-01-30", "P1M", 30, ["2028-01-30", "2028-02-29", "2028-03-30"]),
        # the last day of a short month is the anchor day there, so it is no stub
        ("2027-02-28", "P1M", 31, ["2027-02-28", "2027-03-31", "2027-04-30"]),
        ("2028-02-29", "P1M", 31, ["2028-02-29", "2028-03-31"]),
        ("2027-04-30", "P1M", 31, ["2027-04-30", "2027-05-31", "2027-06-30"]),
        # ... but the 28th of a leap February is not
        ("2028-02-28", "P1M", 31, ["2028-02-28", "2028-02-29", "2028-03-31"]),
        # stubs, to the next anchor day
        ("2026-11-15", "P1M", 1, ["2026-11-15", "2026-12-01", "2027-01-01"]),
        ("2026-11-15", "P1M", 20, ["2026-11-15", "2026-11-20", "2026-12-20"]),
        ("2026-11-30", "P1M", 1, ["2026-11-30", "2026-12-01", "2027-01-01"]),
        ("2027-01-31", "P1M", 30, ["2027-01-31", "2027-02-28", "2027-03-30"]),
        ("2027-01-30", "P1M", 31, ["2027-01-30", "2027-01-31", "2027-02-28", "2027-03-31"]),
        ("2026-12-31", "P1M", 1, ["2026-12-31", "2027-01-01", "2027-02-01"]),
        # quarters; a stub reaches the first anchor day after two more months
        ("2026-11-30", "P3M", 30, ["2026-11-30", "2027-02-28", "2027-05-30", "2027-08-30"]),
        ("2026-11-15", "P3M", 1, ["2026-11-15", "2027-02-01", "2027-05-01"]),
        ("2026-11-15", "P3M", 20, ["2026-11-15", "2027-01-20", "2027-04-20"]),
        ("2026-11-15", "P3M", 15, ["2026-11-15", "2027-02-15", "2027-05-15"]),
        # ... and after means after: 28 February is a month after 30 January, so it is not to be the first
        ("2027-01-30", "P2M", 31, ["2027-01-30", "2027-03-31", "2027-05-31"]),
        # years, and the leap day
        ("2028-02-29", "P1Y", 29, ["2028-02-29", "2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29"]),
        ("2026-03-15", "P1Y", 1, ["2026-03-15", "2027-03-01", "2028-03-01"]),
        ("2026-03-15", "P1Y", 20, ["2026-03-15", "2027-02-20", "2028-02-20"]),
        ("2026-06-30", "P1Y", 30, ["2026-06-30", "2027-06-30"]),
        # weeks and days run from the start, whatever the anchor
        ("2026-12-28", "P1W", 1, ["2026-12-28", "2027-01-04", "2027-01-11"]),
        ("2028-02-28", "P1D", 31, ["2028-02-28", "2028-02-29", "2028-03-01"]),
        ("2027-01-31", "P30D", 31, ["2027-01-31", "2027-03-02", "2027-04-01"]),
        ("2026-11-01", "P4W", 1, ["2026-11-01", "2026-11-29", "2026-12-27"]),
    ],
)
def test_periods_begin_on_these_days(start: str, interval: str, anchor: int, expected: list[str]) -> None:
    assert boundaries(start, interval, anchor, len(expected)) == expected


@pytest.mark.parametrize(
    ("day", "containing", "from_date"),
    [
        ("2027-01-30", ("2027-01-31", "2027-02-28"), ("2027-01-31", "2027-02-28")),  # before the start
        ("2027-01-31", ("2027-01-31", "2027-02-28"), ("2027-01-31", "2027-02-28")),
        ("2027-02-01", ("2027-01-31", "2027-02-28"), ("2027-02-28", "2027-03-31")),
        ("2027-02-27", ("2027-01-31", "2027-02-28"), ("2027-02-28", "2027-03-31")),
        ("2027-02-28", ("2027-02-28", "2027-03-31"), ("2027-02-28", "2027-03-31")),
        ("2027-03-30", ("2027-02-28", "2027-03-31"), ("2027-03-31", "2027-04-30")),
        ("2036-02-29", ("2036-02-29", "2036-03-31"), ("2036-02-29", "2036-03-31")),
    ],
)
def test_a_day_lies_in_one_period_and_another_is_the_first_from_it_on(
    day: str, containing: tuple[str, str], from_date: tuple[str, str]
) -> None:
    schedule = Schedule(date(2027, 1, 31), Duration(months=1), 31)
    found = schedule.containing(date.fromisoformat(day)), schedule.from_date(date.fromisoformat(day))
    assert [(str(period.start), str(period.end)) for period in found] == [containing, from_date]


intervals = st.one_of(st.builds(Duration, months=st.integers(1, 25)), st.builds(Duration, days=st.integers(1, 400)))
starts = st.dates(date(1999, 1, 1), date(2032, 12, 31))


@given(starts, intervals, st.integers(1, 31), st.integers(0, 3000))
@example(date(2028, 2, 28), Duration(months=1), 31, 1)
@example(date(2027, 1, 31), Duration(months=2), 30, 28)
def test_periods_tile_time_and_every_day_is_found_in_its_own(
    start: date, interval: Duration, anchor: int, after: int
) -> None:
    schedule = Schedule(start, interval, anchor)
    day = start + after * DAY
    walked = [schedule.period(0)]
    while walked[-1].start < day:
        walked.append(schedule.period(len(walked)))
    assert walked[0].start == start
    assert all(period.start < period.end for period in walked)
    assert all(before.end == period.start for before, period in pairwise(walked))
    assert schedule.containing(day) == next(period for period in walked if period.start <= day < period.end)
    assert schedule.from_date(day) == next(period for period in walked if period.start >= day)


@given(starts, st.integers(1, 25), st.integers(1, 31), st.integers(1, 40))
def test_every_month_boundary_is_the_anchor_day_or_the_last_of_a_shorter_month(
    start: date, months: int, anchor: int, index: int
) -> None:
    boundary = Schedule(start, Duration(months=months), anchor).boundary(index)
    last_of_month = (boundary + DAY).month != boundary.month
    assert boundary.day == anchor or (boundary.day < anchor and last_of_month)


@given(starts, st.integers(1, 25), st.integers(1, 31))
def test_a_start_off_the_anchor_begins_with_a_stub_to_the_first_anchor_day_an_interval_less_a_month_on(
    start: date, months: int, anchor: int
) -> None:
    def is_anchor_day(day: date) -> bool:
        return day.day == anchor or (day.day < anchor and (day + DAY).month != day.month)

    assume(not is_anchor_day(start))
    year, month = divmod(start.year * 12 + start.month - 1 + months - 1, 12)
    day = date(year, month + 1, min(start.day, monthrange(year, month + 1)[1]))
    while not is_anchor_day(day := day + DAY):
        pass
    assert Schedule(start, Duration(months=months), anchor).period(0) == Period(start, day)


@pytest.mark.parametrize(
    ("text", "months", "days"),
    [("P1M", 1, 0), ("P30D", 0, 30), ("P1Y", 12, 0), ("P2W", 0, 14), ("P1Y6M", 18, 0), ("P1M15D", 1, 15)],
)
def test_a_duration_is_read(text: str, months: int, days: int) -> None:
    assert Duration.parse(text) == Duration(months, days)


@pytest.mark.parametrize(
    "text", ["", "P", "1M", "P1", "PT1H", "P1MT1H", "P-1M", "P1.5M", "p1m", "P1M ", "P1D1M", "-P1M"]
)
def test_what_is_not_a_whole_calendar_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an ISO 8601 duration"):
        Duration.parse(text)


@given(st.builds(Duration, months=st.integers(0, 999), days=st.integers(0, 9999)))
def test_a_duration_reads_back_as_it_is_written(duration: Duration) -> None:
    assert Duration.parse(str(duration)) == duration


@pytest.mark.parametrize(
    ("time_zone", "day", "begins", "hours"),
    [
        ("Europe/Copenhagen", "2026-11-21", "2026-11-20T23:00Z", 24),
        ("Europe/Copenhagen", "2026-03-29", "2026-03-28T23:00Z", 23),  # summer time begins
        ("Europe/Copenhagen", "2026-03-30", "2026-03-29T22:00Z", 24),
        ("Europe/Copenhagen", "2026-10-25", "2026-10-24T22:00Z", 25),  # and ends
        ("Europe/Copenhagen", "2026-10-26", "2026-10-25T23:00Z", 24),
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00Z", 23),  # begins at 01:00: there is no midnight
        ("America/Sao_Paulo", "2018-02-17", "2018-02-17T02:00Z", 25),  # 23:00 to midnight comes twice
        ("America/Sao_Paulo", "2018-02-18", "2018-02-18T03:00Z", 24),
        ("America/Sao_Paulo", "2026-11-01", "2026-11-01T03:00Z", 24),  # summer time was given up in 2019
        ("Africa/Cairo", "2024-04-26", "2024-04-25T22:00Z", 23),  # no midnight
        ("Africa/Cairo", "2024-10-31", "2024-10-30T21:00Z", 25),
        ("Asia/Beirut", "2024-03-31", "2024-03-30T22:00Z", 23),  # no midnight
        ("Asia/Beirut", "2024-10-26", "2024-10-25T21:00Z", 25),
        ("America/Havana", "2026-11-01", "2026-11-01T04:00Z", 25),  # midnight comes twice: the first begins the day
        ("Pacific/Apia", "2011-12-29", "2011-12-29T10:00Z", 24),
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00Z", 0),  # the day that never was
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00Z", 24),
        ("Asia/Kathmandu", "2026-11-21", "2026-11-20T18:15Z", 24),
        ("UTC", "2028-02-29", "2028-02-29T00:00Z", 24),
    ],
)
def test_a_local_day_begins_at_this_instant_and_lasts_so_long(
    time_zone: str, day: str, begins: str, hours: int
) -> None:
    this = date.fromisoformat(day)
    assert start_of_day(this, time_zone) == datetime.fromisoformat(begins)
    assert start_of_day(this + DAY, time_zone) - start_of_day(this, time_zone) == timedelta(hours=hours)


ZONES = ["Europe/Copenhagen", "America/Sao_Paulo", "Africa/Cairo", "Asia/Beirut", "America/Havana", "Pacific/Chatham"]


@given(st.sampled_from(ZONES), st.dates(date(1990, 1, 1), date(2036, 12, 31)))
def test_the_instant_a_day_begins_is_the_first_that_falls_on_it(time_zone: str, day: date) -> None:
    begins = start_of_day(day, time_zone)
    assert local_date(begins, time_zone) == day
    assert local_date(begins - timedelta(microseconds=1), time_zone) == day - DAY
    assert end_date_of(begins, time_zone) == day


@pytest.mark.parametrize(
    ("time_zone", "at", "end_date"),
    [
        ("Europe/Copenhagen", "2026-11-20T22:59:59Z", "2026-11-21"),
        ("Europe/Copenhagen", "2026-11-20T23:00:00Z", "2026-11-21"),  # midnight: the 21st has not begun to be used
        ("Europe/Copenhagen", "2026-11-20T23:00:01Z", "2026-11-22"),
        ("America/Sao_Paulo", "2018-11-04T02:59:59Z", "2018-11-04"),
        ("America/Sao_Paulo", "2018-11-04T03:00:00Z", "2018-11-04"),  # 01:00 on the clock, yet the day's first instant
        ("America/Sao_Paulo", "2018-11-04T03:00:01Z", "2018-11-05"),
        ("America/Havana", "2026-11-01T05:00:00Z", "2026-11-02"),  # the second midnight is inside the day
        ("Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-31"),
        ("Pacific/Kiritimati", "2026-11-20T10:00:00Z", "2026-11-21"),
    ],
)
def test_a_day_that_has_begun_counts_as_active(time_zone: str, at: str, end_date: str) -> None:
    assert end_date_of(datetime.fromisoformat(at), time_zone) == date.fromisoformat(end_date)


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../../etc/passwd", "Europe", "europe copenhagen"])
def test_what_is_no_time_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        zone(name)


NOVEMBER = Period(date(2026, 11, 1), date(2026, 12, 1))


@pytest.mark.parametrize(
    ("end", "active"),
    [
        ("2026-10-15", 0),
        ("2026-11-01", 0),
        ("2026-11-02", 1),
        ("2026-11-21", 20),
        ("2026-11-30", 29),
        ("2026-12-01", 30),
        ("2027-03-01", 30),
    ],
)
def test_an_end_leaves_so_many_days_of_november(end: str, active: int) -> None:
    assert (NOVEMBER.days, NOVEMBER.days_before(date.fromisoformat(end))) == (30, active)


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        ("2026-03-29", "2026-03-30", 1),  # 23 hours
        ("2026-10-25", "2026-10-26", 1),  # 25 hours
        ("2028-02-01", "2028-03-01", 29),
        ("2028-01-01", "2029-01-01", 366),
        ("2027-01-01", "2028-01-01", 365),
    ],
)
def test_a_day_is_a_day_however_many_hours_it_has(start: str, end: str, days: int) -> None:
    assert Period(date.fromisoformat(start), date.fromisoformat(end)).days == days


def test_a_period_given_as_instants_covers_every_local_day_it_touches() -> None:
    start, end = datetime(2026, 10, 31, 23, tzinfo=UTC), datetime(2026, 11, 30, 23, tzinfo=UTC)
    assert whole_days(start, end, "Europe/Copenhagen") == NOVEMBER
    assert whole_days(start, end - timedelta(hours=5), "Europe/Copenhagen") == NOVEMBER
    assert whole_days(date(2026, 11, 1), date(2026, 12, 1), "Europe/Copenhagen") == NOVEMBER


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ([(1, 5), (7, 9)], [(1, 5), (7, 9)]),
        ([(7, 9), (1, 5)], [(1, 5), (7, 9)]),
        ([(1, 5), (5, 9)], [(1, 9)]),  # they touch
        ([(1, 5), (3, 9)], [(1, 9)]),
        ([(1, 9), (3, 5)], [(1, 9)]),
        ([(1, 2)], [(1, 2)]),
        ([(5, 5)], []),
        ([(9, 5)], []),
    ],
)
def test_stretches_that_overlap_or_touch_are_one_and_those_of_no_days_are_none(
    days: list[tuple[int, int]], expected: list[tuple[int, int]]
) -> None:
    merged = apart(Period(date(2026, 11, start), date(2026, 11, end)) for start, end in days)
    assert [(period.start.day, period.end.day) for period in merged] == expected
