"""What lies on either side of an edge: cases that differ from others by one comparison only."""

from __future__ import annotations

from datetime import date

import pytest

from service.domain.decide import due_at
from service.domain.facts import EndWish, Terms
from service.domain.outcomes import PeriodChanged
from service.domain.periods import Duration
from service.domain.policy import Policy, Proration
from tests.domain.examples import END_OF_PERIOD, Effect, Item, Life, charge, instant, on, paid_november


def test_an_invoice_that_arrives_late_is_the_cause_also_where_other_things_stand_on_it() -> None:
    life = Life("2026-11-01")
    life.cancel("2026-11-02 09:00", on("2026-11-21"))
    november = charge("C1", "2026-11-01", "2026-12-01", "300.00")
    fee = Item("F1", None, None, "49.00", kind="one-off")
    assert life.issued("2026-11-03 08:00", "INV-1", november, fee)[-1] == (
        "credit 100.00 on C1: 100.00 offset, late-invoice"
    )


def test_the_history_names_the_end_that_each_request_came_to() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    life.move("2026-11-12 10:00", on("2026-11-26"))
    life.revoke("2026-11-12 11:00")
    ends = [str(entry.effective_date) for entry in life.subscription.entries[-3:]]
    assert ends == ["2026-11-21", "2026-11-26", "None"]


def test_a_request_for_one_line_is_not_overtaken_by_a_later_one_for_another() -> None:
    life = Life("2026-11-01", lines=("L1", "L2"))
    life.cancel("2026-11-12 10:00", on("2026-11-21"), "L1", name="A")
    assert life.cancel("2026-11-12 09:00", on("2026-11-26"), "L2", name="B")[0].startswith("scheduled")


def test_a_request_for_two_lines_is_overtaken_by_a_later_one_for_one_of_them() -> None:
    life = Life("2026-11-01", lines=("L1", "L2"))
    life.cancel("2026-11-12 10:00", on("2026-11-21"), "L1", name="A")
    assert life.cancel("2026-11-12 09:00", on("2026-11-26"), "L1", "L2", name="B") == ["refused: superseded"]


def test_a_period_without_charges_is_restored_up_to_the_later_end() -> None:
    life = Life("2026-11-01")
    life.cancel("2026-11-02 09:00", on("2026-11-11"))
    assert "2026-11-01/2026-12-01 restored to 2026-11-21" in life.move("2026-11-02 10:00", on("2026-11-21"))
    assert "2026-11-01/2026-12-01 restored to 2026-12-01" in life.revoke("2026-11-02 11:00")


def test_what_was_cut_by_the_second_is_restored_by_the_second_also_when_no_end_is_left() -> None:
    life = Life("2026-11-01")
    life.policy("2026-01-01 00:00", Policy(proration="second"))
    life.cancel("2026-11-02 09:00", instant("2026-11-11T12:00:00+01:00"))
    life.revoke("2026-11-02 11:00")
    counted = [outcome.body.proration for outcome in life.outcomes if isinstance(outcome.body, PeriodChanged)]
    assert counted == ["second", "second"]


def test_the_clock_comes_by_for_each_line_that_ends_in_a_period_of_its_own() -> None:
    life = Life("2026-11-01", lines=("L1", "L2"))
    life.policy("2026-01-01 00:00", Policy(charges="implied"))
    life.cancel("2026-11-12 09:00", on("2026-12-11"), "L1", name="A")
    life.cancel("2026-11-12 09:01", on("2027-01-11"), "L2", name="B")
    assert due_at(life.subscription, life.rules) == life.instant("2026-12-01 00:00")
    life.tick("2026-12-01 00:00")
    assert due_at(life.subscription, life.rules) == life.instant("2027-01-01 00:00")
    life.tick("2027-01-01 00:00")
    assert due_at(life.subscription, life.rules) is None


