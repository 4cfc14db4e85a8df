"""If the end falls inside a period, that is cut short and the time used is paid for: not more and not less."""

# ruff: noqa: RUF001, RUF003  × is the sign that a bill is worked out with

from __future__ import annotations

from tests.stories.story import (
    CANCELLED,
    DECEMBER,
    END_OF_PERIOD,
    IMMEDIATELY,
    NOVEMBER,
    Clock,
    Expected,
    Story,
    cancel,
    charge,
    fee,
    issued,
    last_day,
    on,
    paid,
    planned,
    policy,
    started,
)

ROUNDING = (
    Story(
        "half an øre goes up",
        """100.01 kr. for November, 15 of 30 days: 50.005, half an øre, goes up: 50.01 is kept, 50.00 is offset.""",
        (
            started("2026-11-01", "100.01"),
            issued("2026-11-01 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "100.01")),
            cancel("2026-11-05 09:00", on("2026-11-16")),
        ),
        Expected(
            "ending",
            "2026-11-16",
            "2026-11-15",
            {"C1": "50.01 kept, 50.00 back (50.00 offset)"},
            renewals=("2026-12-01",),
        ),
    ),
    Story(
        "half an øre goes to the even one below",
        """The merchant rounds half to even. 100.01 × 15 ÷ 30 = 50.005: the even øre is 50.00. 50.01 is offset.""",
        (
            policy("2026-10-01 12:00", rounding="half-even"),
            started("2026-11-01", "100.01"),
            issued("2026-11-01 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "100.01")),
            cancel("2026-11-05 09:00", on("2026-11-16")),
        ),
        Expected(
            "ending",
            "2026-11-16",
            "2026-11-15",
            {"C1": "50.00 kept, 50.01 back (50.01 offset)"},
            renewals=("2026-12-01",),
        ),
    ),
    Story(
        "a dinar has a thousand fils",
        """10.000 BHD for November, 7 of 30 days: 10.000 × 7 ÷ 30 = 2.3333…, three decimals: 2.333 is kept, 7.667 is
        offset.""",
        (
            started("2026-11-01", "10.000", currency="BHD", time_zone="Asia/Bahrain"),
            issued("2026-11-01 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "10.000")),
            cancel("2026-11-05 09:00", last_day("2026-11-07")),
        ),
        Expected(
            "ending",
            "2026-11-08",
            "2026-11-07",
            {"C1": "2.333 kept, 7.667 back (7.667 offset)"},
            renewals=("2026-12-01",),
        ),
        zone="Asia/Bahrain",
    ),
    Story(
        "each line is rounded by itself",
        """Two lines, 100.00 and 50.00, ten of 30 days: 33.333… and 16.666… become 33.33 and 16.67, with 66.67 and 33.33
        offset. (Together 150.00 × 10 ÷ 30 = 50.00, which they happen to add up to.)""",
        (
            started(
                "2026-11-01",
                lines=[{"line_id": "L1", "amount": "100.00"}, {"line_id": "L2", "amount": "50.00"}],
            ),
            issued(
                "2026-11-01 08:00",
                "INV-1",
                charge("C1", "2026-11-01", "2026-12-01", "100.00"),
                charge("C2", "2026-11-01", "2026-12-01", "50.00", line_id="L2"),
            ),
            cancel("2026-11-05 09:00", on("2026-11-11")),
        ),
        Expected(
            "ending",
            "2026-11-11",
            "2026-11-10",
            {"C1": "33.33 kept, 66.67 back (66.67 offset)", "C2": "16.67 kept, 33.33 back (33.33 offset)"},
            renewals=("2026-12-01",),
        ),
    ),
)

CHARGES = (
    Story(
        "tax is part of the amount and is divided with it",
        """125.00 for December, of which 25.00 is tax; 20 of 31 days. 125.00 × 20 ÷ 31 = 80.645… → 80.65 is kept,
        125.00 − 80.65 = 44.35 is refundable. The tax: 25.00 × 20 ÷ 31 = 16.129… → 16.13 is kept, so
        25.00 − 16.13 = 8.87 of what is given back is tax.""",
        (
            started("2026-12-01", "125.00"),
            issued("2026-12-01 08:00", "INV-1", charge("C1", "2026-12-01", "2027-01-01", "125.00", tax_amount="25.00")),
            paid("2026-12-02 08:00", "INV-1", "125.00"),
            cancel("2026-12-05 09:00", on("2026-12-21")),
        ),
        Expected(
            "ending",
            "2026-12-21",
            "2026-12-20",
            {"C1": "80.65 kept, 44.35 back, 8.87 of it tax (44.35 refundable)"},
            renewals=("2027-01-01",),
        ),
    ),
    Story(
        "a discount is inside the amount",
        """The list price is 300.00, but with a fifth off November was billed 240.00. What was billed is what is
        divided: 240.00 × 20 ÷ 30 = 160.00 is kept, 80.00 is offset.""",
        (
            started("2026-11-01"),
            issued("2026-11-01 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "240.00")),
            CANCELLED,
        ),
        Expected(
            "ending",
            "2026-11-21",
            "2026-11-20",
            {"C1": "160.00 kept, 80.00 back (80.00 offset)"},
            renewals=("2026-12-01",),
        ),
    ),
    Story(
        "a fee and usage are not divided, and usage is cut off",
        """On November's invoice: 300.00 for the month, a fee of 99.00 and 12.00 for calls in November. Only the month
        is divided: 200.00 kept, 100.00 offset. The fee's 99.00 and the calls' 12.00 are kept. Usage counts until
        access ends, as 21 November begins.""",
        (
            started("2026-11-01"),
            issued(
                "2026-11-01 08:00",
                "INV-1",
                NOVEMBER,
                fee("SETUP", "99.00"),
                charge("CALLS", "2026-11-01", "2026-12-01", "12.00", kind="usage"),
            ),
            CANCELLED,
            Clock("2026-11-21 00:01"),
        ),
        Expected(
            "ended",
            "2026-11-21",
            "2026-11-20",
            {
                "C1": "200.00 kept, 100.00 back (100.00 offset)",
                "SETUP": "99.00 kept",
                "CALLS": "12.00 kept",
            },
            renewals=("2026-12-01",),
            cutoff="2026-11-21T00:00:00+01:00",
        ),
    ),
    Story(
        "by the second, in a month with an hour more",
        """The merchant counts by the second. As the clocks go back on the 25th, October 2026 has 31 × 24 + 1 = 745
        hours; 745.00 is billed. Asked on the 25th at 12:00 at once: 24 days and, as one hour came twice that night, 13
        hours have passed, 24 × 24 + 13 = 589 hours. 745.00 × 589 ÷ 745 = 589.00 is kept, 156.00 is offset.""",
        (
            policy("2026-09-01 12:00", proration="second"),
            started("2026-10-01", "745.00"),
            issued("2026-10-01 08:00", "INV-1", charge("C1", "2026-10-01", "2026-11-01", "745.00")),
            cancel("2026-10-25 12:00", IMMEDIATELY),
        ),
        Expected(
            "ended",
            "2026-10-26",
            "2026-10-25",
            {"C1": "589.00 kept, 156.00 back (156.00 offset)"},
            renewals=("2026-11-01T00:00:00+01:00",),
            ends_at="2026-10-25T12:00:00+01:00",
        ),
    ),
    Story(
        "the months before the last are closed",
        """The end is 21 December. December, 310.00: 310.00 × 20 ÷ 31 = 200.00 is kept, 110.00 offset. November's 310.00
        were due while it lived and are not looked at again.""",
        (
            started("2026-11-01", "310.00"),
            issued("2026-11-01 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "310.00")),
            issued("2026-12-01 08:00", "INV-2", charge("C2", "2026-12-01", "2027-01-01", "310.00")),
            cancel("2026-12-05 09:00", on("2026-12-21")),
        ),
        Expected(
            "ending",
            "2026-12-21",
            "2026-12-20",
            {"C1": "310.00 kept", "C2": "200.00 kept, 110.00 back (110.00 offset)"},
            renewals=("2027-01-01",),
        ),
    ),
)

ARREARS = (
    Story(
        "in arrears, the plan shrinks",
        """Billed when the month is over. November is planned at 300.00 and cut short to 20 of 30 days: 200.00 stays
        planned. It is issued like that on 1 December, 200.00 are kept, and nothing has been credited.""",
        (
            started("2026-11-01", billing="in-arrears"),
            planned("2026-11-01 08:00", "INV-1", NOVEMBER),
            CANCELLED,
            Clock("2026-11-21 00:01"),
            issued("2026-12-01 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "200.00")),
        ),
        Expected(
            "ended",
            "2026-11-21",
            "2026-11-20",
            {"C1": "200.00 kept"},
            renewals=("2026-12-01",),
            adjustments=(),
        ),
    ),
    Story(
        "in arrears, something was issued past the end",
        """November was billed in arrears on 1 December, 300.00, not paid. On 3 December the customer turns out to have
        left on 20 November: 200.00 is kept, 100.00 is offset. December, planned, is withdrawn.""",
        (
            started("2026-11-01", billing="in-arrears"),
            issued("2026-12-01 08:00", "INV-1", NOVEMBER),
            planned("2026-12-01 09:00", "INV-2", DECEMBER),
            cancel("2026-12-03 09:00", last_day("2026-11-20")),
        ),
        Expected(
            "ended",
            "2026-11-21",
            "2026-11-20",
            {"C1": "200.00 kept, 100.00 back (100.00 offset)", "C2": "planned 0.00"},
            renewals=("2026-12-01",),
        ),
    ),
)

TRIAL = {"trial_end_date": "2026-11-15"}
FIRST_PAID = charge("C1", "2026-11-15", "2026-12-15", "300.00")

TRIALS = (
    Story(
        "a free trial earns nothing",
        """Free from 1 to 14 November; the first paid period, 15 November–14 December, is planned at 300.00. Cancelled
        on 10 November at once: nothing was earned, the first paid period is withdrawn.""",
        (
            started("2026-11-01", **TRIAL),
            planned("2026-11-01 08:00", "INV-1", FIRST_PAID),
            cancel("2026-11-10 09:00", IMMEDIATELY),
        ),
        Expected("ended", "2026-11-11", "2026-11-10", {"C1": "planned 0.00"}, renewals=("2026-11-15",)),
    ),
    Story(
        "a trial runs out",
        """The same, to the end of the period: that is the trial's, 15 November. It runs out and nothing is ever paid,
        though the first paid period was issued and paid ahead: its 300.00 are refundable.""",
        (
            started("2026-11-01", **TRIAL),
            issued("2026-11-01 08:00", "INV-1", FIRST_PAID),
            paid("2026-11-02 08:00", "INV-1", "300.00"),
            cancel("2026-11-10 09:00", END_OF_PERIOD),
        ),
        Expected(
            "ending",
            "2026-11-15",
            "2026-11-14",
            {"C1": "0.00 kept, 300.00 back (300.00 refundable)"},
            renewals=("2026-11-15",),
        ),
    ),
    Story(
        "ten days after a trial",
        """The end is 25 November, ten days into the first paid period of 30 days: 300.00 × 10 ÷ 30 = 100.00 is kept,
        200.00 is offset. The trial's 14 days are in neither number.""",
        (
            started("2026-11-01", **TRIAL),
            issued("2026-11-15 08:00", "INV-1", FIRST_PAID),
            cancel("2026-11-16 09:00", on("2026-11-25")),
        ),
        Expected(
            "ending",
            "2026-11-25",
            "2026-11-24",
            {"C1": "100.00 kept, 200.00 back (200.00 offset)"},
            renewals=("2026-12-15",),
            shortened=("2026-11-15 to 2026-11-25",),
        ),
    ),
)

STORIES = (*ROUNDING, *CHARGES, *ARREARS, *TRIALS)
