"""The books balance, the history is clear, and there are no loose ends."""

# ruff: noqa: RUF001, RUF003  × is the sign that a bill is worked out with

from __future__ import annotations

from tests.stories.story import (
    CANCELLED,
    NOVEMBER_ISSUED,
    NOVEMBER_PAID,
    TWENTY_DAYS_PAID,
    Data,
    Expected,
    Story,
    cancel,
    charge,
    credit_on,
    issued,
    last_day,
    policy,
    revoke,
    started,
)

CARRIED_OUT: Data = {
    "charge_id": "N1",
    "kind": "credit",
    "amount": "100.00",
    "settles_adjustment_id": "adjustment 1",
}


def _ending(charge: str, *adjustments: str) -> Expected:
    """As 20 November ends; December does not come."""
    return Expected("ending", "2026-11-21", "2026-11-20", {"C1": charge}, ("2026-12-01",), adjustments=adjustments)


STORIES = (
    Story(
        "somebody has given a credit before",
        """Support gave 40.00 back on 5 November. 300.00 × 20 ÷ 30 = 200.00 is kept, so 100.00 is too much; 40.00 of
        that is given already, and 60.00 is left for us, offset.""",
        (*NOVEMBER_ISSUED, issued("2026-11-05 08:00", "NOTE-1", credit_on("C1", "40.00")), CANCELLED),
        _ending("200.00 kept, 60.00 back (60.00 offset), 40.00 given by others", "credit 60.00 on C1, open"),
    ),
    Story(
        "somebody has given more than there is to give",
        """Support gave 150.00 back, which is more than the 100.00 that go beyond the 200.00 kept. Nothing is left for
        us, and what others gave is theirs: no debit.""",
        (*NOVEMBER_ISSUED, issued("2026-11-05 08:00", "NOTE-1", credit_on("C1", "150.00")), CANCELLED),
        _ending("200.00 kept, 150.00 given by others"),
    ),
    Story(
        "somebody gives a credit after us",
        """200.00 is kept and 100.00 credited by us; three days later support gives 30.00 for the same thing. Together
        it would be too much: 30.00 of ours are taken back, and 70.00 remain offset.""",
        (*NOVEMBER_ISSUED, CANCELLED, issued("2026-11-15 08:00", "NOTE-1", credit_on("C1", "30.00"))),
        _ending(
            "200.00 kept, 70.00 back (70.00 offset), 30.00 given by others",
            "credit 100.00 on C1, open",
            "debit 30.00 on C1, open",
        ),
    ),
    Story(
        "an adjustment is open until it is carried out",
        """200.00 is kept, 100.00 refundable. The credit is open until invoicing reports a credit note of 100.00 that
        names it; the note counts nowhere else.""",
        (*NOVEMBER_PAID, CANCELLED, issued("2026-11-13 08:00", "NOTE-1", CARRIED_OUT)),
        _ending(TWENTY_DAYS_PAID, "credit 100.00 on C1, settled"),
    ),
    Story(
        "regretted when the credit has been carried out",
        """The credit of 100.00 is carried out on the 13th, and on the 14th the customer stays. The 100.00 are debited
        again, and that is what is open now; 300.00 is kept.""",
        (*NOVEMBER_PAID, CANCELLED, issued("2026-11-13 08:00", "NOTE-1", CARRIED_OUT), revoke("2026-11-14 09:00")),
        Expected(
            "active",
            None,
            None,
            {"C1": "300.00 kept"},
            adjustments=("credit 100.00 on C1, settled", "debit 100.00 on C1, open"),
        ),
    ),
    Story(
        "invoicing reports nothing",
        """300.00 a month, and invoicing reports no charge, so each period that has begun counts as issued at its list
        price. On 10 December the customer turns out to have left with 20 November: of November 300.00 × 20 ÷ 30 =
        200.00 is kept and 100.00 given back, of December all 300.00. Nobody has told of a payment: offset.""",
        (
            policy("2026-10-01 12:00", charges="implied"),
            started("2026-11-01"),
            cancel("2026-12-10 09:00", last_day("2026-11-20")),
        ),
        Expected(
            "ended",
            "2026-11-21",
            "2026-11-20",
            {
                "L1 from 2026-11-01": "200.00 kept, 100.00 back (100.00 offset)",
                "L1 from 2026-12-01": "0.00 kept, 300.00 back (300.00 offset)",
            },
            renewals=("2026-12-01",),
        ),
    ),
    Story(
        "half a yen cannot be billed",
        """An invoice of 1000.50 JPY cannot be: a yen has no decimals. It is set aside with the reason, and the
        cancellation goes on without it; when the invoice is issued as it should be, 1000, two thirds of 30 days are
        666.67: 667 is kept and 333 offset.""",
        (
            started("2026-11-01", "1000", currency="JPY", time_zone="Asia/Tokyo"),
            issued("2026-11-01 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "1000.50")),
            CANCELLED,
            issued("2026-11-13 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "1000")),
        ),
        Expected(
            "ending",
            "2026-11-21",
            "2026-11-20",
            {"C1": "667 kept, 333 back (333 offset)"},
            renewals=("2026-12-01",),
            dead=1,
        ),
        zone="Asia/Tokyo",
    ),
)