def test_a_charge_planned_again_in_between_goes_from_what_was_planned_last() -> None:
    life = Life("2026-11-01")
    life.planned("2026-11-01 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "300.00"))
    life.cancel("2026-11-02 09:00", on("2026-11-21"))
    again = life.planned("2026-11-03 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "250.00"))
    assert again == ["2026-11-01/2026-12-01 shortened to 2026-11-21; planned C1 250.00 -> 200.00"]


def test_a_credit_note_on_the_same_invoice_is_not_a_bill() -> None:
    life = Life("2026-11-01")
    note = Item("N1", None, None, "50.00", kind="credit", corrects="C1")
    life.issued("2026-11-01 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "300.00"), note)
    life.paid("2026-11-02 08:00", "INV-1", "250.00")
    assert life.cancel("2026-11-02 09:00", on("2026-11-21"))[-1] == "credit 50.00 on C1: 50.00 refundable, cancelled"


def test_nothing_is_refundable_of_an_invoice_that_nobody_paid() -> None:
    life = Life("2026-11-01")
    fee = Item("F1", None, None, "20.00", kind="one-off")
    life.issued("2026-11-01 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "300.00"), fee)
    life.credited("2026-11-01 09:00", "F1", "290.00")
    assert life.cancel("2026-11-01 10:00", on("2026-11-02"))[-1] == "credit 290.00 on C1: 290.00 offset, cancelled"


def test_an_end_on_a_date_that_never_came_leaves_a_period_whole_that_ends_with_it() -> None:
    life = Life("2011-11-30", zone="Pacific/Apia", anchor=31)  # Samoa went without 30 December 2011
    assert life.cancel("2011-12-01 09:00", on("2011-12-30"))[1:] == ["2011-12-31/2012-01-31 cancelled"]
    assert due_at(life.subscription, life.rules) == life.instant("2011-12-31 00:01")


def test_each_part_of_what_is_taken_back_has_the_sign_of_the_whole() -> None:
    life = Life("2026-11-01")
    life.issued("2026-11-01 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "300.00"))
    life.paid("2026-11-02 08:00", "INV-1", "240.00")
    life.cancel("2026-11-02 09:00", on("2026-11-21"))
    life.revoke("2026-11-02 10:00")
    given = [told.adjustment for told in life.adjustments]
    assert [(each.amount.gross, each.offset, each.refundable) for each in given] == [
        (10_000, 6_000, 4_000),
        (-10_000, -6_000, -4_000),
    ]


def test_what_was_given_last_is_taken_back_first() -> None:
    life = paid_november()
    life.cancel("2026-11-05 09:00", on("2026-11-21"))  # 100.00 given
    life.move("2026-11-05 10:00", on("2026-11-11"))  # 200.00 in all
    told = [
        life.move("2026-11-05 11:00", on("2026-11-21"))[-1],
        life.move("2026-11-05 12:00", on("2026-11-26"))[-1],
        life.revoke("2026-11-05 13:00")[-1],
    ]
    assert told == [
        "debit 100.00 on C1: 100.00 refundable, moved, reverses number 2",
        "debit 50.00 on C1: 50.00 refundable, moved, reverses number 1",
        "debit 50.00 on C1: 50.00 refundable, revoked, reverses number 1",
    ]


def test_what_has_been_taken_back_to_the_last_is_not_taken_back_again() -> None:
    life = Life("2026-11-01")
    life.planned("2026-11-01 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "300.00"))
    life.cancel("2026-11-02 09:00", on("2026-11-16"))
    life.issued("2026-11-02 10:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "150.00"))
    told = [
        life.revoke("2026-11-02 11:00")[-1],  # what the invoice left out
        life.cancel("2026-11-02 12:00", on("2026-11-11"), name="B")[-1],  # that, and 50.00 more
        life.move("2026-11-02 13:00", on("2026-11-16"))[-1],
        life.move("2026-11-02 14:00", on("2026-11-21"))[-1],  # all is taken back: this was left out once more
    ]
    assert told == [
        "debit 150.00 on C1: open, revoked",
        "credit 200.00 on C1: 200.00 offset, cancelled, reverses number 1",
        "debit 50.00 on C1: 50.00 offset, moved, reverses number 2",
        "debit 50.00 on C1: 50.00 offset, moved",
    ]


@pytest.mark.parametrize(
    ("days", "earliest"),
    [
        (366, "2026-11-01"),  # the start, however far back the merchant goes
        (11, "2026-11-01"),
        (10, "2026-11-02"),
        (0, "2026-11-12"),
    ],
)
def test_the_earliest_end_permitted_is_the_start_or_as_far_back_as_the_merchant_goes(days: int, earliest: str) -> None:
    life = paid_november()
    life.policy("2026-01-01 00:00", Policy(earliest_backdate_days=days))
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert life.subscription.told.end is not None
    assert life.subscription.told.end.earliest_permitted_end_date == date.fromisoformat(earliest)


@pytest.mark.parametrize(
    ("at", "ends_at"),
    [
        ("2026-11-18T15:00:00+01:00", "2026-11-19T23:00:00+00:00"),  # too early, so as the 20th begins
        ("2026-11-19T15:00:00+01:00", "2026-11-19T14:00:00+00:00"),
    ],
)
def test_notice_is_counted_in_days_so_that_an_end_during_the_last_of_them_is_as_asked(at: str, ends_at: str) -> None:
    life = Life("2026-11-01", terms=Terms(notice=Duration(days=14)))
    life.cancel("2026-11-06 09:00", instant(at))
    assert life.subscription.told.end is not None
    assert life.subscription.told.end.access_ends_at == life.instant(ends_at)


@pytest.mark.parametrize(("at", "ends"), [("2026-11-11", "2026-11-12"), ("2026-11-12", "2026-12-01")])
def test_on_the_day_the_binding_is_over_the_term_that_ends_is_the_period(at: str, ends: str) -> None:
    life = Life("2026-11-01", terms=Terms(minimum_term=Duration(days=11)))
    assert life.cancel(f"{at} 09:00", EndWish("end-of-term"))[0].startswith(f"scheduled: ends {ends}")


@pytest.mark.parametrize(
    ("told_at", "given_back"),
    [
        # knowing of it, 450.00 are 15 days at 300.00 and 15 at 600.00: 150.00 is kept
        ("2026-11-01 07:59", "300.00"),
        ("2026-11-01 08:00", "300.00"),
        ("2026-11-01 08:01", "225.00"),
    ],
)
def test_an_invoice_knows_of_a_price_that_was_told_at_the_same_instant(told_at: str, given_back: str) -> None:
    life = Life("2026-11-01")
    life.price(told_at, "2026-11-16", "600.00")
    life.issued("2026-11-01 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "450.00"))
    life.cancel("2026-11-12 09:00", on("2026-11-16"))
    assert life.given_back("C1") == given_back


@pytest.mark.parametrize(
    ("told_at", "effect", "window", "given_back"),
    [
        # knowing of ten days that are not charged, 200.00 is for 20 days, of which 10 come before the end
        ("2026-11-01 07:59", "not-charged", ("2026-11-01", "2026-12-01"), "100.00"),
        ("2026-11-01 08:00", "not-charged", ("2026-11-01", "2026-12-01"), "100.00"),
        ("2026-11-01 08:01", "not-charged", ("2026-11-01", "2026-12-01"), "133.33"),
        # knowing of ten days by which November is longer, 200.00 is for 30 days until 11 December, or else for 40
        ("2026-11-01 07:59", "extends-period", ("2026-11-01", "2026-12-11"), "133.33"),
        ("2026-11-01 08:00", "extends-period", ("2026-11-01", "2026-12-11"), "133.33"),
        ("2026-11-01 08:01", "extends-period", ("2026-11-01", "2026-12-11"), "150.00"),
    ],
)
def test_an_invoice_knows_of_a_pause_that_was_told_at_the_same_instant(
    told_at: str, effect: Effect, window: tuple[str, str], given_back: str
) -> None:
    life = Life("2026-11-01")
    life.paused(told_at, "2026-11-11", "2026-11-21", effect=effect)
    life.issued("2026-11-01 08:00", "INV-1", charge("C1", *window, "200.00"))
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert life.given_back("C1") == given_back


def test_an_invoice_that_says_what_its_plan_said_knows_no_more_than_its_plan() -> None:
    life = Life("2026-11-01")
    november = charge("C1", "2026-11-01", "2026-12-01", "300.00")
    life.planned("2026-11-01 08:00", "INV-1", november)
    life.paused("2026-11-02 08:00", "2026-11-11", "2026-11-21", effect="not-charged")
    life.issued("2026-11-03 08:00", "INV-1", november)
    life.cancel("2026-11-12 09:00", END_OF_PERIOD)
    assert life.given_back("C1") == "100.00"


@pytest.mark.parametrize(
    ("issued_at", "amount", "given_back"),
    [
        # 20 of 30 days are kept: 200.00 of the 300.00 planned, or two thirds of a price of the invoice's own
        ("2026-11-02 08:59", "200.00", "66.67"),
        ("2026-11-02 09:00", "200.00", "0.00"),
        ("2026-11-02 08:59", "250.00", "83.33"),
        ("2026-11-02 09:00", "250.00", "50.00"),
    ],
)
def test_an_invoice_of_the_instant_of_the_cancellation_may_have_obeyed_it(
    issued_at: str, amount: str, given_back: str
) -> None:
    life = Life("2026-11-01")
    life.planned("2026-11-01 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "300.00"))
    life.issued(issued_at, "INV-1", charge("C1", "2026-11-01", "2026-12-01", amount), seen="2026-11-02 09:00")
    life.cancel("2026-11-02 09:00", on("2026-11-21"), seen="2026-11-02 09:01")
    assert life.given_back("C1") == given_back


@pytest.mark.parametrize(("issued_at", "debited"), [("09:59", "-50.00"), ("10:00", "0.00")])
def test_an_invoice_of_the_instant_of_the_regret_has_a_price_of_its_own(issued_at: str, debited: str) -> None:
    life = Life("2026-11-01")
    life.planned("2026-11-01 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "300.00"))
    life.cancel("2026-11-02 09:00", on("2026-11-21"))
    life.revoke("2026-11-02 10:00")
    late = charge("C1", "2026-11-01", "2026-12-01", "250.00")
    life.issued(f"2026-11-02 {issued_at}", "INV-1", late, seen="2026-11-02 10:01")
    assert life.given_back("C1") == debited


@pytest.mark.parametrize(("planned_at", "debited"), [("09:59", "-300.00"), ("10:00", "0.00")])
def test_a_free_invoice_did_not_obey_a_cancellation_taken_back_before_there_was_a_plan(
    planned_at: str, debited: str
) -> None:
    life = Life("2026-11-01")
    life.cancel("2026-11-02 09:00", on("2026-12-01"))
    life.revoke("2026-11-02 10:00")
    december = ("C2", "2026-12-01", "2027-01-01")
    life.planned(f"2026-11-02 {planned_at}", "INV-2", charge(*december, "300.00"), seen="2026-11-02 10:01")
    life.issued("2026-11-02 11:00", "INV-2", charge(*december, "0.00"))
    assert life.given_back("C2") == debited


@pytest.mark.parametrize(
    ("amount", "tax", "told"),
    [
        # 300.00 with tax 60.00 was planned, 200.00 with tax 40.00 is kept
        ("200.00", "40.01", "credit 0.00 with tax 0.01 on C1: open, late-invoice"),
        # another tax at the full price is a price of its own: 200.00 with tax 50.00 is kept
        ("300.00", "75.00", "credit 100.00 with tax 25.00 on C1: 100.00 offset, late-invoice"),
    ],
)
def test_an_invoice_that_obeys_may_say_another_tax_and_one_in_full_has_its_own(
    amount: str, tax: str, told: str
) -> None:
    life = Life("2026-11-01")
    life.planned("2026-11-01 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "300.00", "60.00"))
    life.cancel("2026-11-02 09:00", on("2026-11-21"))
    assert life.issued("2026-11-02 10:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", amount, tax))[-1] == told


@pytest.mark.parametrize(
    ("start", "end", "given_back"),
    [
        ("2026-11-20", "2026-11-21", "0.00"),  # a single day
        ("2026-11-16", "2026-11-26", "5.00"),
    ],
)
def test_days_for_which_there_is_no_price_are_worth_the_same_each(start: str, end: str, given_back: str) -> None:
    life = Life("2026-11-01")
    life.issued("2026-11-01 08:00", "INV-1", Item("C1", start, end, "10.00", line_id="unheard of"))
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert life.given_back("C1") == given_back


@pytest.mark.parametrize(
    ("terms", "wish", "ends"),
    [
        (Terms(minimum_term=Duration(months=6)), "2026-11-21", "2027-05-01"),
        (Terms(minimum_term=Duration(months=6)), "2027-05-02", "2027-05-02"),
        (Terms(settlement="full-period"), "2026-11-05", "2026-11-05"),  # nothing of binding or notice
        (Terms(notice=Duration(days=19), notice_to="month-end"), "2026-11-21", "2026-12-01"),  # over on the 1st
        (Terms(notice=Duration(days=20), notice_to="month-end"), "2026-11-21", "2027-01-01"),
        (Terms(notice=Duration(days=19), notice_to="period-end"), "2026-11-21", "2026-12-01"),
        (Terms(notice=Duration(days=20), notice_to="period-end"), "2026-11-21", "2027-01-01"),
    ],
)
def test_an_end_is_no_earlier_than_what_was_agreed_on_and_may_be_as_early_as_that(
    terms: Terms, wish: str, ends: str
) -> None:
    life = Life("2026-11-01", terms=terms)
    assert life.cancel("2026-11-12 09:00", on(wish))[0].startswith(f"scheduled: ends {ends},")


DECEMBER = charge("C2", "2026-12-01", "2027-01-01", "300.00")


@pytest.mark.parametrize(
    ("issued", "items", "ends"),
    [
        ("2026-11-12 08:59", [DECEMBER], "2027-01-01"),
        ("2026-11-12 09:00", [DECEMBER], "2027-01-01"),  # at the very instant
        ("2026-11-12 09:01", [DECEMBER], "2026-12-01"),
        ("2026-11-12 08:59", [Item("U1", "2026-11-01", "2027-02-01", "5.00", kind="usage")], "2026-12-01"),
        ("2026-11-12 08:59", [Item("F1", None, None, "5.00", kind="one-off")], "2026-12-01"),
        ("2026-11-12 08:59", [Item("F1", None, None, "5.00")], "2026-12-01"),  # for no period
    ],
)
def test_what_has_been_invoiced_runs_out_is_what_had_been_for_time_when_it_was_asked(
    issued: str, items: list[Item], ends: str
) -> None:
    life = paid_november()
    life.issued(issued, "INV-2", *items, seen="2026-11-12 09:01")
    life.cancel("2026-11-12 09:00", EndWish("end-of-invoiced"), seen="2026-11-12 09:02")
    assert life.subscription.told.end is not None
    assert life.subscription.told.end.end_date == date.fromisoformat(ends)


def test_what_was_invoiced_and_is_void_does_not_run_out() -> None:
    life = paid_november()
    life.issued("2026-11-12 08:00", "INV-2", DECEMBER)
    life.voided("2026-11-12 08:30", "INV-2")
    assert life.cancel("2026-11-12 09:00", EndWish("end-of-invoiced"))[0].startswith("scheduled: ends 2026-12-01")


@pytest.mark.parametrize(
    ("plans", "full"),
    [
        (["200.00", "200.00"], "300.00"),  # the first plan, whatever has been said twice since
        (["360.00", "240.00", "240.00"], "360.00"),  # a price of its own, two thirds of which are 240.00
    ],
)
def test_a_plan_that_is_said_twice_counts_once(plans: list[str], full: str) -> None:
    life = Life("2026-11-01")
    life.planned("2026-11-01 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "300.00"))
    life.cancel("2026-11-02 09:00", on("2026-11-21"))
    for minute, amount in enumerate(plans):
        life.planned(f"2026-11-03 08:0{minute}", "INV-1", charge("C1", "2026-11-01", "2026-12-01", amount))
    restored = f"2026-11-01/2026-12-01 restored to 2026-12-01; planned C1 {plans[-1]} -> {full}"
    assert restored in life.revoke("2026-11-04 09:00")


def test_a_credit_note_that_is_only_planned_leaves_the_adjustment_open() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    ours = life.adjustments[0].adjustment
    note = Item("N1", None, None, "100.00", kind="credit", corrects="C1", settles=ours.adjustment_id)
    life.planned("2026-11-13 08:00", "NOTE", note)
    assert life.subscription.open_adjustments == [ours]
    life.issued("2026-11-13 09:00", "NOTE", note)
    assert life.subscription.open_adjustments == []


def test_a_charge_credited_for_time_after_the_end_is_owed_once_it_turns_out_to_be_for_time_long_before() -> None:
    life = Life("2026-10-01")
    life.issued("2026-11-01 08:00", "INV-2", DECEMBER)
    life.cancel("2026-11-12 09:00", on("2026-12-01"))
    assert life.given_back("C2") == "300.00"
    october = charge("C2", "2026-10-01", "2026-11-01", "300.00")
    assert life.issued("2026-11-13 08:00", "INV-2", october)[-1] == (
        "debit 300.00 on C2: 300.00 offset, late-invoice, reverses number 1"
    )


def test_no_more_is_refunded_in_all_than_was_paid() -> None:
    life = Life("2026-11-01")
    fee = Item("F1", None, None, "200.00", kind="one-off")
    life.issued("2026-11-01 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "300.00"), fee)
    life.credited("2026-11-01 09:00", "F1", "250.00")
    life.paid("2026-11-02 08:00", "INV-1", "150.00")  # 100.00 is still open
    told = [
        life.cancel("2026-11-02 09:00", on("2026-11-11"))[-1],
        life.move("2026-11-02 10:00", on("2026-11-01"))[-1],
    ]
    assert told == [
        "credit 200.00 on C1: 100.00 offset, 100.00 refundable, cancelled",
        "credit 100.00 on C1: 50.00 offset, 50.00 refundable, moved",
    ]


def test_nor_is_it_of_two_charges_of_an_invoice_at_once() -> None:
    life = Life("2026-11-01")
    fee = Item("F1", None, None, "200.00", kind="one-off")
    both = (charge(charge_id, "2026-11-01", "2026-12-01", "300.00") for charge_id in ("C1", "C2"))
    life.issued("2026-11-01 08:00", "INV-1", *both, fee)
    life.credited("2026-11-01 09:00", "F1", "250.00")
    life.paid("2026-11-02 08:00", "INV-1", "450.00")  # 100.00 is still open
    assert life.cancel("2026-11-02 09:00", on("2026-11-01"))[-2:] == [
        "credit 300.00 on C1: 100.00 offset, 200.00 refundable, cancelled",
        "credit 300.00 on C2: 50.00 offset, 250.00 refundable, cancelled",
    ]


def test_the_least_there_is_to_give_is_taken_back_as_what_it_was() -> None:
    life = Life("2026-11-01")
    life.issued("2026-11-01 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "0.30"))
    assert life.cancel("2026-11-02 09:00", on("2026-11-30"))[-1] == "credit 0.01 on C1: 0.01 offset, cancelled"
    assert life.revoke("2026-11-02 10:00")[-1] == "debit 0.01 on C1: 0.01 offset, revoked, reverses number 1"


@pytest.mark.parametrize(("asked", "ends"), [("2026-11-14", "2026-11-15"), ("2026-11-15", "2026-12-15")])
def test_the_first_day_after_a_trial_lies_in_the_first_paid_period(asked: str, ends: str) -> None:
    life = Life("2026-11-01", trial_end="2026-11-15")
    assert life.cancel(f"{asked} 09:00", END_OF_PERIOD)[0].startswith(f"scheduled: ends {ends},")


@pytest.mark.parametrize(
    ("proration", "given_back"),
    [
        ("second", "200.00"),  # 10 of 30 days are kept, from noon to noon
        ("day", "193.55"),  # 11 of the 31 days it touches, that of the end with them: 300.00 * 11/31 = 106.45 is kept
    ],
)
def test_a_charge_from_noon_to_noon_is_divided_there_by_the_second_and_by_whole_days_otherwise(
    proration: Proration, given_back: str
) -> None:
    life = Life("2026-11-01")
    life.policy("2026-01-01 00:00", Policy(proration=proration))
    november = Item("C1", "2026-11-01T12:00:00+01:00", "2026-12-01T12:00:00+01:00", "300.00")
    life.issued("2026-11-01 12:00", "INV-1", november)
    life.cancel("2026-11-02 09:00", instant("2026-11-11T12:00:00+01:00"))
    assert life.given_back("C1") == given_back


@pytest.mark.parametrize(("end", "given_back"), [("2026-12-01", "100.00"), ("2026-12-02", "0.00")])
def test_a_pause_heard_of_late_is_settled_in_the_last_period_and_those_before_are_closed(
    end: str, given_back: str
) -> None:
    life = paid_november()
    life.paused("2026-11-10 08:00", "2026-11-11", "2026-11-21", effect="not-charged")
    life.cancel("2026-11-12 09:00", on("2026-11-26"))
    assert life.given_back("C1") == "150.00"  # 15 of 30 days are kept
    life.move("2026-11-12 10:00", on(end))
    assert life.given_back("C1") == given_back


@pytest.mark.parametrize(("end", "given_back"), [("2026-11-30", "300.00"), ("2026-12-01", "0.00")])
def test_a_period_is_refunded_where_the_end_comes_inside_it_and_not_where_it_has_run_to_its_end(
    end: str, given_back: str
) -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on(end), settlement="refund-period")
    assert life.given_back("C1") == given_back


def test_a_charge_that_is_void_is_for_no_days_that_could_be_counted() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    life.voided("2026-11-13 08:00", "INV-1")
    calculations = [given.adjustment.calculation for given in life.adjustments]
    assert [(each.active, each.total, each.voided) for each in calculations] == [(20, 30, False), (1, 1, True)]


def test_another_price_for_the_same_date_replaces_the_one_told_before_and_no_other() -> None:
    life = Life("2026-11-01")
    life.price("2026-10-31 08:00", "2026-11-11", "600.00")
    life.price("2026-10-31 09:00", "2026-11-21", "900.00")
    life.price("2026-10-31 10:00", "2026-11-21", "1200.00")
    # ten days at 300.00 a month, ten at 600.00 and ten at 1200.00 are 100.00, 200.00 and 400.00
    life.issued("2026-11-01 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "700.00"))
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert life.given_back("C1") == "400.00"


def test_an_invoice_that_obeys_to_the_second_is_for_the_time_its_plan_was_for() -> None:
    life = Life("2026-11-01")
    life.policy("2026-01-01 00:00", Policy(proration="second"))
    begins, ends, whole = "2026-11-01T12:00:00+01:00", "2026-11-11T12:00:00+01:00", "2026-12-01T12:00:00+01:00"
    life.planned("2026-11-01 12:00", "INV-1", Item("C1", begins, whole, "300.00"))
    life.cancel("2026-11-02 09:00", instant(ends))  # 10 of 30 days
    assert life.issued("2026-11-02 10:00", "INV-1", Item("C1", begins, ends, "100.00")) == []
    life.revoke("2026-11-02 11:00")
    assert life.given_back("C1") == "-200.00"


def test_where_the_end_comes_as_a_period_begins_the_clock_is_asked_for_only_to_seal_it() -> None:
    life = Life("2026-11-01")
    life.cancel("2026-11-12 09:00", on("2026-12-01"))
    assert due_at(life.subscription, life.rules) == life.instant("2026-12-01 00:01")


def test_a_regret_under_an_open_pause_gives_the_period_back_by_the_days_it_has_without_an_end() -> None:
    # Up to the end the pause has put the period off by the 15 days from the 6th to the 20th; without one, by none yet.
    life = Life("2026-11-01")
    life.planned("2026-11-01 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "300.00"))
    life.paused("2026-11-03 09:00", "2026-11-06", effect="extends-period")
    assert life.cancel("2026-11-12 09:00", on("2026-11-21")) == [
        "scheduled: ends 2026-11-21, last active day 2026-11-20",
        "2026-11-01/2026-12-16 shortened to 2026-11-21; planned C1 300.00 -> 50.00",
        "2026-12-16/2027-01-16 cancelled",
    ]
    assert life.revoke("2026-11-12 10:00") == [
        "withdrawn",
        "2026-11-01/2026-12-01 restored to 2026-12-01; planned C1 50.00 -> 300.00",
        "2026-11-01/2026-12-16 restored to 2026-12-16",
        "2026-12-16/2027-01-16 reinstated",
    ]
