"""Whatever was planned, issued or paid is put right without anyone working it out."""

# ruff: noqa: RUF001, RUF003  × is the sign that a bill is worked out with

from __future__ import annotations

from tests.stories.story import (
    CANCELLED,
    DECEMBER,
    NOVEMBER,
    NOVEMBER_ISSUED,
    NOVEMBER_PAID,
    TWENTY_DAYS_OWED,
    TWENTY_DAYS_PAID,
    Clock,
    Expected,
    Step,
    Story,
    charge,
    issued,
    paid,
    planned,
    revoke,
    started,
    voided,
)

NOVEMBER_PLANNED: tuple[Step, ...] = (started("2026-11-01"), planned("2026-11-01 08:00", "INV-1", NOVEMBER), CANCELLED)
SHORTENED = charge("C1", "2026-11-01", "2026-12-01", "200.00")


def _ending(charges: dict[str, str], *adjustments: str) -> Expected:
    """As 20 November ends; December does not come."""
    return Expected(
        "ending", "2026-11-21", "2026-11-20", charges, renewals=("2026-12-01",), adjustments=adjustments or None
    )


PAYMENTS = (
    Story(
        "an invoice that is paid",
        """November is paid. 20 of 30 days: 300.00 × 20 ÷ 30 = 200.00 is kept; the 100.00 can be refunded.""",
        (*NOVEMBER_PAID, CANCELLED),
        _ending({"C1": TWENTY_DAYS_PAID}),
    ),
    Story(
        "an invoice that is not paid",
        """November is open. 200.00 is kept, and the 100.00 only make the open balance smaller: offset.""",
        (*NOVEMBER_ISSUED, CANCELLED),
        _ending({"C1": TWENTY_DAYS_OWED}),
    ),
    Story(
        "an invoice that is half paid",
        """150.00 of November's 300.00 are paid, 150.00 are open. 200.00 is kept; the 100.00 fit into what is open and
        are offset. She owes 50.00 more.""",
        (*NOVEMBER_ISSUED, paid("2026-11-02 08:00", "INV-1", "150.00"), CANCELLED),
        _ending({"C1": TWENTY_DAYS_OWED}),
    ),
    Story(
        "an invoice that is paid but for a little",
        """240.00 of November's 300.00 are paid, 60.00 are open. 200.00 is kept; of the 100.00 credit 60.00 are offset
        and only the other 40.00 are refundable.""",
        (*NOVEMBER_ISSUED, paid("2026-11-02 08:00", "INV-1", "240.00"), CANCELLED),
        _ending({"C1": "200.00 kept, 100.00 back (60.00 offset, 40.00 refundable)"}),
    ),
    Story(
        "a payment after the credit",
        """The credit of 100.00 was offset when nothing was paid; 200.00 is kept. Payment of all 300.00 the day after
        is for invoicing to match: nothing more is said.""",
        (*NOVEMBER_ISSUED, CANCELLED, paid("2026-11-13 08:00", "INV-1", "300.00")),
        _ending({"C1": TWENTY_DAYS_OWED}, "credit 100.00 on C1, open"),
    ),
    Story(
        "two charges of one invoice share what is open",
        """300.00 and 150.00 for November on one invoice of 450.00; 330.00 are paid, 120.00 are open. Two thirds are
        kept of each: 200.00 and 100.00. The first credit, 100.00, is offset whole. That leaves 20.00 open for the
        second, 50.00: 20.00 offset, 30.00 refundable.""",
        (
            started("2026-11-01", lines=[{"line_id": "L1", "amount": "300.00"}, {"line_id": "L2", "amount": "150.00"}]),
            issued(
                "2026-11-01 08:00",
                "INV-1",
                NOVEMBER,
                charge("C9", "2026-11-01", "2026-12-01", "150.00", line_id="L2"),
            ),
            paid("2026-11-02 08:00", "INV-1", "330.00"),
            CANCELLED,
        ),
        _ending({"C1": TWENTY_DAYS_OWED, "C9": "100.00 kept, 50.00 back (20.00 offset, 30.00 refundable)"}),
    ),
)

