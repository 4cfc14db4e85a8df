"""Pauses, price changes and the single lines bear on the outcome: a cancellation is part of the subscription's life."""

# ruff: noqa: RUF001, RUF003  × is the sign that a bill is worked out with

from __future__ import annotations

from dataclasses import replace

from tests.stories.story import (
    CANCELLED,
    END_OF_PERIOD,
    IMMEDIATELY,
    NOVEMBER,
    NOVEMBER_ISSUED,
    NOVEMBER_PAID,
    TWENTY_DAYS_OWED,
    TWENTY_DAYS_PAID,
    Clock,
    Data,
    Expected,
    Step,
    Story,
    cancel,
    charge,
    issued,
    move,
    on,
    paused,
    planned,
    policy,
    priced,
    resumed,
    started,
)

DEARER: tuple[Step, ...] = (
    *NOVEMBER_PAID,
    priced("2026-11-05 08:00", "2026-12-01", "372.00"),
    planned("2026-11-06 08:00", "INV-2", charge("C2", "2026-12-01", "2027-01-01", "372.00")),
    CANCELLED,
)


def _ending(charges: dict[str, str], pauses: dict[str, str] | None = None) -> Expected:
    """As 20 November ends; December does not come."""
    return Expected("ending", "2026-11-21", "2026-11-20", charges, renewals=("2026-12-01",), pauses=pauses)


