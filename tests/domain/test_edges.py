"""What lies on either side of an edge: cases that differ from others by one comparison only."""

from __future__ import annotations

from datetime import date

import pytest

from service.domain.decide import due_at
from service.domain.facts import EndWish, Terms
from service.domain.outcomes import PeriodChanged
from service.domain.periods import Duration
from service.domain.policy import Policy
from tests.domain.examples import Item, Life, charge, instant, on, paid_november


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
