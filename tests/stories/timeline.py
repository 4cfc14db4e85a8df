"""The timeline shows plainly when the subscription ends, and that it has."""

# ruff: noqa: RUF001, RUF003  × is the sign that a bill is worked out with

from __future__ import annotations

from dataclasses import replace

from tests.stories.story import (
    CANCELLED,
    NOVEMBER,
    NOVEMBER_PAID,
    TWENTY_DAYS_OWED,
    TWENTY_DAYS_PAID,
    Clock,
    Expected,
    Story,
    issued,
    started,
)

STORIES = (
    Story(
        "a week without a clock",
        """The end is 21 November, and the service stands still from the 20th to the 28th. When it looks at its clock
        again the subscription is ended as of the 21st, and that is said: 300.00 × 20 ÷ 30 = 200.00 was kept, 100.00
        refundable, and usage is cut off where access ended and not where the clock was looked at.""",
        (*NOVEMBER_PAID, CANCELLED, Clock("2026-11-28 12:00")),
        Expected(
            "ended",
            "2026-11-21",
            "2026-11-20",
            {"C1": TWENTY_DAYS_PAID},
            renewals=("2026-12-01",),
            ends_at="2026-11-21T00:00:00+01:00",
            cutoff="2026-11-21T00:00:00+01:00",
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
        "asked before the subscription is known",
        """The request of 12 November at 09:00 is here first; the subscription itself is heard of at 12:00. The request
        has waited, and is decided at its own time: 300.00 × 20 ÷ 30 = 200.00 is kept, 100.00 is offset when
        November's invoice comes in as well.""",
        (
            CANCELLED,
            replace(started("2026-11-01"), seen="2026-11-12 12:00"),
            issued("2026-11-01 08:00", "INV-1", NOVEMBER, seen="2026-11-12 12:05"),
        ),
        Expected(
            "ending",
            "2026-11-21",
            "2026-11-20",
            {"C1": TWENTY_DAYS_OWED},
            renewals=("2026-12-01",),
            requested="2026-11-21",
        ),
    ),
    Story(
        "asked of a subscription that nobody ever tells of",
        """The request has waited 24 hours, from 09:00 on the 12th to 09:00 on the 13th, and is then refused.""",
        (CANCELLED, Clock("2026-11-13 09:00")),
        Expected("never heard of", None, None, {}, refused=("unknown-subscription",)),
    ),
)
