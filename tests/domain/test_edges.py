"""What lies on either side of an edge: cases that differ from others by one comparison only."""

from __future__ import annotations

from service.domain.decide import due_at
from service.domain.outcomes import PeriodChanged
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
