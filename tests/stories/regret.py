"""Until the subscription has ended, the cancellation can be taken back or moved."""

# ruff: noqa: RUF001, RUF003  × is the sign that a bill is worked out with

from __future__ import annotations

from dataclasses import replace

from tests.stories.story import (
    CANCELLED,
    DECEMBER_PLANNED,
    NOVEMBER_PAID,
    TWENTY_DAYS_PAID,
    Clock,
    Expected,
    Story,
    cancel,
    last_day,
    move,
    on,
    revoke,
)

SCHEDULED = ("cancellation-scheduled", "period-shortened", "renewal-cancelled", "credit-adjustment")


def _goes_on(charges: dict[str, str], *adjustments: str, refused: tuple[str, ...] = ()) -> Expected:
    """No end, and nothing is cancelled."""
    return Expected("active", None, None, charges, refused=refused, adjustments=adjustments)


def _stays(*, status: str = "ending", refused: tuple[str, ...] = (), told: tuple[str, ...] | None = None) -> Expected:
    """The end of 21 November stands, with what came of it."""
    charges = {"C1": TWENTY_DAYS_PAID}
    return Expected(status, "2026-11-21", "2026-11-20", charges, ("2026-12-01",), refused, told=told)


MOVES = (
    Story(
        "regretted two days later",
        """300.00 × 20 ÷ 30 = 200.00 of November was kept and 100.00 credited, December's plan went to nothing. On
        14 November the customer stays: the 100.00 are debited again, 300.00 is kept, and December comes as planned at
        300.00.""",
        (*NOVEMBER_PAID, DECEMBER_PLANNED, CANCELLED, revoke("2026-11-14 09:00")),
        replace(
            _goes_on(
                {"C1": "300.00 kept", "C2": "planned 300.00"},
                "credit 100.00 on C1, open",
                "debit 100.00 on C1, open",
            ),
            told=(
                *SCHEDULED,
                "cancellation-withdrawn",
                "period-restored",
                "renewal-reinstated",
                "credit-adjustment",
            ),
        ),
    ),
    Story(
        "three moves and a regret",
        """The end is 21 November (20 days kept, 200.00: a credit of 100.00), then the 26th (25 days, 250.00: 50.00 are
        taken back), then the 11th (10 days, 100.00: 150.00 more are credited), then the 16th (15 days, 150.00: 50.00
        are taken back). That is 150.00 credited in all, and the regret takes them back: 300.00 is kept, and December
        is planned at 300.00 as if nothing had happened.""",
        (
            *NOVEMBER_PAID,
            DECEMBER_PLANNED,
            cancel("2026-11-05 09:00", on("2026-11-21")),
            move("2026-11-06 09:00", on("2026-11-26")),
            move("2026-11-07 09:00", on("2026-11-11")),
            move("2026-11-08 09:00", on("2026-11-16")),
            revoke("2026-11-09 09:00"),
        ),
        _goes_on(
            {"C1": "300.00 kept", "C2": "planned 300.00"},
            "credit 100.00 on C1, open",
            "debit 50.00 on C1, open",
            "credit 150.00 on C1, open",
            "debit 50.00 on C1, open",
            "debit 150.00 on C1, open",
        ),
    ),
    Story(
        "moved from December into November",
        """First the end is 11 December: November stays whole, December's plan shrinks to 300.00 × 10 ÷ 31 = 96.77. Then
        it is moved to 21 November: 300.00 × 20 ÷ 30 = 200.00 of November is kept, 100.00 is refundable, December's
        plan goes to nothing. The books are those of cancelling to 21 November straight away.""",
        (
            *NOVEMBER_PAID,
            DECEMBER_PLANNED,
            cancel("2026-11-12 09:00", on("2026-12-11")),
            move("2026-11-13 09:00", on("2026-11-21")),
        ),
        Expected(
            "ending",
            "2026-11-21",
            "2026-11-20",
            {"C1": TWENTY_DAYS_PAID, "C2": "planned 0.00"},
            renewals=("2026-12-01", "2027-01-01"),
            adjustments=("credit 100.00 on C1, open",),
        ),
    ),
    Story(
        "regretted and cancelled again",
        """100.00 credited, and debited again on the 14th. On the 16th the customer cancels once more, to 26 November:
        300.00 × 25 ÷ 30 = 250.00 is kept, 50.00 is refundable.""",
        (*NOVEMBER_PAID, CANCELLED, revoke("2026-11-14 09:00"), cancel("2026-11-16 09:00", on("2026-11-26"))),
        Expected(
            "ending",
            "2026-11-26",
            "2026-11-25",
            {"C1": "250.00 kept, 50.00 back (50.00 refundable)"},
            renewals=("2026-12-01",),
            adjustments=("credit 100.00 on C1, open", "debit 100.00 on C1, open", "credit 50.00 on C1, open"),
        ),
    ),
)

