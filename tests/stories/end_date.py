"""It starts with one choice, the day it ends: at once, with the period, or on a date that is named."""

# ruff: noqa: RUF001, RUF003  × is the sign that a bill is worked out with

from __future__ import annotations

from tests.stories.story import (
    DECEMBER,
    DECEMBER_PLANNED,
    EARLIEST,
    END_OF_INVOICED,
    END_OF_PERIOD,
    END_OF_TERM,
    IMMEDIATELY,
    NOVEMBER,
    NOVEMBER_ISSUED,
    NOVEMBER_PAID,
    TWENTY_DAYS_OWED,
    TWENTY_DAYS_PAID,
    Clock,
    Expected,
    Story,
    cancel,
    charge,
    instant,
    issued,
    last_day,
    move,
    on,
    paid,
    planned,
    policy,
    started,
)

MODES = (
    Story(
        "at once, a second into the day",
        """Asked on 20 November at 00:00:01 to end at once. The day has begun, so it counts: 20 of 30 days,
        300.00 × 20 ÷ 30 = 200.00 is kept and 100.00 is refundable. Access, though, ends at that very second, and the
        end is sealed a minute later.""",
        (*NOVEMBER_PAID, cancel("2026-11-20 00:00:01", IMMEDIATELY), Clock("2026-11-20 00:01:01")),
        Expected(
            "ended",
            "2026-11-21",
            "2026-11-20",
            {"C1": TWENTY_DAYS_PAID},
            renewals=("2026-12-01",),
            ends_at="2026-11-20T00:00:01+01:00",
            told=(
                "cancellation-scheduled",
                "period-shortened",
                "renewal-cancelled",
                "credit-adjustment",
                "subscription-ended",
            ),
        ),
    ),
    Story(
        "at once, where the day of cancellation is free",
        """The merchant gives the day of cancellation away. Asked on 20 November at 15:00 at once: the last day paid
        for is the 19th; 300.00 × 19 ÷ 30 = 190.00 is kept, 110.00 is refundable.""",
        (
            policy("2026-10-01 12:00", day_of_cancellation="free"),
            *NOVEMBER_PAID,
            cancel("2026-11-20 15:00", IMMEDIATELY),
        ),
        Expected(
            "ended",
            "2026-11-20",
            "2026-11-19",
            {"C1": "190.00 kept, 110.00 back (110.00 refundable)"},
            renewals=("2026-12-01",),
            ends_at="2026-11-20T15:00:00+01:00",
        ),
    ),
    Story(
        "to the end of the period",
        """Asked on 12 November to the end of the period: November runs out, its 300.00 are kept, and December, which
        is planned, is withdrawn.""",
        (*NOVEMBER_PAID, DECEMBER_PLANNED, cancel("2026-11-12 09:00", END_OF_PERIOD)),
        Expected(
            "ending",
            "2026-12-01",
            "2026-11-30",
            {"C1": "300.00 kept", "C2": "planned 0.00"},
            renewals=("2026-12-01",),
            shortened=(),
            told=("cancellation-scheduled", "renewal-cancelled"),
        ),
    ),
    Story(
        "to the end of the period in its last second",
        """At 23:59:59 on 30 November the period is still November, and it ends a second later: the 300.00 are kept,
        December does not come.""",
        (*NOVEMBER_PAID, cancel("2026-11-30 23:59:59", END_OF_PERIOD)),
        Expected("ending", "2026-12-01", "2026-11-30", {"C1": "300.00 kept"}, renewals=("2026-12-01",)),
    ),
    Story(
        "to the end of the period, with the next invoiced ahead",
        """December is issued and paid already on 10 November. It is not the current period for that: the end is
        1 December, November's 300.00 are kept and December's 300.00 are refundable whole.""",
        (
            *NOVEMBER_PAID,
            issued("2026-11-10 08:00", "INV-2", DECEMBER),
            paid("2026-11-11 08:00", "INV-2", "300.00"),
            cancel("2026-11-12 09:00", END_OF_PERIOD),
        ),
        Expected(
            "ending",
            "2026-12-01",
            "2026-11-30",
            {"C1": "300.00 kept", "C2": "0.00 kept, 300.00 back (300.00 refundable)"},
            renewals=("2026-12-01",),
        ),
    ),
    Story(
        "when everything invoiced has run out",
        """November and December are issued, January only planned. All that is invoiced runs out: the end is
        1 January, 300.00 are kept of each month, January's plan is withdrawn.""",
        (
            *NOVEMBER_PAID,
            issued("2026-11-10 08:00", "INV-2", DECEMBER),
            planned("2026-11-10 09:00", "INV-3", charge("C3", "2027-01-01", "2027-02-01", "300.00")),
            cancel("2026-11-12 09:00", END_OF_INVOICED),
        ),
        Expected(
            "ending",
            "2027-01-01",
            "2026-12-31",
            {"C1": "300.00 kept", "C2": "300.00 kept", "C3": "planned 0.00"},
            renewals=("2027-01-01",),
            adjustments=(),
        ),
    ),
    Story(
        "what was invoiced before the request and is heard of later does",
        """December was issued on 11 November, the customer asked on the 12th until everything invoiced has run out,
        and we hear of the invoice on the 13th. It was there when she asked: both months' 300.00 are kept and the end
        is 1 January, as if the messages had come in order.""",
        (
            *NOVEMBER_PAID,
            cancel("2026-11-12 09:00", END_OF_INVOICED),
            issued("2026-11-11 08:00", "INV-2", DECEMBER, seen="2026-11-13 08:00"),
        ),
        Expected(
            "ending",
            "2027-01-01",
            "2026-12-31",
            {"C1": "300.00 kept", "C2": "300.00 kept"},
            renewals=("2027-01-01",),
        ),
    ),
    Story(
        "at the end of the binding",
        """Bound for six months from 1 November: to 1 May. Asked on 10 December to the end of the term. December is
        planned and stays so, 300.00.""",
        (
            started("2026-11-01", terms={"minimum_term": "P6M"}),
            planned("2026-12-01 08:00", "INV-2", DECEMBER),
            cancel("2026-12-10 09:00", END_OF_TERM),
        ),
        Expected(
            "ending", "2027-05-01", "2027-04-30", {"C2": "planned 300.00"}, renewals=("2027-05-01",), shortened=()
        ),
    ),
    Story(
        "on a date, by the last active day",
        """20 November is the last active day: the same 20 of 30 days, 200.00 kept, 100.00 offset.""",
        (*NOVEMBER_ISSUED, cancel("2026-11-12 09:00", last_day("2026-11-20"))),
        Expected(
            "ending",
            "2026-11-21",
            "2026-11-20",
            {"C1": TWENTY_DAYS_OWED},
            renewals=("2026-12-01",),
            ends_at="2026-11-21T00:00:00+01:00",
        ),
    ),
    Story(
        "on a date, by an instant in the middle of a day",
        """Access is to end on 20 November at 15:00. The day has begun by then and counts: 200.00 kept, 100.00
        offset.""",
        (*NOVEMBER_ISSUED, cancel("2026-11-12 09:00", instant("2026-11-20T15:00:00+01:00"))),
        Expected(
            "ending",
            "2026-11-21",
            "2026-11-20",
            {"C1": TWENTY_DAYS_OWED},
            renewals=("2026-12-01",),
            ends_at="2026-11-20T15:00:00+01:00",
        ),
    ),
    Story(
        "on a date, by an instant that is another day elsewhere",
        """23:30 in Greenwich on 20 November is 00:30 on the 21st in Copenhagen, where the subscription lives, so the
        21st has begun: 300.00 × 21 ÷ 30 = 210.00 is kept, 90.00 is offset.""",
        (*NOVEMBER_ISSUED, cancel("2026-11-12 09:00", instant("2026-11-20T23:30:00Z"))),
        Expected(
            "ending",
            "2026-11-22",
            "2026-11-21",
            {"C1": "210.00 kept, 90.00 back (90.00 offset)"},
            renewals=("2026-12-01",),
            ends_at="2026-11-21T00:30:00+01:00",
        ),
    ),
    Story(
        "at once, before it has started",
        """Starting on 1 November, regretted on 25 October. It ends as it starts: no day is active, nothing is kept
        of the 300.00 that are planned, and the first period is cancelled.""",
        (
            started("2026-11-01"),
            planned("2026-10-21 08:00", "INV-1", NOVEMBER),
            cancel("2026-10-25 09:00", IMMEDIATELY),
        ),
        Expected("ending", "2026-11-01", "2026-10-31", {"C1": "planned 0.00"}, renewals=("2026-11-01",)),
    ),
    Story(
        "a date before the start",
        """31 October as the end of a subscription that starts on 1 November is refused, and the 300.00 stay.""",
        (*NOVEMBER_PAID, cancel("2026-11-12 09:00", on("2026-10-31"))),
        Expected("active", None, None, {"C1": "300.00 kept"}, refused=("end-before-start",)),
    ),
)