PRICES = (
    Story(
        "a price change after the end",
        """300.00 a month goes up to 372.00 from December, and December is planned so. The end is 21 November: 200.00 is
        kept, 100.00 refundable, December's plan goes to nothing, and the new price is shown as suppressed, not
        deleted.""",
        DEARER,
        Expected(
            "ending",
            "2026-11-21",
            "2026-11-20",
            {"C1": TWENTY_DAYS_PAID, "C2": "planned 0.00"},
            renewals=("2026-12-01",),
            prices={"2026-11-01": "in-force", "2026-12-01": "suppressed"},
        ),
    ),
    Story(
        "a price change that the end is moved past",
        """372.00 from December had been suppressed by an end in November. Moved to 11 December, it is in force again:
        November's 300.00 are kept, and of December 372.00 × 10 ÷ 31 = 120.00 stays planned.""",
        (*DEARER, move("2026-11-14 09:00", on("2026-12-11"))),
        Expected(
            "ending",
            "2026-12-11",
            "2026-12-10",
            {"C1": "300.00 kept", "C2": "planned 120.00"},
            renewals=("2027-01-01",),
            prices={"2026-11-01": "in-force", "2026-12-01": "in-force"},
        ),
    ),
    Story(
        "a price change that November was billed without",
        """300.00 for November is issued on the 1st. On the 10th the price goes up to 360.00 from the 16th, and the
        difference is billed for itself: 60.00 × 15 ÷ 30 = 30.00 for 16–30 November. The end is the 21st. The month is
        spread evenly, 300.00 × 20 ÷ 30 = 200.00 is kept and 100.00 offset; of the difference 16–20 November are 5 of
        15 days, 30.00 × 5 ÷ 15 = 10.00 is kept and 20.00 offset.""",
        (
            *NOVEMBER_ISSUED,
            priced("2026-11-10 08:00", "2026-11-16", "360.00"),
            issued("2026-11-10 09:00", "INV-1b", charge("C1b", "2026-11-16", "2026-12-01", "30.00")),
            CANCELLED,
        ),
        _ending({"C1": TWENTY_DAYS_OWED, "C1b": "10.00 kept, 20.00 back (20.00 offset)"}),
    ),
    Story(
        "a price change that November was billed with",
        """It is known from October that the price goes from 300.00 to 600.00 on 16 November. November is billed for 15
        days at 10.00 and 15 at 20.00: 150.00 + 300.00 = 450.00. The end is the 21st: 15 days at 10.00 and 5 at 20.00
        are 150.00 + 100.00 = 250.00 kept, and 200.00 is offset.""",
        (
            started("2026-11-01"),
            priced("2026-10-25 08:00", "2026-11-16", "600.00"),
            issued("2026-11-01 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "450.00")),
            CANCELLED,
        ),
        _ending({"C1": "250.00 kept, 200.00 back (200.00 offset)"}),
    ),
)

PAUSES = (
    Story(
        "a pause that reaches past the end",
        """November is issued at 300.00; on the 10th the customer pauses from the 16th to 10 December, and on the 12th
        cancels to the 21st. 1–15 November are active, 16–20 November are paused and earn nothing:
        300.00 × 15 ÷ 30 = 150.00 is kept, 150.00 offset. The pause is cut off, nothing is resumed.""",
        (*NOVEMBER_ISSUED, paused("2026-11-10 08:00", "2026-11-16", "2026-12-10"), CANCELLED),
        _ending({"C1": "150.00 kept, 150.00 back (150.00 offset)"}, {"P1": "cut-off"}),
    ),
    Story(
        "at once while it is paused",
        """Paused from 6 November, nobody knows for how long. Asked on the 12th at once: 1–5 November were active,
        300.00 × 5 ÷ 30 = 50.00 is kept, 250.00 is offset.""",
        (*NOVEMBER_ISSUED, paused("2026-11-05 08:00", "2026-11-06"), cancel("2026-11-12 09:00", IMMEDIATELY)),
        Expected(
            "ended",
            "2026-11-13",
            "2026-11-12",
            {"C1": "50.00 kept, 250.00 back (250.00 offset)"},
            renewals=("2026-12-01",),
            pauses={"P1": "cut-off"},
        ),
    ),
    Story(
        "a pause that is heard of when all is over",
        """Ended and sealed on 21 November with 200.00 kept and 100.00 refundable. On the 25th we hear that the
        customer had paused from the 6th and resumed on the 16th: ten of the 20 days earn nothing, 300.00 × 10 ÷ 30 =
        100.00 is kept, and 200.00 in all is refundable.""",
        (
            *NOVEMBER_PAID,
            CANCELLED,
            Clock("2026-11-21 00:01"),
            replace(paused("2026-11-05 08:00", "2026-11-06"), seen="2026-11-25 08:00"),
            replace(resumed("2026-11-15 08:00", "2026-11-16"), seen="2026-11-25 08:01"),
        ),
        Expected(
            "ended",
            "2026-11-21",
            "2026-11-20",
            {"C1": "100.00 kept, 200.00 back (200.00 refundable)"},
            renewals=("2026-12-01",),
            pauses={"P1": "in-force"},
        ),
    ),
    Story(
        "a pause that November was billed without its days",
        """It is known from October that 6–15 November are paused, so November is billed for the 20 days that are left,
        200.00. The end is the 21st: 1–5 and 16–20 November, 10 of those 20 days, are active.
        200.00 × 10 ÷ 20 = 100.00 is kept, 100.00 is offset.""",
        (
            started("2026-11-01"),
            paused("2026-10-25 08:00", "2026-11-06", "2026-11-16"),
            issued("2026-11-01 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "200.00")),
            CANCELLED,
        ),
        _ending({"C1": "100.00 kept, 100.00 back (100.00 offset)"}),
    ),
    Story(
        "a pause that is charged",
        """6–15 November are paused, but the pause is charged: the days count. 300.00 × 20 ÷ 30 = 200.00 is kept,
        100.00 is offset.""",
        (*NOVEMBER_ISSUED, paused("2026-11-05 08:00", "2026-11-06", "2026-11-16", "charged"), CANCELLED),
        _ending({"C1": TWENTY_DAYS_OWED}),
    ),
    Story(
        "a pause that makes the period longer",
        """6–15 November are paused and put on at the end: the month that was paid for on the 1st now runs to 11
        December, 40 days, 30 of them active. The end is 1 December: 30 − 10 = 20 of the 30 days have been had, 300.00
        × 20 ÷ 30 = 200.00 is kept, 100.00 is offset. The next period would have begun on 11 December.""",
        (
            *NOVEMBER_ISSUED,
            paused("2026-11-05 08:00", "2026-11-06", "2026-11-16", "extends-period"),
            cancel("2026-11-20 09:00", on("2026-12-01")),
        ),
        Expected("ending", "2026-12-01", "2026-11-30", {"C1": TWENTY_DAYS_OWED}, renewals=("2026-12-11",)),
    ),
    Story(
        "to the end of a period that a pause has made longer",
        """The same, but to the end of the period: that is 11 December, and the 300.00 are kept.""",
        (
            *NOVEMBER_ISSUED,
            paused("2026-11-05 08:00", "2026-11-06", "2026-11-16", "extends-period"),
            cancel("2026-11-20 09:00", END_OF_PERIOD),
        ),
        Expected("ending", "2026-12-11", "2026-12-10", {"C1": "300.00 kept"}, renewals=("2026-12-11",)),
    ),
)

TWO_LINES: list[Data] = [{"line_id": "L1", "amount": "300.00"}, {"line_id": "L2", "amount": "150.00"}]
EXTRA = charge("C9", "2026-11-01", "2026-12-01", "150.00", line_id="L2")
BOTH_ISSUED: tuple[Step, ...] = (
    started("2026-11-01", lines=TWO_LINES),
    issued("2026-11-01 08:00", "INV-1", NOVEMBER, EXTRA),
)

LINES = (
    Story(
        "an extra ends and the rest goes on",
        """300.00 for the subscription and 150.00 for an extra. The extra alone ends on 21 November: 150.00 × 20 ÷ 30 =
        100.00 of it is kept, 50.00 is offset, its 150.00 for December go to nothing. The subscription's 300.00 of
        November and of December stay, and it has no end.""",
        (
            *BOTH_ISSUED,
            planned(
                "2026-11-03 08:00",
                "INV-2",
                charge("C2", "2026-12-01", "2027-01-01", "300.00"),
                charge("C10", "2026-12-01", "2027-01-01", "150.00", line_id="L2"),
            ),
            cancel("2026-11-12 09:00", on("2026-11-21"), line_ids=["L2"]),
        ),
        Expected(
            "active",
            None,
            None,
            {
                "C1": "300.00 kept",
                "C9": "100.00 kept, 50.00 back (50.00 offset)",
                "C2": "planned 300.00",
                "C10": "planned 0.00",
            },
            renewals=("2026-12-01",),
        ),
    ),
    Story(
        "an extra does not outlive the subscription",
        """The extra is to end on 11 December. Two days later the whole subscription is cancelled to 21 November, and
        the extra ends with it: 200.00 and 100.00 are kept, 100.00 and 50.00 are offset.""",
        (
            *BOTH_ISSUED,
            cancel("2026-11-10 09:00", on("2026-12-11"), line_ids=["L2"]),
            CANCELLED,
        ),
        Expected(
            "ending",
            "2026-11-21",
            "2026-11-20",
            {"C1": TWENTY_DAYS_OWED, "C9": "100.00 kept, 50.00 back (50.00 offset)"},
            renewals=("2026-12-01", "2027-01-01"),
        ),
    ),
    Story(
        "one of two seats is given up",
        """100.00 for the team and 60.00 for each of two seats, a line each. The second seat is given up on 16 November:
        60.00 × 15 ÷ 30 = 30.00 of it is kept, 30.00 is offset; the team's 100.00 and the first seat's 60.00 stay. A
        third seat, which there never was, cannot be given up.""",
        (
            started(
                "2026-11-01",
                lines=[
                    {"line_id": "TEAM", "amount": "100.00"},
                    {"line_id": "SEAT-1", "amount": "60.00"},
                    {"line_id": "SEAT-2", "amount": "60.00"},
                ],
            ),
            issued(
                "2026-11-01 08:00",
                "INV-1",
                charge("T", "2026-11-01", "2026-12-01", "100.00", line_id="TEAM"),
                charge("S1", "2026-11-01", "2026-12-01", "60.00", line_id="SEAT-1"),
                charge("S2", "2026-11-01", "2026-12-01", "60.00", line_id="SEAT-2"),
            ),
            cancel("2026-11-12 09:00", on("2026-11-16"), line_ids=["SEAT-2"]),
            cancel("2026-11-12 09:05", on("2026-11-16"), line_ids=["SEAT-3"]),
        ),
        Expected(
            "active",
            None,
            None,
            {"T": "100.00 kept", "S1": "60.00 kept", "S2": "30.00 kept, 30.00 back (30.00 offset)"},
            renewals=("2026-12-01",),
            refused=("unknown-line",),
        ),
    ),
    Story(
        "an extra that ends next month, where invoicing reports nothing",
        """300.00 and an extra of 150.00; each period that has begun counts as issued at its list price. The extra
        alone is to end on 11 December. As December begins its last period is shortened, and 150.00 × 10 ÷ 31 =
        48.387…, so 48.39 is kept of it and 101.61 given back; the other line's 300.00 are kept.""",
        (
            policy("2026-10-01 12:00", charges="implied"),
            started("2026-11-01", lines=TWO_LINES),
            cancel("2026-11-12 09:00", on("2026-12-11"), line_ids=["L2"]),
            Clock("2026-12-01 00:00"),
        ),
        Expected(
            "active",
            None,
            None,
            {
                "L1 from 2026-12-01": "300.00 kept",
                "L2 from 2026-12-01": "48.39 kept, 101.61 back (101.61 offset)",
            },
            renewals=("2027-01-01",),
            told=("cancellation-scheduled", "renewal-cancelled", "period-shortened", "credit-adjustment"),
        ),
    ),
)

STORIES = (*PRICES, *PAUSES, *LINES)