BOUNDARY = (
    Story(
        "regretted in the last second",
        """The end is 21 November. At 23:59:59 on the 20th it has not come: the customer stays, the 100.00 are taken
        back and 300.00 is kept.""",
        (*NOVEMBER_PAID, CANCELLED, revoke("2026-11-20 23:59:59")),
        _goes_on({"C1": "300.00 kept"}, "credit 100.00 on C1, open", "debit 100.00 on C1, open"),
    ),
    Story(
        "regretted a second later, and moved a second after that",
        """As 21 November begins it has come: a regret at 00:00:00 and a move at 00:00:01 are both refused. 200.00 is
        kept and 100.00 refundable.""",
        (
            *NOVEMBER_PAID,
            CANCELLED,
            revoke("2026-11-21 00:00:00"),
            move("2026-11-21 00:00:01", on("2026-12-11")),
        ),
        _stays(status="ended", refused=("already-ended", "already-ended")),
    ),
    Story(
        "regretted in time and heard of within the grace",
        """Regretted at 23:59:59, and the message arrives 40 seconds into 21 November. The end is sealed a minute after
        it came, so the regret counts: 100.00 are taken back, 300.00 is kept.""",
        (
            *NOVEMBER_PAID,
            CANCELLED,
            Clock("2026-11-21 00:00:30"),
            revoke("2026-11-20 23:59:59", seen="2026-11-21 00:00:40"),
        ),
        _goes_on({"C1": "300.00 kept"}, "credit 100.00 on C1, open", "debit 100.00 on C1, open"),
    ),
    Story(
        "regretted in time and heard of when all is sealed",
        """The same regret, but it arrives at 00:02, a minute after the end was sealed: refused, whatever its time.
        200.00 is kept, 100.00 refundable.""",
        (
            *NOVEMBER_PAID,
            CANCELLED,
            Clock("2026-11-21 00:01:00"),
            revoke("2026-11-20 23:59:59", seen="2026-11-21 00:02:00"),
        ),
        _stays(
            status="ended",
            refused=("already-ended",),
            told=(*SCHEDULED, "subscription-ended", "cancellation-rejected"),
        ),
    ),
)

REQUESTS = (
    Story(
        "the same request three times more",
        """The event comes twice; the form is sent again under an event id of its own; and somebody asks by telephone
        for 20 November as the last day, which is the same end. All that is said is said once: 200.00 kept, 100.00
        refundable.""",
        (
            *NOVEMBER_PAID,
            replace(cancel("2026-11-12 09:00", on("2026-11-21"), cancellation_id="K1"), id="form"),
            replace(cancel("2026-11-12 09:00", on("2026-11-21"), cancellation_id="K1"), id="form"),
            cancel("2026-11-12 09:05", on("2026-11-21"), cancellation_id="K1"),
            cancel("2026-11-12 09:10", last_day("2026-11-20")),
        ),
        _stays(told=SCHEDULED),
    ),
    Story(
        "a second request with another end",
        """Cancelled to 21 November, then requested anew to the 26th: that is a move. 300.00 × 25 ÷ 30 = 250.00 is kept;
        50.00 of the 100.00 credited are taken back, so 50.00 remain refundable.""",
        (*NOVEMBER_PAID, CANCELLED, cancel("2026-11-13 09:00", on("2026-11-26"))),
        Expected(
            "ending",
            "2026-11-26",
            "2026-11-25",
            {"C1": "250.00 kept, 50.00 back (50.00 refundable)"},
            renewals=("2026-12-01",),
            adjustments=("credit 100.00 on C1, open", "debit 50.00 on C1, open"),
            told=(*SCHEDULED, "cancellation-rescheduled", "period-restored", "credit-adjustment"),
        ),
    ),
    Story(
        "the same id with other content",
        """Cancellation K1 is to 21 November. Its event comes again and says the 26th, and another event of K1 says the
        26th as well: neither can be told from a mistake, both are refused. 200.00 is kept, 100.00 refundable.""",
        (
            *NOVEMBER_PAID,
            replace(cancel("2026-11-12 09:00", on("2026-11-21"), cancellation_id="K1"), id="form"),
            replace(cancel("2026-11-12 09:00", on("2026-11-26"), cancellation_id="K1"), id="form"),
            cancel("2026-11-12 09:05", on("2026-11-26"), cancellation_id="K1"),
        ),
        _stays(refused=("conflicting-content", "conflicting-content")),
    ),
    Story(
        "an older request that arrives late",
        """The request in force is of 12 November. On the 13th one of the 11th arrives, for the 16th: it was overtaken
        before it came, and is refused. 200.00 is kept, 100.00 refundable.""",
        (*NOVEMBER_PAID, CANCELLED, cancel("2026-11-11 09:00", on("2026-11-16"), seen="2026-11-13 09:00")),
        _stays(refused=("superseded",)),
    ),
    Story(
        "nothing to regret, and a request out of the future",
        """A regret where nothing is cancelled is refused; so is a request that arrives at 09:00 and was made, by its
        own time, at 09:10: five minutes are allowed for clocks that differ. The 300.00 stay.""",
        (
            *NOVEMBER_PAID,
            revoke("2026-11-12 08:00"),
            cancel("2026-11-12 09:10", on("2026-11-21"), seen="2026-11-12 09:00"),
        ),
        _goes_on({"C1": "300.00 kept"}, refused=("not-cancelled", "time-in-future")),
    ),
)

STORIES = (*MOVES, *BOUNDARY, *REQUESTS)