TERMS = (
    Story(
        "thirty days' notice from 31 January",
        """310.00 kr. a month, 30 days' notice to the day. Asked on 31 January 2027 as early as can be: 30 days later
        is 2 March (28 days to 28 February, two more). February's 310.00 are kept; of March one day is active,
        310.00 × 1 ÷ 31 = 10.00, which is what stays planned.""",
        (
            started("2027-01-01", "310.00", terms={"notice": "P30D"}),
            issued("2027-01-25 08:00", "INV-2", charge("C2", "2027-02-01", "2027-03-01", "310.00")),
            planned("2027-01-25 09:00", "INV-3", charge("C3", "2027-03-01", "2027-04-01", "310.00")),
            cancel("2027-01-31 09:00", EARLIEST),
        ),
        Expected(
            "ending",
            "2027-03-02",
            "2027-03-01",
            {"C2": "310.00 kept", "C3": "planned 10.00"},
            renewals=("2027-04-01",),
            permitted="2027-03-02",
        ),
    ),
    Story(
        "a month's notice from 31 January",
        """The same with a month's notice: a month after 31 January is 28 February. 27 of February's 28 days are active:
        310.00 × 27 ÷ 28 = 298.928…, so 298.93 is kept and 11.07 is offset; March is withdrawn.""",
        (
            started("2027-01-01", "310.00", terms={"notice": "P1M"}),
            issued("2027-01-25 08:00", "INV-2", charge("C2", "2027-02-01", "2027-03-01", "310.00")),
            planned("2027-01-25 09:00", "INV-3", charge("C3", "2027-03-01", "2027-04-01", "310.00")),
            cancel("2027-01-31 09:00", EARLIEST),
        ),
        Expected(
            "ending",
            "2027-02-28",
            "2027-02-27",
            {"C2": "298.93 kept, 11.07 back (11.07 offset)", "C3": "planned 0.00"},
            renewals=("2027-03-01",),
            permitted="2027-02-28",
        ),
    ),
    Story(
        "a month's notice to the end of a month",
        """Asked on 12 November: a month later is 12 December, in the middle of a month, so the end is 1 January.
        November's 300.00 are kept, December stays planned at 300.00.""",
        (
            started("2026-11-01", terms={"notice": "P1M", "notice_to": "month-end"}),
            issued("2026-11-01 08:00", "INV-1", NOVEMBER),
            DECEMBER_PLANNED,
            cancel("2026-11-12 09:00", EARLIEST),
        ),
        Expected(
            "ending",
            "2027-01-01",
            "2026-12-31",
            {"C1": "300.00 kept", "C2": "planned 300.00"},
            renewals=("2027-01-01",),
            permitted="2027-01-01",
        ),
    ),
    Story(
        "notice to the end of a period, missed by a day",
        """Periods begin on the 15th, notice is 14 days to the end of a period. Asked on 2 December: 14 days later is
        the 16th, a day into the next period, so the end is 15 January. The 300.00 of each period are kept as they
        are.""",
        (
            started("2026-11-15", terms={"notice": "P14D", "notice_to": "period-end"}),
            issued("2026-11-15 08:00", "INV-1", charge("C1", "2026-11-15", "2026-12-15", "300.00")),
            planned("2026-11-20 08:00", "INV-2", charge("C2", "2026-12-15", "2027-01-15", "300.00")),
            cancel("2026-12-02 09:00", EARLIEST),
        ),
        Expected(
            "ending",
            "2027-01-15",
            "2027-01-14",
            {"C1": "300.00 kept", "C2": "planned 300.00"},
            renewals=("2027-01-15",),
        ),
    ),
    Story(
        "six months' binding and a month's notice to the end of a month, in the binding",
        """Started on 15 November: bound to 15 May. Asked on 1 December, notice would be over on 1 January, but the
        binding is later, and it too is taken to the end of a month: 1 June.""",
        (
            started("2026-11-15", terms={"minimum_term": "P6M", "notice": "P1M", "notice_to": "month-end"}),
            cancel("2026-12-01 09:00", EARLIEST),
        ),
        Expected("ending", "2027-06-01", "2027-05-31", {}, renewals=("2027-06-15",), permitted="2027-06-01"),
    ),
    Story(
        "too early a date is moved to the earliest permitted",
        """A month's notice to the day. Asked on 12 November for 1 December; the earliest is 12 December, so that is
        the end. 310.00 kr. a month: November is kept whole, 310.00; of December 11 of 31 days,
        310.00 × 11 ÷ 31 = 110.00, stay planned. What was asked for is told as well.""",
        (
            started("2026-11-01", "310.00", terms={"notice": "P1M"}),
            issued("2026-11-01 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "310.00")),
            planned("2026-11-03 08:00", "INV-2", charge("C2", "2026-12-01", "2027-01-01", "310.00")),
            cancel("2026-11-12 09:00", on("2026-12-01")),
        ),
        Expected(
            "ending",
            "2026-12-12",
            "2026-12-11",
            {"C1": "310.00 kept", "C2": "planned 110.00"},
            renewals=("2027-01-01",),
            requested="2026-12-01",
            permitted="2026-12-12",
        ),
    ),
    Story(
        "too early a date is refused where the merchant wants that",
        """The same month's notice, but the merchant refuses what is too early. 1 December is refused, nothing is
        scheduled and the 300.00 stay. 12 December is not too early, and is what it then becomes: November is whole
        either way.""",
        (
            policy("2026-10-01 12:00", on_early_end="refuse"),
            started("2026-11-01", terms={"notice": "P1M"}),
            issued("2026-11-01 08:00", "INV-1", NOVEMBER),
            cancel("2026-11-12 09:00", on("2026-12-01")),
            cancel("2026-11-12 09:05", on("2026-12-12")),
        ),
        Expected(
            "ending",
            "2026-12-12",
            "2026-12-11",
            {"C1": "300.00 kept"},
            renewals=("2027-01-01",),
            refused=("end-before-permitted",),
            permitted="2026-12-12",
        ),
    ),
    Story(
        "terms set aside by somebody who says why",
        """A month's notice, but support lets the customer go on 21 November: 300.00 × 20 ÷ 30 = 200.00 is kept,
        100.00 is refundable. The earliest permitted end, 12 December, is still told.""",
        (
            started("2026-11-01", terms={"notice": "P1M"}),
            issued("2026-11-01 08:00", "INV-1", NOVEMBER),
            paid("2026-11-02 08:00", "INV-1", "300.00"),
            cancel(
                "2026-11-12 09:00",
                on("2026-11-21"),
                override_terms={"by": "support: Maja", "why": "the town has no more deliveries"},
            ),
        ),
        Expected(
            "ending",
            "2026-11-21",
            "2026-11-20",
            {"C1": TWENTY_DAYS_PAID},
            renewals=("2026-12-01",),
            requested="2026-11-21",
            permitted="2026-12-12",
        ),
    ),
    Story(
        "at once, with notice to give",
        """14 days' notice. At once on 12 November would be to the 13th, but the earliest is 26 November, and then
        access ends as that day begins. 300.00 × 25 ÷ 30 = 250.00 is kept, 50.00 is offset.""",
        (
            started("2026-11-01", terms={"notice": "P14D"}),
            issued("2026-11-01 08:00", "INV-1", NOVEMBER),
            cancel("2026-11-12 09:00", IMMEDIATELY),
        ),
        Expected(
            "ending",
            "2026-11-26",
            "2026-11-25",
            {"C1": "250.00 kept, 50.00 back (50.00 offset)"},
            renewals=("2026-12-01",),
            ends_at="2026-11-26T00:00:00+01:00",
            requested="2026-11-13",
            permitted="2026-11-26",
        ),
    ),
    Story(
        "a move gives notice too",
        """14 days' notice. Cancelled to 15 December, and moved on 12 November to the 20th: the earliest, counted from
        the move, is the 26th. 300.00 × 25 ÷ 30 = 250.00 is kept, 50.00 is offset.""",
        (
            started("2026-11-01", terms={"notice": "P14D"}),
            issued("2026-11-01 08:00", "INV-1", NOVEMBER),
            cancel("2026-11-02 09:00", on("2026-12-15")),
            move("2026-11-12 09:00", on("2026-11-20")),
        ),
        Expected(
            "ending",
            "2026-11-26",
            "2026-11-25",
            {"C1": "250.00 kept, 50.00 back (50.00 offset)"},
            renewals=("2026-12-01", "2027-01-01"),
            requested="2026-11-20",
            permitted="2026-11-26",
        ),
    ),
)

BACK = (
    Story(
        "366 days back and no more",
        """366 days before 12 November 2026, a year and a day, is 11 November 2025. The 10th is refused, the
        11th accepted. November 2025 was billed 300.00: 1–10 November are 10 of 30 days, 100.00 is kept and 200.00
        is offset.""",
        (
            started("2025-01-01"),
            issued("2025-11-01 08:00", "INV-11", charge("C11", "2025-11-01", "2025-12-01", "300.00")),
            cancel("2026-11-12 09:00", on("2025-11-10")),
            cancel("2026-11-12 09:05", on("2025-11-11")),
        ),
        Expected(
            "ended",
            "2025-11-11",
            "2025-11-10",
            {"C11": "100.00 kept, 200.00 back (200.00 offset)"},
            renewals=("2025-12-01",),
            refused=("end-too-far-back",),
        ),
    ),
    Story(
        "an end that lies years back",
        """365.00 kr. a year by the calendar year, paid every January; the merchant goes back 1,500 days. On
        12 November 2026 the customer is found to have left on 15 March 2023. 1 January–15 March 2023 are
        31 + 28 + 15 = 74 days: 365.00 × 74 ÷ 365 = 74.00 is kept, 291.00 is refundable. 2024, a leap year or not,
        2025 and 2026 are refundable whole, 365.00 each. 2022 is closed and stays at 365.00.""",
        (
            policy("2021-12-01 12:00", earliest_backdate_days=1500),
            started("2022-01-01", "365.00", interval="P1Y"),
            *(
                step
                for year in range(2022, 2027)
                for step in (
                    issued(
                        f"{year}-01-01 08:00",
                        f"INV-{year}",
                        charge(f"Y{year}", f"{year}-01-01", f"{year + 1}-01-01", "365.00"),
                    ),
                    paid(f"{year}-01-05 08:00", f"INV-{year}", "365.00"),
                )
            ),
            cancel("2026-11-12 09:00", last_day("2023-03-15")),
        ),
        Expected(
            "ended",
            "2023-03-16",
            "2023-03-15",
            {
                "Y2022": "365.00 kept",
                "Y2023": "74.00 kept, 291.00 back (291.00 refundable)",
                "Y2024": "0.00 kept, 365.00 back (365.00 refundable)",
                "Y2025": "0.00 kept, 365.00 back (365.00 refundable)",
                "Y2026": "0.00 kept, 365.00 back (365.00 refundable)",
            },
            renewals=("2024-01-01", "2025-01-01", "2026-01-01"),
        ),
    ),
)

STORIES = (*MODES, *TERMS, *BACK)
