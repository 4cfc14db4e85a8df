"""What an end date does to the periods and renewals around it, and to those who ask when it is."""

from __future__ import annotations

from datetime import datetime

import pytest

from service.domain.facts import EndWish
from service.domain.settlement import settle
from tests.domain.examples import END_OF_PERIOD, IMMEDIATELY, Item, Life, charge, instant, last_day, on, paid_november


def test_cancelling_inside_a_paid_month_gives_the_rest_back_and_stops_the_next() -> None:
    life = paid_november()
    assert life.cancel("2026-11-12 09:00", on("2026-11-21")) == [
        "scheduled: ends 2026-11-21, last active day 2026-11-20",
        "2026-11-01/2026-12-01 shortened to 2026-11-21; issued C1 300.00 -> 200.00",
        "2026-12-01/2027-01-01 cancelled, INV-2; planned C2 300.00 -> 0.00",
        "credit 100.00 on C1: 100.00 refundable, cancelled",
    ]
    assert life.tick("2026-11-21 00:00:59") == []
    assert life.tick("2026-11-21 00:01") == ["ended: 2026-11-21, last active day 2026-11-20"]


def test_regretting_it_two_days_later_puts_everything_back() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert life.revoke("2026-11-14 09:00") == [
        "withdrawn",
        "2026-11-01/2026-12-01 restored to 2026-12-01; issued C1 200.00 -> 300.00",
        "2026-12-01/2027-01-01 reinstated, INV-2; planned C2 0.00 -> 300.00",
        "debit 100.00 on C1: 100.00 refundable, revoked, reverses number 1",
    ]
    assert life.tick("2026-12-24 18:00") == []


def test_an_adjustment_carries_its_own_calculation() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    life.revoke("2026-11-14 09:00")
    calculations = [given.adjustment.calculation for given in life.adjustments]
    assert [(c.billed, c.kept, c.given) for c in calculations] == [(30000, 20000, 0), (30000, 30000, 10000)]
    assert [(c.active, c.total) for c in calculations] == [(20, 30), (30, 30)]


def test_an_unpaid_yen_invoice_of_a_subscription_anchored_on_the_31st_is_written_down() -> None:
    life = Life("2027-01-31", amount="1000", currency="JPY", zone="Asia/Tokyo", anchor=31)
    life.issued("2027-02-28 08:00", "INV-2", charge("C2", "2027-02-28", "2027-03-31", "1000"))
    assert life.cancel("2027-03-01 09:00", last_day("2027-03-09")) == [
        "scheduled: ends 2027-03-10, last active day 2027-03-09",
        "2027-02-28/2027-03-31 shortened to 2027-03-10; issued C2 1000 -> 323",
        "2027-03-31/2027-04-30 cancelled",
        "credit 677 on C2: 677 offset, cancelled",
    ]


def test_the_end_of_the_period_leaves_it_whole_and_stops_the_next() -> None:
    life = paid_november()
    assert life.cancel("2026-11-12 09:00", END_OF_PERIOD) == [
        "scheduled: ends 2026-12-01, last active day 2026-11-30",
        "2026-12-01/2027-01-01 cancelled, INV-2; planned C2 300.00 -> 0.00",
    ]


@pytest.mark.parametrize(
    ("asked", "ends"),
    [
        ("2026-11-01 00:00", "2026-12-01"),  # the first instant of a period lies in it
        ("2026-11-30 23:59:59", "2026-12-01"),  # and so does the last
        ("2026-12-01 00:00", "2027-01-01"),
        ("2026-10-25 12:00", "2026-11-01"),  # before the start there is no period that could run out
    ],
)
def test_the_end_of_the_period_is_that_of_the_period_in_which_it_was_asked_for(asked: str, ends: str) -> None:
    life = Life("2026-11-01", activated_at="2026-10-20 12:00")
    assert life.cancel(asked, END_OF_PERIOD)[0].startswith(f"scheduled: ends {ends},")


