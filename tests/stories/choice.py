"""Whether the last period is charged in part or in whole is the merchant's choice."""

# ruff: noqa: RUF001, RUF003  × is the sign that a bill is worked out with

from __future__ import annotations

from tests.stories.story import (
    CANCELLED,
    DECEMBER,
    NOVEMBER,
    NOVEMBER_PAID,
    Expected,
    Story,
    cancel,
    charge,
    issued,
    move,
    on,
    paid,
    policy,
    started,
)

STORIES = (
    Story(
        "the period that has begun is kept whole",
        """The merchant keeps periods whole. The end is 21 November: November's 300.00 are kept, though it is shortened
        on the timeline. December begins after the end, so its 300.00, issued ahead and not paid, are offset whole.""",
        (
            policy("2026-10-01 12:00", settlement="full-period"),
            *NOVEMBER_PAID,
            issued("2026-11-10 08:00", "INV-2", DECEMBER),
            CANCELLED,
        ),
        Expected(
            "ending",
            "2026-11-21",
            "2026-11-20",
            {"C1": "300.00 kept", "C2": "0.00 kept, 300.00 back (300.00 offset)"},
            renewals=("2026-12-01",),
            shortened=("2026-11-01 to 2026-11-21",),
            settlement="full-period",
        ),
    ),
    Story(
        "what was agreed with this customer goes before the merchant's rule",
        """The merchant credits the last period whole, but this subscription's terms keep it whole: the 300.00 stay.""",
        (
            policy("2026-10-01 12:00", settlement="refund-period"),
            started("2026-11-01", terms={"settlement": "full-period"}),
            issued("2026-11-01 08:00", "INV-1", NOVEMBER),
            CANCELLED,
        ),
        Expected(
            "ending",
            "2026-11-21",
            "2026-11-20",
            {"C1": "300.00 kept"},
            renewals=("2026-12-01",),
            settlement="full-period",
        ),
    ),
    Story(
        "what the request says goes before both",
        """The merchant keeps periods whole, the terms divide them, and support gives this one back whole: the 300.00
        are refundable. October, at 300.00, was closed before.""",
        (
            policy("2026-09-01 12:00", settlement="full-period"),
            started("2026-10-01", terms={"settlement": "prorate"}),
            issued("2026-10-01 08:00", "INV-0", charge("C0", "2026-10-01", "2026-11-01", "300.00")),
            issued("2026-11-01 08:00", "INV-1", NOVEMBER),
            paid("2026-11-02 08:00", "INV-1", "300.00"),
            cancel("2026-11-12 09:00", on("2026-11-21"), settlement="refund-period"),
        ),
        Expected(
            "ending",
            "2026-11-21",
            "2026-11-20",
            {"C0": "300.00 kept", "C1": "0.00 kept, 300.00 back (300.00 refundable)"},
            renewals=("2026-12-01",),
            settlement="refund-period",
        ),
    ),
    Story(
        "the choice is changed, and not the end",
        """Divided first: 300.00 × 20 ÷ 30 = 200.00 kept and 100.00 credited. The next day the same end is asked for
        with the period kept whole: the 100.00 are taken back and 300.00 is kept.""",
        (
            *NOVEMBER_PAID,
            CANCELLED,
            move("2026-11-13 09:00", on("2026-11-21"), settlement="full-period"),
        ),
        Expected(
            "ending",
            "2026-11-21",
            "2026-11-20",
            {"C1": "300.00 kept"},
            renewals=("2026-12-01",),
            settlement="full-period",
            adjustments=("credit 100.00 on C1, open", "debit 100.00 on C1, open"),
        ),
    ),
)
