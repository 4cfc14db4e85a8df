"""Renewals still to come are stopped, however far off the end is and whatever has been set going."""

# ruff: noqa: RUF001, RUF003  × is the sign that a bill is worked out with

from __future__ import annotations

from itertools import pairwise

from tests.stories.story import (
    DECEMBER,
    END_OF_PERIOD,
    NOVEMBER_PAID,
    Clock,
    Expected,
    Step,
    Story,
    cancel,
    charge,
    issued,
    on,
    planned,
    renewed,
)

FIRSTS = ("2026-12-01", "2027-01-01", "2027-02-01", "2027-03-01", "2027-04-01", "2027-05-01", "2027-06-01")


def _a_month(number: int, start: str, end: str) -> tuple[Step, ...]:
    """A renewal as it usually goes: agreed and issued as it begins."""
    bill = charge(f"C{number}", start, end, "300.00")
    return (renewed(f"{start} 00:00", start, end), issued(f"{start} 08:00", f"INV-{number}", bill))


JANUARY = charge("C3", "2027-01-01", "2027-02-01", "300.00")
FEBRUARY = charge("C4", "2027-02-01", "2027-03-01", "300.00")

STORIES = (
    Story(
        "after six renewals",
        """Cancelled on 12 November to 16 May, six renewals ahead. December to April are renewed and billed as ever,
        300.00 each, like November. May is planned on 20 April at 300.00 and cut short at sight: 1–15 May are 15 of 31
        days, 300.00 × 15 ÷ 31 = 145.161… → 145.16. It is issued at that, and as 16 May begins it is over: May's
        145.16 are kept, June was cancelled from the first, and nothing was ever credited.""",
        (
            *NOVEMBER_PAID,
            cancel("2026-11-12 09:00", on("2027-05-16")),
            *(
                step
                for number, (start, end) in enumerate(pairwise(FIRSTS[:6]), 2)
                for step in _a_month(number, start, end)
            ),
            planned("2027-04-20 08:00", "INV-7", charge("C7", "2027-05-01", "2027-06-01", "300.00")),
            renewed("2027-05-01 00:00", "2027-05-01", "2027-06-01"),
            issued("2027-05-01 08:00", "INV-7", charge("C7", "2027-05-01", "2027-06-01", "145.16")),
            Clock("2027-05-16 00:01"),
        ),
        Expected(
            "ended",
            "2027-05-16",
            "2027-05-15",
            {**{f"C{number}": "300.00 kept" for number in range(1, 7)}, "C7": "145.16 kept"},
            renewals=("2027-06-01",),
            shortened=("2027-05-01 to 2027-05-16",),
            told=("cancellation-scheduled", "renewal-cancelled", "period-shortened", "subscription-ended"),
        ),
    ),
    Story(
        "a period that nobody bills is cut short as it begins",
        """Cancelled to 15 February, in the third period ahead. Nobody plans or renews anything; when February begins
        the service says by itself that it is cut short. November's 300.00 are closed.""",
        (*NOVEMBER_PAID, cancel("2026-11-12 09:00", on("2027-02-15")), Clock("2027-02-01 00:00")),
        Expected(
            "ending",
            "2027-02-15",
            "2027-02-14",
            {"C1": "300.00 kept"},
            renewals=("2027-03-01",),
            told=("cancellation-scheduled", "renewal-cancelled", "period-shortened"),
        ),
    ),
    Story(
        "a renewal that comes late",
        """Ended on 1 December and sealed. In January a renewal for January comes in from a system that has not heard:
        it is cancelled on sight, as December's was beforehand. November's 300.00 are kept.""",
        (
            *NOVEMBER_PAID,
            cancel("2026-11-12 09:00", END_OF_PERIOD),
            Clock("2026-12-01 00:01"),
            renewed("2027-01-13 08:00", "2027-01-01", "2027-02-01"),
        ),
        Expected(
            "ended",
            "2026-12-01",
            "2026-11-30",
            {"C1": "300.00 kept"},
            renewals=("2026-12-01", "2027-01-01"),
            told=("cancellation-scheduled", "renewal-cancelled", "subscription-ended", "renewal-cancelled"),
        ),
    ),
    Story(
        "a renewal that wins the race",
        """The customer cancels on 30 November at 23:59:50 to the end of the period; the request arrives at 00:00:20.
        By then December has been renewed and issued, at 00:00:10. She asked in time: the end is 1 December, November's
        300.00 are kept and December's 300.00 are offset, as nobody has paid them.""",
        (
            *NOVEMBER_PAID,
            renewed("2026-12-01 00:00:05", "2026-12-01", "2027-01-01"),
            issued("2026-12-01 00:00:10", "INV-2", DECEMBER),
            cancel("2026-11-30 23:59:50", END_OF_PERIOD, seen="2026-12-01 00:00:20"),
        ),
        Expected(
            "ended",
            "2026-12-01",
            "2026-11-30",
            {"C1": "300.00 kept", "C2": "0.00 kept, 300.00 back (300.00 offset)"},
            renewals=("2026-12-01",),
        ),
    ),
    Story(
        "a renewal that loses the race",
        """The same events, but the request arrives first. The books are the same: 300.00 kept of November, 300.00 of
        December offset.""",
        (
            *NOVEMBER_PAID,
            cancel("2026-11-30 23:59:50", END_OF_PERIOD),
            renewed("2026-12-01 00:00:05", "2026-12-01", "2027-01-01"),
            issued("2026-12-01 00:00:10", "INV-2", DECEMBER),
        ),
        Expected(
            "ended",
            "2026-12-01",
            "2026-11-30",
            {"C1": "300.00 kept", "C2": "0.00 kept, 300.00 back (300.00 offset)"},
            renewals=("2026-12-01",),
        ),
    ),
)