PLANS = (
    Story(
        "planned, and issued in full after all",
        """November is planned at 300.00 and shortened to 20 of 30 days, 200.00. The invoice is issued all the same at
        300.00: what it bills too much, 100.00, is credited at once and offset. 200.00 is kept.""",
        (*NOVEMBER_PLANNED, issued("2026-11-13 08:00", "INV-1", NOVEMBER)),
        _ending({"C1": TWENTY_DAYS_OWED}, "credit 100.00 on C1, open"),
    ),
    Story(
        "planned, and issued as shortened",
        """The plan was shortened to 200.00 and is issued at 200.00: that is carried out, all of it is kept and nothing
        is credited.""",
        (*NOVEMBER_PLANNED, issued("2026-11-13 08:00", "INV-1", SHORTENED)),
        Expected("ending", "2026-11-21", "2026-11-20", {"C1": "200.00 kept"}, ("2026-12-01",), adjustments=()),
    ),
    Story(
        "planned, issued as shortened, then regretted",
        """Issued at 200.00 as told, and then the customer stays. The whole of the charge is worth its first plan,
        300.00: the 100.00 that were left out are charged on top, and 300.00 is kept.""",
        (
            *NOVEMBER_PLANNED,
            issued("2026-11-13 08:00", "INV-1", SHORTENED),
            revoke("2026-11-14 09:00"),
        ),
        Expected(
            "active",
            None,
            None,
            {"C1": "300.00 kept, 100.00 charged on top"},
            adjustments=("debit 100.00 on C1, open",),
        ),
    ),
)

AFTERWARDS = (
    Story(
        "an invoice that is voided and replaced",
        """November was paid and 100.00 credited; then the invoice is voided, and counts for nothing: the credit is
        taken back. A new invoice for November is issued at 300.00 under another number: of that one 200.00 is kept and
        100.00 is offset.""",
        (
            *NOVEMBER_PAID,
            CANCELLED,
            voided("2026-11-13 08:00", "INV-1"),
            issued("2026-11-13 09:00", "INV-1b", charge("C1b", "2026-11-01", "2026-12-01", "300.00")),
        ),
        _ending({"C1": "voided", "C1b": TWENTY_DAYS_OWED}),
    ),
    Story(
        "an invoice that is voided and issued again",
        """Not paid, credited 100.00, voided, issued again under the same number: credited again. 200.00 is kept,
        100.00 is offset.""",
        (
            *NOVEMBER_ISSUED,
            CANCELLED,
            voided("2026-11-13 08:00", "INV-1"),
            issued("2026-11-13 09:00", "INV-1", NOVEMBER),
        ),
        _ending(
            {"C1": TWENTY_DAYS_OWED},
            "credit 100.00 on C1, open",
            "debit 100.00 on C1, open",
            "credit 100.00 on C1, open",
        ),
    ),
    Story(
        "an invoice of 1 November that is heard of after the cancellation",
        """We hear of the cancellation first and of November's invoice a day later. 20 of 30 days: 200.00 is kept,
        100.00 is offset, as in the other order.""",
        (
            started("2026-11-01"),
            CANCELLED,
            issued("2026-11-01 08:00", "INV-1", NOVEMBER, seen="2026-11-13 08:00"),
        ),
        _ending({"C1": TWENTY_DAYS_OWED}),
    ),
    Story(
        "an invoice for December after the end was sealed",
        """Ended on 21 November; November 200.00 kept, 100.00 refundable. On 1 December an invoice for December goes out
        all the same, 300.00: it is credited whole and offset, however late.""",
        (*NOVEMBER_PAID, CANCELLED, Clock("2026-11-21 00:01"), issued("2026-12-01 08:00", "INV-2", DECEMBER)),
        Expected(
            "ended",
            "2026-11-21",
            "2026-11-20",
            {"C1": TWENTY_DAYS_PAID, "C2": "0.00 kept, 300.00 back (300.00 offset)"},
            renewals=("2026-12-01",),
        ),
    ),
)

STORIES = (*PAYMENTS, *PLANS, *AFTERWARDS)
