"""A cancellation never comes at a clean break: it cuts into a month, an agreement, something planned."""

# ruff: noqa: RUF001, RUF003  × is the sign that a bill is worked out with

from __future__ import annotations

from tests.stories.story import (
    CANCELLED,
    DECEMBER_PLANNED,
    IMMEDIATELY,
    NOVEMBER_PAID,
    TWENTY_DAYS_PAID,
    Clock,
    Expected,
    Story,
    cancel,
    charge,
    issued,
    last_day,
    move,
    on,
    paid,
    planned,
    revoke,
    started,
)

STORIES = (
    Story(
        "twenty days of a November that is paid",
        """300.00 kr. a month in advance. November is issued and paid, December planned. On 12 November the customer
        asks for the end on 21 November, the first day that is not active. November has 30 days; 1–20 November are
        20 days; 300.00 × 20 ÷ 30 = 200.00 is kept and 300.00 − 200.00 = 100.00 is refundable. December is withdrawn:
        0.00 of it is planned.""",
        (*NOVEMBER_PAID, DECEMBER_PLANNED, CANCELLED),
        Expected(
            "ending",
            "2026-11-21",
            "2026-11-20",
            {"C1": TWENTY_DAYS_PAID, "C2": "planned 0.00"},
            renewals=("2026-12-01",),
            ends_at="2026-11-21T00:00:00+01:00",
            requested="2026-11-21",
            shortened=("2026-11-01 to 2026-11-21",),
            told=("cancellation-scheduled", "period-shortened", "renewal-cancelled", "credit-adjustment"),
        ),
    ),
    Story(
        "ten days of a March in yen that begins on 28 February",
        """1,000 JPY a month from 31 January 2027, so anchored on the 31st: February's period begins on the 28th and
        ends before 31 March. It is issued and not paid. The last active day is to be 9 March. 28 February–30 March
        are 1 + 30 = 31 days; 28 February–9 March are 1 + 9 = 10; 1000 × 10 ÷ 31 = 322.58…, and a yen has no
        decimals: 323 is kept, 1000 − 323 = 677 is offset. The next period would have begun on 31 March.""",
        (
            started("2027-01-31", "1000", currency="JPY", time_zone="Asia/Tokyo", anchor_day=31),
            issued("2027-02-28 08:00", "INV-2", charge("C2", "2027-02-28", "2027-03-31", "1000")),
            cancel("2027-03-01 09:00", last_day("2027-03-09")),
        ),
        Expected(
            "ending",
            "2027-03-10",
            "2027-03-09",
            {"C2": "323 kept, 677 back (677 offset)"},
            renewals=("2027-03-31",),
            shortened=("2027-02-28 to 2027-03-10",),
        ),
        zone="Asia/Tokyo",
    ),
    Story(
        "on 31 January, at once",
        """Anchored on the 31st, 280.00 kr. a month: on 31 January a period begins that ends before 28 February, as
        February has no 31st. Asked that day at once: the day has begun and counts. 31 January–27 February are 1 + 27 =
        28 days, one of them active; 280.00 × 1 ÷ 28 = 10.00 is kept, 270.00 is offset as nothing is paid.""",
        (
            started("2026-12-31", "280.00"),
            issued("2027-01-31 08:00", "INV-2", charge("C2", "2027-01-31", "2027-02-28", "280.00")),
            cancel("2027-01-31 10:00", IMMEDIATELY),
        ),
        Expected(
            "ended",
            "2027-02-01",
            "2027-01-31",
            {"C2": "10.00 kept, 270.00 back (270.00 offset)"},
            renewals=("2027-02-28",),
            ends_at="2027-01-31T10:00:00+01:00",
        ),
    ),
    Story(
        "on 29 February, at once, of a year that begins that day",
        """Started on 29 February 2024, 730.00 kr. a year. The years begin on 28 February where there is no 29th, and
        on the 29th again in 2028. The year from 29 February 2028 ends before 28 February 2029: that is 365 days
        (366 to 1 March less the 28th). Asked on 29 February 2028 at once, one day is active:
        730.00 × 1 ÷ 365 = 2.00 is kept, 728.00 is refundable.""",
        (
            started("2024-02-29", "730.00", interval="P1Y"),
            issued("2028-02-29 08:00", "INV-5", charge("C5", "2028-02-29", "2029-02-28", "730.00")),
            paid("2028-02-29 08:30", "INV-5", "730.00"),
            cancel("2028-02-29 12:00", IMMEDIATELY),
        ),
        Expected(
            "ended",
            "2028-03-01",
            "2028-02-29",
            {"C5": "2.00 kept, 728.00 back (728.00 refundable)"},
            renewals=("2029-02-28",),
        ),
    ),
    Story(
        "five days of a week",
        """70.00 kr. a week from Tuesday 3 November. The last active day is Saturday the 7th: 3–7 November are 5 of
        7 days; 70.00 × 5 ÷ 7 = 50.00 is kept, 20.00 is offset. The next week would have begun on the 10th.""",
        (
            started("2026-11-03", "70.00", interval="P1W"),
            issued("2026-11-03 08:00", "INV-1", charge("C1", "2026-11-03", "2026-11-10", "70.00")),
            cancel("2026-11-04 12:00", last_day("2026-11-07")),
        ),
        Expected(
            "ending",
            "2026-11-08",
            "2026-11-07",
            {"C1": "50.00 kept, 20.00 back (20.00 offset)"},
            renewals=("2026-11-10",),
        ),
    ),
    Story(
        "ten of thirty days, whatever the month is",
        """300.00 kr. every 30 days from 3 November: to 3 December, then to 2 January. The second period's tenth day
        is 12 December: 300.00 × 10 ÷ 30 = 100.00 is kept of it and 200.00 is offset; the first period's 300.00
        are closed. The next would have begun on 2 January.""",
        (
            started("2026-11-03", interval="P30D"),
            issued("2026-11-03 08:00", "INV-1", charge("C1", "2026-11-03", "2026-12-03", "300.00")),
            issued("2026-12-03 08:00", "INV-2", charge("C2", "2026-12-03", "2027-01-02", "300.00")),
            cancel("2026-12-05 12:00", last_day("2026-12-12")),
        ),
        Expected(
            "ending",
            "2026-12-13",
            "2026-12-12",
            {"C1": "300.00 kept", "C2": "100.00 kept, 200.00 back (200.00 offset)"},
            renewals=("2027-01-02",),
        ),
    ),
    Story(
        "half a month of a quarter that begins off its anchor",
        """A quarter at a time from 15 November, billed on the 1st. Three months less one after the start is
        15 January; the first 1st after that is 1 February. 15 November–31 January are 16 + 31 + 31 = 78 days, billed
        780.00. It ends on 1 December: 780.00 × 16 ÷ 78 = 160.00 is kept, 620.00 is offset.""",
        (
            started("2026-11-15", "900.00", interval="P3M", anchor_day=1),
            issued("2026-11-15 08:00", "INV-1", charge("C1", "2026-11-15", "2027-02-01", "780.00")),
            cancel("2026-11-16 12:00", on("2026-12-01")),
        ),
        Expected(
            "ending",
            "2026-12-01",
            "2026-11-30",
            {"C1": "160.00 kept, 620.00 back (620.00 offset)"},
            renewals=("2027-02-01",),
            shortened=("2026-11-15 to 2026-12-01",),
        ),
    ),
    Story(
        "a month that is only planned",
        """310.00 kr. a month. November is paid, December planned. The end is to be 11 December: 1–10 December are 10
        of 31 days, so 310.00 × 10 ÷ 31 = 100.00 stays planned. Nothing was billed for December, so nothing is
        credited, and November's 310.00 are not touched.""",
        (
            started("2026-11-01", "310.00"),
            issued("2026-11-01 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "310.00")),
            paid("2026-11-02 08:00", "INV-1", "310.00"),
            planned("2026-11-03 08:00", "INV-2", charge("C2", "2026-12-01", "2027-01-01", "310.00")),
            cancel("2026-11-12 09:00", on("2026-12-11")),
        ),
        Expected(
            "ending",
            "2026-12-11",
            "2026-12-10",
            {"C1": "310.00 kept", "C2": "planned 100.00"},
            renewals=("2027-01-01",),
            shortened=("2026-12-01 to 2026-12-11",),
            adjustments=(),
        ),
    ),
    Story(
        "the night the clocks go forward, at once",
        """On 28 March 2027 Copenhagen goes from 02:00 straight to 03:00. Asked at 01:59:59, one second before, at
        once: access ends there and then, and the day, though it has 23 hours, counts as one. 310.00 × 28 ÷ 31 =
        280.00 is kept, 30.00 is offset. A regret a second later, at 03:00:00 summer time, is too late.""",
        (
            started("2027-03-01", "310.00"),
            issued("2027-03-01 08:00", "INV-1", charge("C1", "2027-03-01", "2027-04-01", "310.00")),
            cancel("2027-03-28T01:59:59+01:00", IMMEDIATELY),
            revoke("2027-03-28T03:00:00+02:00"),
        ),
        Expected(
            "ended",
            "2027-03-29",
            "2027-03-28",
            {"C1": "280.00 kept, 30.00 back (30.00 offset)"},
            renewals=("2027-04-01",),
            refused=("already-ended",),
            ends_at="2027-03-28T01:59:59+01:00",
        ),
    ),
    Story(
        "the night the clocks go back, a move in the hour that comes twice",
        """Asked at 02:30 summer time to end on 26 October, and moved at 02:15 winter time to 31 October. The wall
        clock reads a quarter of an hour less, but three quarters of an hour have passed: the move is the later one
        and counts. 30 of 31 days: 310.00 × 30 ÷ 31 = 300.00 is kept; of the 60.00 that were credited first, 50.00 are
        taken back, 10.00 remain offset.""",
        (
            started("2026-10-01", "310.00"),
            issued("2026-10-01 08:00", "INV-1", charge("C1", "2026-10-01", "2026-11-01", "310.00")),
            cancel("2026-10-25T02:30:00+02:00", on("2026-10-26")),
            move("2026-10-25T02:15:00+01:00", on("2026-10-31")),
        ),
        Expected(
            "ending",
            "2026-10-31",
            "2026-10-30",
            {"C1": "300.00 kept, 10.00 back (10.00 offset)"},
            renewals=("2026-11-01",),
            adjustments=("credit 60.00 on C1, open", "debit 50.00 on C1, open"),
        ),
    ),
    Story(
        "on the eve of the day that Samoa left out",
        """Apia went from 29 to 31 December 2011. 310.00 tala for December, by its 31 dates. Asked on the 29th at
        23:00 at once: 29 dates have begun; 310.00 × 29 ÷ 31 = 290.00 is kept, 20.00 is offset. The end date is the
        30th, though it never came.""",
        (
            started("2011-12-01", "310.00", currency="WST", time_zone="Pacific/Apia"),
            issued("2011-12-01 08:00", "INV-1", charge("C1", "2011-12-01", "2012-01-01", "310.00")),
            cancel("2011-12-29T23:00:00-10:00", IMMEDIATELY),
        ),
        Expected(
            "ended",
            "2011-12-30",
            "2011-12-29",
            {"C1": "290.00 kept, 20.00 back (20.00 offset)"},
            renewals=("2012-01-01",),
            ends_at="2011-12-29T23:00:00-10:00",
        ),
        zone="Pacific/Apia",
    ),
    Story(
        "ending on the day that Samoa left out",
        """Asked beforehand for the end date 30 December 2011 in Apia: the last active day is the 29th, access ends as
        that day does, which is the instant the 31st begins, 10:00 in Greenwich. 29 of 31 dates again:
        310.00 × 29 ÷ 31 = 290.00 is kept, 20.00 is offset. A minute's grace later the end is sealed.""",
        (
            started("2011-12-01", "310.00", currency="WST", time_zone="Pacific/Apia"),
            issued("2011-12-01 08:00", "INV-1", charge("C1", "2011-12-01", "2012-01-01", "310.00")),
            cancel("2011-12-20 12:00", on("2011-12-30")),
            Clock("2011-12-30T10:01:00+00:00"),
        ),
        Expected(
            "ended",
            "2011-12-30",
            "2011-12-29",
            {"C1": "290.00 kept, 20.00 back (20.00 offset)"},
            renewals=("2012-01-01",),
            ends_at="2011-12-31T00:00:00+14:00",
        ),
        zone="Pacific/Apia",
    ),
)