def test_a_period_invoiced_ahead_is_not_the_current_one() -> None:
    life = paid_november()
    life.issued("2026-11-10 08:00", "INV-2", charge("C2", "2026-12-01", "2027-01-01", "300.00"))
    life.paid("2026-11-11 08:00", "INV-2", "300.00")
    assert life.cancel("2026-11-12 09:00", END_OF_PERIOD) == [
        "scheduled: ends 2026-12-01, last active day 2026-11-30",
        "2026-12-01/2027-01-01 cancelled, INV-2; issued C2 300.00 -> 0.00",
        "credit 300.00 on C2: 300.00 refundable, cancelled",
    ]


def test_ending_at_once_counts_the_day_that_has_begun() -> None:
    life = paid_november()
    assert life.cancel("2026-11-20 00:00:01", IMMEDIATELY) == [
        "scheduled: ends 2026-11-21, last active day 2026-11-20",
        "2026-11-01/2026-12-01 shortened to 2026-11-21; issued C1 300.00 -> 200.00",
        "2026-12-01/2027-01-01 cancelled, INV-2; planned C2 300.00 -> 0.00",
        "credit 100.00 on C1: 100.00 refundable, cancelled",
    ]
    assert life.tick("2026-11-20 00:01") == []
    assert life.tick("2026-11-20 00:01:01") == ["ended: 2026-11-21, last active day 2026-11-20"]


def test_ending_at_once_on_the_last_day_of_a_period_gives_nothing_back() -> None:
    life = paid_november()
    assert life.cancel("2026-11-30 12:00", IMMEDIATELY) == [
        "scheduled: ends 2026-12-01, last active day 2026-11-30",
        "2026-12-01/2027-01-01 cancelled, INV-2; planned C2 300.00 -> 0.00",
    ]


@pytest.mark.parametrize(
    ("wish", "ends", "instant_of_end"),
    [
        (on("2026-11-21"), "2026-11-21", "2026-11-20T23:00:00+00:00"),
        (last_day("2026-11-20"), "2026-11-21", "2026-11-20T23:00:00+00:00"),
        (instant("2026-11-21T00:00:00+01:00"), "2026-11-21", "2026-11-20T23:00:00+00:00"),
        (instant("2026-11-20T15:00:00+01:00"), "2026-11-21", "2026-11-20T14:00:00+00:00"),
        (instant("2026-11-20T23:30:00Z"), "2026-11-22", "2026-11-20T23:30:00+00:00"),  # half past midnight in Denmark
    ],
)
def test_a_date_can_be_named_in_three_ways(wish: EndWish, ends: str, instant_of_end: str) -> None:
    life = paid_november()
    assert life.cancel("2026-11-12 09:00", wish)[0].startswith(f"scheduled: ends {ends},")
    assert life.subscription.told.end is not None
    assert life.subscription.told.end.access_ends_at == datetime.fromisoformat(instant_of_end)


@pytest.mark.parametrize(
    ("zone", "day", "instant_of_end"),
    [
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00+00:00"),  # no midnight
        ("Africa/Cairo", "2024-04-26", "2024-04-25T22:00:00+00:00"),
        ("Asia/Beirut", "2024-03-31", "2024-03-30T22:00:00+00:00"),
        ("America/Havana", "2024-11-03", "2024-11-03T04:00:00+00:00"),  # two midnights
        ("Europe/Copenhagen", "2024-03-31", "2024-03-30T23:00:00+00:00"),
        ("Europe/Copenhagen", "2024-10-28", "2024-10-27T23:00:00+00:00"),
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00+00:00"),  # a date that never came
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00+00:00"),
    ],
)
def test_the_end_is_the_date_that_was_named_whatever_the_clocks_do_on_it(
    zone: str, day: str, instant_of_end: str
) -> None:
    life = Life(f"{day[:4]}-01-01", zone=zone)
    assert life.cancel(f"{day[:4]}-01-02 12:00", on(day))[0].startswith(f"scheduled: ends {day},")
    assert life.subscription.told.end is not None
    assert life.subscription.told.end.access_ends_at == datetime.fromisoformat(instant_of_end)


def test_a_month_with_a_clock_change_is_divided_by_its_days() -> None:
    life = Life("2026-10-01", amount="310.00")
    life.issued("2026-10-01 08:00", "INV-1", charge("C1", "2026-10-01", "2026-11-01", "310.00"))
    life.cancel("2026-10-20 12:00", on("2026-10-26"))  # 25 of 31 days, the last of 25 hours
    assert life.given_back("C1") == "60.00"


def test_a_leap_february_has_29_days() -> None:
    life = Life("2028-02-01", amount="290.00")
    life.issued("2028-02-01 08:00", "INV-1", charge("C1", "2028-02-01", "2028-03-01", "290.00"))
    life.cancel("2028-02-10 12:00", last_day("2028-02-28"))
    assert life.given_back("C1") == "10.00"


def test_a_date_that_lies_back_credits_every_month_since() -> None:
    life = Life("2026-11-01")
    life.issued("2026-11-01 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "300.00"))
    life.paid("2026-11-01 09:00", "INV-1", "300.00")
    life.issued("2026-12-01 08:00", "INV-2", charge("C2", "2026-12-01", "2027-01-01", "300.00"))
    life.paid("2026-12-01 09:00", "INV-2", "300.00")
    life.issued("2027-01-01 08:00", "INV-3", charge("C3", "2027-01-01", "2027-02-01", "300.00"))
    assert life.cancel("2027-01-10 09:00", on("2026-11-21")) == [
        "scheduled: ends 2026-11-21, last active day 2026-11-20",
        "2026-11-01/2026-12-01 shortened to 2026-11-21; issued C1 300.00 -> 200.00",
        "2026-12-01/2027-01-01 cancelled, INV-2; issued C2 300.00 -> 0.00",
        "2027-01-01/2027-02-01 cancelled, INV-3; issued C3 300.00 -> 0.00",
        "credit 100.00 on C1: 100.00 refundable, cancelled",
        "credit 300.00 on C2: 300.00 refundable, cancelled",
        "credit 300.00 on C3: 300.00 offset, cancelled",
    ]


def test_earlier_periods_are_left_alone() -> None:
    life = paid_november()
    life.issued("2026-12-01 08:00", "INV-2", charge("C2", "2026-12-01", "2027-01-01", "300.00"))
    life.cancel("2026-12-05 09:00", last_day("2026-12-31"))
    assert life.adjustments == []


def test_an_end_many_renewals_ahead_shortens_its_period_once_that_is_planned() -> None:
    life = paid_november()
    assert life.cancel("2026-11-12 09:00", on("2027-02-15")) == [
        "scheduled: ends 2027-02-15, last active day 2027-02-14",
        "2027-03-01/2027-04-01 cancelled",
    ]
    assert life.planned("2027-01-15 08:00", "INV-4", charge("C4", "2027-02-01", "2027-03-01", "300.00")) == [
        "2027-02-01/2027-03-01 shortened to 2027-02-15; planned C4 300.00 -> 150.00",
    ]
    assert life.tick("2027-02-01 00:00") == []


def test_an_end_many_renewals_ahead_shortens_its_period_when_that_begins() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2027-02-15"))
    assert life.tick("2027-01-31 23:59:59") == []
    assert life.tick("2027-02-01 00:00") == ["2027-02-01/2027-03-01 shortened to 2027-02-15"]
    assert life.tick("2027-02-01 00:00") == []


def test_an_end_many_renewals_ahead_shortens_its_period_when_the_renewal_is_agreed() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2027-02-15"))
    assert life.renewed("2027-01-20 08:00", "2027-01-01", "2027-02-01") == []
    assert life.renewed("2027-01-25 08:00", "2027-02-01", "2027-03-01") == [
        "2027-02-01/2027-03-01 shortened to 2027-02-15",
    ]


def test_renewals_before_a_far_end_run_as_usual() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2027-02-15"))
    assert life.issued("2026-12-01 08:00", "INV-2", charge("C2", "2026-12-01", "2027-01-01", "300.00")) == []
    assert life.paid("2026-12-02 08:00", "INV-2", "300.00") == []
    assert life.issued("2027-01-01 08:00", "INV-3", charge("C3", "2027-01-01", "2027-02-01", "300.00")) == []


def test_every_planned_renewal_from_the_end_on_is_cancelled() -> None:
    life = paid_november()
    life.planned("2026-11-03 09:00", "INV-3", charge("C3", "2027-01-01", "2027-02-01", "300.00"))
    assert life.cancel("2026-11-12 09:00", on("2026-12-01")) == [
        "scheduled: ends 2026-12-01, last active day 2026-11-30",
        "2026-12-01/2027-01-01 cancelled, INV-2; planned C2 300.00 -> 0.00",
        "2027-01-01/2027-02-01 cancelled, INV-3; planned C3 300.00 -> 0.00",
    ]


def test_a_renewal_that_is_planned_after_the_cancellation_is_cancelled_on_sight() -> None:
    life = Life("2026-11-01")
    assert life.cancel("2026-11-12 09:00", on("2026-12-01"))[1:] == ["2026-12-01/2027-01-01 cancelled"]
    assert life.planned("2026-11-13 08:00", "INV-2", charge("C2", "2026-12-01", "2027-01-01", "300.00")) == [
        "2026-12-01/2027-01-01 cancelled, INV-2; planned C2 300.00 -> 0.00",
    ]


def test_a_renewal_that_arrives_late_for_a_later_period_is_cancelled_on_sight_and_only_once() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-12-01"))
    assert life.renewed("2026-11-13 08:00", "2026-12-01", "2027-01-01") == []  # it was the first, and told already
    assert life.renewed("2027-01-13 08:00", "2027-01-01", "2027-02-01") == ["2027-01-01/2027-02-01 cancelled"]
    assert life.repeat() == []


def test_a_withdrawn_plan_that_is_planned_again_is_withdrawn_again() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-12-01"))
    assert life.voided("2026-11-13 08:00", "INV-2") == []
    assert life.planned("2026-11-14 08:00", "INV-2", charge("C2", "2026-12-01", "2027-01-01", "300.00")) == [
        "2026-12-01/2027-01-01 cancelled, INV-2; planned C2 300.00 -> 0.00",
    ]


def test_a_withdrawn_plan_that_was_voided_can_be_planned_again_after_a_regret() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-12-01"))
    life.voided("2026-11-13 08:00", "INV-2")
    assert life.revoke("2026-11-14 08:00") == ["withdrawn", "2026-12-01/2027-01-01 reinstated"]
    december = charge("C2", "2026-12-01", "2027-01-01", "300.00")
    assert life.planned("2026-11-15 08:00", "INV-2", december) == []
    assert life.issued("2026-12-01 08:00", "INV-2", december) == []


def test_an_end_before_the_start_is_reached_withdraws_everything() -> None:
    life = Life("2026-11-01", activated_at="2026-10-20 12:00")
    life.planned("2026-10-20 13:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "300.00"))
    assert life.cancel("2026-10-25 09:00", IMMEDIATELY) == [
        "scheduled: ends 2026-11-01, last active day 2026-10-31",
        "2026-11-01/2026-12-01 cancelled, INV-1; planned C1 300.00 -> 0.00",
    ]
    assert life.revoke("2026-10-26 09:00") == [
        "withdrawn",
        "2026-11-01/2026-12-01 reinstated, INV-1; planned C1 0.00 -> 300.00",
    ]


def test_an_invoice_paid_before_the_start_is_given_back_whole_when_the_customer_never_starts() -> None:
    life = Life("2026-11-01", activated_at="2026-10-20 12:00")
    life.issued("2026-10-20 13:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "300.00"))
    life.paid("2026-10-21 13:00", "INV-1", "300.00")
    life.cancel("2026-10-25 09:00", on("2026-11-01"))
    assert life.given_back("C1") == "300.00"


def test_moving_to_an_earlier_day_of_the_same_period_shortens_it_further() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert life.move("2026-11-13 09:00", on("2026-11-16")) == [
        "rescheduled: ends 2026-11-16, last active day 2026-11-15",
        "2026-11-01/2026-12-01 shortened to 2026-11-16; issued C1 200.00 -> 150.00",
        "credit 50.00 on C1: 50.00 refundable, moved",
    ]


def test_moving_to_a_later_day_of_the_same_period_gives_days_back() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert life.move("2026-11-13 09:00", on("2026-11-26")) == [
        "rescheduled: ends 2026-11-26, last active day 2026-11-25",
        "2026-11-01/2026-12-01 restored to 2026-11-26; issued C1 200.00 -> 250.00",
        "debit 50.00 on C1: 50.00 refundable, moved, reverses number 1",
    ]


def test_moving_into_the_next_period_restores_one_and_shortens_the_other() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert life.move("2026-11-13 09:00", on("2026-12-11")) == [
        "rescheduled: ends 2026-12-11, last active day 2026-12-10",
        "2026-11-01/2026-12-01 restored to 2026-12-01; issued C1 200.00 -> 300.00",
        "2026-12-01/2027-01-01 reinstated, INV-2; planned C2 0.00 -> 300.00",
        "2026-12-01/2027-01-01 shortened to 2026-12-11; planned C2 300.00 -> 96.77",
        "2027-01-01/2027-02-01 cancelled",
        "debit 100.00 on C1: 100.00 refundable, moved, reverses number 1",
    ]


def test_moving_back_into_an_earlier_period_cancels_the_one_that_was_shortened() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-12-11"))
    assert life.move("2026-11-13 09:00", on("2026-11-21")) == [
        "rescheduled: ends 2026-11-21, last active day 2026-11-20",
        "2026-11-01/2026-12-01 shortened to 2026-11-21; issued C1 300.00 -> 200.00",
        "2026-12-01/2027-01-01 cancelled, INV-2; planned C2 96.77 -> 0.00",
        "credit 100.00 on C1: 100.00 refundable, moved",
    ]


def test_moving_to_the_boundary_makes_both_neighbours_whole_or_gone() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert life.move("2026-11-13 09:00", END_OF_PERIOD) == [
        "rescheduled: ends 2026-12-01, last active day 2026-11-30",
        "2026-11-01/2026-12-01 restored to 2026-12-01; issued C1 200.00 -> 300.00",
        "debit 100.00 on C1: 100.00 refundable, moved, reverses number 1",
    ]


def test_moving_within_a_day_moves_the_instant_but_not_the_money() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert life.move("2026-11-13 09:00", instant("2026-11-20T15:00:00+01:00")) == [
        "rescheduled: ends 2026-11-21, last active day 2026-11-20",
    ]


def test_a_shortened_period_whose_invoice_was_voided_is_still_given_back_after_moving_further_away() -> None:
    life = paid_november()
    january = charge("C3", "2027-01-01", "2027-02-01", "300.00")
    life.planned("2026-11-04 08:00", "INV-3", january)
    life.cancel("2026-11-12 09:00", on("2027-01-11"))
    life.voided("2026-11-13 09:00", "INV-3")
    life.move("2026-11-14 09:00", on("2026-11-21"))
    assert "2027-01-01/2027-02-01 restored to 2027-02-01" in life.revoke("2026-11-15 09:00")


def test_several_moves_and_a_regret_leave_no_trace_in_the_money() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    life.move("2026-11-12 10:00", on("2026-12-11"))
    life.move("2026-11-12 11:00", on("2026-11-16"))
    life.move("2026-11-12 12:00", END_OF_PERIOD)
    life.move("2026-11-12 13:00", on("2026-11-13"))
    assert life.revoke("2026-11-12 14:00") == [
        "withdrawn",
        "2026-11-01/2026-12-01 restored to 2026-12-01; issued C1 120.00 -> 300.00",
        "2026-12-01/2027-01-01 reinstated, INV-2; planned C2 0.00 -> 300.00",
        "2026-12-01/2027-01-01 restored to 2027-01-01",  # it had been shortened once
        "2027-01-01/2027-02-01 reinstated",
        "debit 180.00 on C1: 180.00 refundable, revoked, reverses number 5",
    ]
    assert life.given_back("C1") == "0.00"


def test_cancelling_again_after_a_regret_is_a_new_cancellation() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"), name="A")
    life.revoke("2026-11-13 09:00")
    assert life.cancel("2026-11-14 09:00", on("2026-11-16"), name="B") == [
        "scheduled: ends 2026-11-16, last active day 2026-11-15",
        "2026-11-01/2026-12-01 shortened to 2026-11-16; issued C1 300.00 -> 150.00",
        "2026-12-01/2027-01-01 cancelled, INV-2; planned C2 300.00 -> 0.00",
        "credit 150.00 on C1: 150.00 refundable, cancelled",
    ]
    assert {outcome.cancellation_id for outcome in life.outcomes[-4:]} == {"B"}


def test_a_stub_is_divided_by_its_own_days() -> None:
    life = Life("2026-11-15", anchor=1)
    life.issued("2026-11-15 08:00", "INV-1", charge("C1", "2026-11-15", "2026-12-01", "160.00"))
    assert life.cancel("2026-11-16 09:00", last_day("2026-11-18")) == [
        "scheduled: ends 2026-11-19, last active day 2026-11-18",
        "2026-11-15/2026-12-01 shortened to 2026-11-19; issued C1 160.00 -> 40.00",
        "2026-12-01/2027-01-01 cancelled",
        "credit 120.00 on C1: 120.00 offset, cancelled",
    ]


@pytest.mark.parametrize(
    ("interval", "period_ends", "ends", "amount", "back"),
    [
        ("P1W", "2026-11-10", "2026-11-08", "70.00", "20.00"),  # 5 of 7 days
        ("P1D", "2026-11-04", "2026-11-04", "10.00", "0.00"),  # a day is never divided
        ("P30D", "2026-12-03", "2026-11-13", "300.00", "200.00"),  # 10 of 30
        ("P3M", "2027-02-03", "2026-11-13", "920.00", "820.00"),  # 10 of 92
        ("P1Y", "2027-11-03", "2026-11-13", "365.00", "355.00"),  # 10 of 365
    ],
)
def test_weeks_quarters_and_years_are_divided_by_their_days_too(
    interval: str, period_ends: str, ends: str, amount: str, back: str
) -> None:
    life = Life("2026-11-03", interval=interval, amount=amount)
    life.issued("2026-11-03 08:00", "INV-1", charge("C1", "2026-11-03", period_ends, amount))
    life.cancel("2026-11-03 09:00", on(ends))
    assert life.given_back("C1") == back


def test_the_way_to_an_end_leaves_no_trace_where_an_invoice_names_no_line() -> None:
    stopped = []
    for ends in (["2027-01-16"], ["2026-11-15", "2027-01-16"]):
        life = Life("2026-11-01")
        life.issued("2026-11-01 08:00", "INV-1", Item("C1", "2026-11-01", "2026-12-01", "300.00", line_id=None))
        for number, day in enumerate(ends):
            life.cancel("2026-11-02 10:00", on(day), name=f"N{number}")
        stopped.append(settle(life.subscription, life.instant("2026-11-02 10:00"), life.rules).stopped)
    assert stopped[0] == stopped[1]
