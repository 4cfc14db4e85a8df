"""What the customer owes for the last period and gets back of the rest, whatever the invoices did."""

from __future__ import annotations

import pytest

from tests.domain.examples import END_OF_PERIOD, Item, Life, charge, last_day, on, paid_november

NOVEMBER = charge("C1", "2026-11-01", "2026-12-01", "300.00")
DECEMBER = charge("C2", "2026-12-01", "2027-01-01", "300.00")


def issued_november() -> Life:
    life = Life("2026-11-01")
    life.issued("2026-11-01 08:00", "INV-1", NOVEMBER)
    return life


def planned_november() -> Life:
    """Cancelled to 20 of 30 days while November is only planned."""
    life = Life("2026-11-01")
    life.planned("2026-11-01 08:00", "INV-1", NOVEMBER)
    assert life.cancel("2026-11-12 09:00", on("2026-11-21"))[1:] == [
        "2026-11-01/2026-12-01 shortened to 2026-11-21; planned C1 300.00 -> 200.00",
        "2026-12-01/2027-01-01 cancelled",
    ]
    return life


def november(amount: str, tax: str | None = None) -> Item:
    return charge("C1", "2026-11-01", "2026-12-01", amount, tax)


def test_a_planned_charge_is_shortened_and_nothing_is_credited() -> None:
    assert planned_november().adjustments == []


def test_an_invoice_that_is_issued_as_shortened_needs_nothing_more() -> None:
    life = planned_november()
    assert life.issued("2026-11-30 08:00", "INV-1", november("200.00")) == []
    assert life.paid("2026-11-30 09:00", "INV-1", "200.00") == []


def test_an_invoice_may_state_the_shortened_period_as_well() -> None:
    life = planned_november()
    assert life.issued("2026-11-30 08:00", "INV-1", charge("C1", "2026-11-01", "2026-11-21", "200.00")) == []


def test_an_invoice_that_is_issued_in_full_after_all_is_credited() -> None:
    life = planned_november()
    assert life.issued("2026-11-30 08:00", "INV-1", NOVEMBER) == ["credit 100.00 on C1: 100.00 offset, late-invoice"]


def test_a_plan_redrawn_as_shortened_and_then_issued_needs_nothing_more() -> None:
    life = planned_november()
    assert life.planned("2026-11-13 08:00", "INV-1", november("200.00")) == []
    assert life.issued("2026-11-30 08:00", "INV-1", november("200.00")) == []


def test_what_an_obedient_invoice_left_out_is_charged_when_the_end_moves_out() -> None:
    life = planned_november()
    life.issued("2026-11-13 08:00", "INV-1", november("200.00"))
    assert life.move("2026-11-14 08:00", on("2026-11-26"))[1:] == [
        "2026-11-01/2026-12-01 restored to 2026-11-26; issued C1 200.00 -> 250.00",
        "debit 50.00 on C1: open, moved",
    ]


def test_what_an_obedient_invoice_left_out_is_charged_when_the_cancellation_is_revoked() -> None:
    life = planned_november()
    life.issued("2026-11-13 08:00", "INV-1", november("200.00"))
    assert life.revoke("2026-11-14 08:00")[1:] == [
        "2026-11-01/2026-12-01 restored to 2026-12-01; issued C1 200.00 -> 300.00",
        "2026-12-01/2027-01-01 reinstated",
        "debit 100.00 on C1: open, revoked",
    ]


def test_an_obedient_invoice_is_credited_further_when_the_end_moves_in() -> None:
    life = planned_november()
    life.issued("2026-11-13 08:00", "INV-1", november("200.00"))
    assert life.move("2026-11-14 08:00", on("2026-11-16"))[1:] == [
        "2026-11-01/2026-12-01 shortened to 2026-11-16; issued C1 200.00 -> 150.00",
        "credit 50.00 on C1: 50.00 offset, moved",
    ]


def test_an_invoice_that_obeyed_a_cancellation_already_revoked_is_charged_up_again() -> None:
    life = planned_november()
    life.revoke("2026-11-13 08:00")
    assert life.issued("2026-11-13 08:01", "INV-1", november("200.00")) == ["debit 100.00 on C1: open, late-invoice"]


def test_an_invoice_in_full_after_a_regret_is_left_alone() -> None:
    life = planned_november()
    life.revoke("2026-11-13 08:00")
    assert life.issued("2026-11-30 08:00", "INV-1", NOVEMBER) == []


def test_an_invoice_dearer_than_planned_after_a_regret_is_left_alone() -> None:
    life = planned_november()
    life.revoke("2026-11-13 08:00")
    assert life.issued("2026-11-30 08:00", "INV-1", november("330.00")) == []


def test_a_plan_redrawn_at_another_price_after_a_regret_is_the_price_that_counts() -> None:
    life = planned_november()
    life.revoke("2026-11-13 08:00")
    assert life.planned("2026-11-14 08:00", "INV-1", november("360.00")) == []
    assert "2026-11-01/2026-12-01 shortened to 2026-11-11; planned C1 360.00 -> 120.00" in life.cancel(
        "2026-11-15 08:00", on("2026-11-11"), name="B"
    )


def test_an_invoice_cheaper_than_planned_after_a_regret_is_left_alone() -> None:
    life = planned_november()
    life.revoke("2026-11-13 08:00")
    assert life.issued("2026-11-30 08:00", "INV-1", november("280.00")) == []


def test_an_invoice_cheaper_than_anything_we_said_is_divided_at_its_own_price_and_never_charged_up() -> None:
    life = Life("2026-11-01")
    life.planned("2026-11-01 08:00", "INV-1", NOVEMBER)
    life.cancel("2026-11-12 09:00", on("2026-11-29"))  # 28 of 30 days: told 280.00
    life.issued("2026-11-30 08:00", "INV-1", november("150.00"))  # half price, of which 28 of 30 days are 140.00
    assert life.given_back("C1") == "10.00"


def test_an_invoice_dearer_than_planned_is_kept_in_part_at_its_own_price() -> None:
    life = planned_november()
    told = life.issued("2026-11-30 08:00", "INV-1", november("330.00"))
    assert told[-1] == "credit 110.00 on C1: 110.00 offset, late-invoice"


def test_a_half_price_invoice_is_not_mistaken_for_one_that_obeyed_a_later_cancellation() -> None:
    life = Life("2026-11-01")
    life.planned("2026-11-01 08:00", "INV-1", NOVEMBER)
    life.issued("2026-11-02 08:00", "INV-1", november("150.00"))
    life.cancel("2026-11-12 09:00", on("2026-11-16"))
    assert life.given_back("C1") == "75.00"


def test_a_half_price_invoice_is_not_mistaken_either_when_it_arrives_after_the_cancellation() -> None:
    life = Life("2026-11-01")
    life.planned("2026-11-01 08:00", "INV-1", NOVEMBER)
    life.cancel("2026-11-12 09:00", on("2026-11-16"))
    life.issued("2026-11-02 08:00", "INV-1", november("150.00"), seen="2026-11-12 09:01")
    assert life.given_back("C1") == "75.00"


def test_an_invoice_that_arrives_after_the_cancellation_is_credited_on_sight() -> None:
    life = Life("2026-11-01")
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert life.issued("2026-11-13 08:00", "INV-1", NOVEMBER) == [
        "2026-11-01/2026-12-01 shortened to 2026-11-21; issued C1 300.00 -> 200.00",
        "credit 100.00 on C1: 100.00 offset, late-invoice",
    ]
    assert life.issued("2026-12-01 08:00", "INV-2", DECEMBER) == [
        "2026-12-01/2027-01-01 cancelled, INV-2; issued C2 300.00 -> 0.00",
        "credit 300.00 on C2: 300.00 offset, late-invoice",
    ]


def test_the_order_in_which_invoice_and_cancellation_arrive_makes_no_difference() -> None:
    first = issued_november()
    first.cancel("2026-11-12 09:00", on("2026-11-21"))
    second = Life("2026-11-01")
    second.cancel("2026-11-12 09:00", on("2026-11-21"))
    second.issued("2026-11-01 08:00", "INV-1", NOVEMBER, seen="2026-11-12 10:00")
    assert first.given_back("C1") == second.given_back("C1") == "100.00"


def test_a_voided_invoice_takes_its_credit_with_it() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert life.voided("2026-11-13 08:00", "INV-1") == [
        "debit 100.00 on C1: 100.00 refundable, correction, reverses number 1"
    ]
    assert life.revoke("2026-11-14 08:00") == [
        "withdrawn",
        "2026-11-01/2026-12-01 restored to 2026-12-01",
        "2026-12-01/2027-01-01 reinstated, INV-2; planned C2 0.00 -> 300.00",
    ]


def test_an_invoice_voided_before_the_cancellation_is_worth_nothing() -> None:
    life = issued_november()
    life.voided("2026-11-02 08:00", "INV-1")
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert life.adjustments == []


def test_a_voided_invoice_that_is_replaced_is_credited_on_the_replacement() -> None:
    life = issued_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    life.voided("2026-11-13 08:00", "INV-1")
    assert life.issued("2026-11-13 09:00", "INV-1b", charge("C1b", "2026-11-01", "2026-12-01", "300.00")) == [
        "2026-11-01/2026-12-01 shortened to 2026-11-21; issued C1b 300.00 -> 200.00",
        "credit 100.00 on C1b: 100.00 offset, late-invoice",
    ]
    assert (life.given_back("C1"), life.given_back("C1b")) == ("0.00", "100.00")


def test_a_voided_invoice_that_is_issued_again_is_credited_again() -> None:
    life = issued_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    life.voided("2026-11-13 08:00", "INV-1")
    told = life.issued("2026-11-13 09:00", "INV-1", NOVEMBER)
    assert told[-1] == "credit 100.00 on C1: 100.00 offset, late-invoice"


def test_a_voided_invoice_that_is_issued_again_after_a_regret_is_left_alone() -> None:
    life = issued_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    life.voided("2026-11-13 08:00", "INV-1")
    life.revoke("2026-11-13 09:00")
    assert life.issued("2026-11-13 10:00", "INV-1", NOVEMBER) == []


def test_a_credit_that_somebody_else_gave_counts_against_ours() -> None:
    life = paid_november()
    life.credited("2026-11-11 08:00", "C1", "40.00")
    assert life.cancel("2026-11-12 09:00", on("2026-11-21"))[-1] == "credit 60.00 on C1: 60.00 refundable, cancelled"


def test_a_larger_credit_by_somebody_else_leaves_nothing_to_give_and_takes_nothing_back() -> None:
    life = paid_november()
    life.credited("2026-11-11 08:00", "C1", "250.00")
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert life.adjustments == []


def test_a_credit_by_somebody_else_after_ours_replaces_that_much_of_it() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert life.credited("2026-11-13 08:00", "C1", "40.00") == [
        "debit 40.00 on C1: 40.00 refundable, correction, reverses number 1"
    ]
    life.credited("2026-11-14 08:00", "C1", "100.00")
    assert life.given_back("C1") == "0.00"


def test_a_goodwill_credit_on_an_invoice_that_was_issued_as_shortened_is_not_charged_again() -> None:
    life = planned_november()
    life.issued("2026-11-13 08:00", "INV-1", november("200.00"))
    assert life.credited("2026-11-14 08:00", "C1", "50.00") == []


def test_a_credit_note_that_is_voided_makes_room_for_ours_again() -> None:
    life = paid_november()
    life.credited("2026-11-11 08:00", "C1", "40.00")
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    credit_note = next(charge_id for charge_id in life.subscription.charges if charge_id.startswith("credit"))
    assert life.voided("2026-11-13 08:00", credit_note) == ["credit 40.00 on C1: 40.00 refundable, correction"]


def test_a_planned_credit_by_somebody_else_is_no_credit_yet() -> None:
    life = paid_november()
    life.planned("2026-11-11 08:00", "NOTE", Item("N1", None, None, "40.00", kind="credit", corrects="C1"))
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert life.given_back("C1") == "100.00"


def test_a_credit_note_that_carries_ours_out_closes_it_and_counts_nowhere_else() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    ours = life.adjustments[0].adjustment.adjustment_id
    note = Item("N1", None, None, "100.00", kind="credit", corrects="C1", settles=ours)
    assert life.issued("2026-11-13 08:00", "NOTE", note) == []
    assert life.given_back("C1") == "100.00"


def test_a_charge_that_carries_out_a_debit_of_ours_counts_nowhere_else() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    life.revoke("2026-11-13 09:00")
    debit = life.adjustments[-1].adjustment.adjustment_id
    life.issued("2026-11-14 08:00", "INV-1c", Item("D1", "2026-11-01", "2026-12-01", "100.00", settles=debit))
    life.cancel("2026-11-15 09:00", on("2026-11-21"), name="B")
    assert (life.given_back("C1"), life.given_back("D1")) == ("100.00", "0.00")


def test_an_unpaid_invoice_is_written_down_and_nothing_is_refunded() -> None:
    life = issued_november()
    told = life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert told[-1] == "credit 100.00 on C1: 100.00 offset, cancelled"


def test_a_part_paid_invoice_is_written_down_first_and_the_rest_refunded() -> None:
    life = issued_november()
    life.paid("2026-11-02 08:00", "INV-1", "240.00")
    told = life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert told[-1] == "credit 100.00 on C1: 60.00 offset, 40.00 refundable, cancelled"


def test_an_overpaid_invoice_is_refunded_what_the_credit_is_and_not_the_overpayment() -> None:
    life = issued_november()
    life.paid("2026-11-02 08:00", "INV-1", "350.00")
    told = life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert told[-1] == "credit 100.00 on C1: 100.00 refundable, cancelled"


def test_a_payment_after_the_credit_changes_nothing_of_ours() -> None:
    life = issued_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert life.paid("2026-11-13 08:00", "INV-1", "300.00") == []


def test_payments_are_totals_so_the_last_one_counts() -> None:
    life = issued_november()
    life.paid("2026-11-02 08:00", "INV-1", "100.00")
    life.paid("2026-11-03 08:00", "INV-1", "240.00")
    told = life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert told[-1] == "credit 100.00 on C1: 60.00 offset, 40.00 refundable, cancelled"


def test_a_regret_mirrors_the_credit_as_it_was_given_whatever_was_paid_since() -> None:
    life = issued_november()
    life.paid("2026-11-02 08:00", "INV-1", "240.00")
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    life.paid("2026-11-13 08:00", "INV-1", "300.00")
    told = life.revoke("2026-11-14 09:00")
    assert told[-1] == "debit 100.00 on C1: 60.00 offset, 40.00 refundable, revoked, reverses number 1"


def test_a_credit_taken_back_in_part_takes_the_refund_first() -> None:
    life = issued_november()
    life.paid("2026-11-02 08:00", "INV-1", "240.00")
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    told = life.move("2026-11-13 09:00", on("2026-11-26"))
    assert told[-1] == "debit 50.00 on C1: 10.00 offset, 40.00 refundable, moved, reverses number 1"
    assert life.revoke("2026-11-14 09:00")[-1] == "debit 50.00 on C1: 50.00 offset, revoked, reverses number 1"


def test_two_charges_of_an_invoice_share_its_open_balance() -> None:
    life = Life("2026-11-01")
    other = charge("C9", "2026-11-01", "2026-12-01", "150.00")
    life.issued("2026-11-01 08:00", "INV-1", NOVEMBER, other)
    life.paid("2026-11-02 08:00", "INV-1", "330.00")
    assert life.cancel("2026-11-12 09:00", on("2026-11-21"))[1:] == [
        "2026-11-01/2026-12-01 shortened to 2026-11-21; issued C1 300.00 -> 200.00; issued C9 150.00 -> 100.00",
        "2026-12-01/2027-01-01 cancelled",
        "credit 100.00 on C1: 100.00 offset, cancelled",
        "credit 50.00 on C9: 20.00 offset, 30.00 refundable, cancelled",
    ]


def test_tax_is_divided_as_the_amount_is_and_given_back_with_it() -> None:
    life = Life("2026-11-01")
    life.issued("2026-11-01 08:00", "INV-1", november("100.01", "20.00"))
    told = life.cancel("2026-11-12 09:00", on("2026-11-16"))
    # 100.01 * 15/30 = 50.005, up to 50.01; 20.00 * 15/30 = 10.00
    assert told[1] == "2026-11-01/2026-12-01 shortened to 2026-11-16; issued C1 100.01 -> 50.01 (tax 20.00 -> 10.00)"
    assert told[-1] == "credit 50.00 with tax 10.00 on C1: 50.00 offset, cancelled"
    assert life.revoke("2026-11-13 09:00")[-1].startswith("debit 50.00 with tax 10.00 on C1")


def test_an_obedient_invoice_leaves_out_the_tax_too() -> None:
    life = Life("2026-11-01")
    life.planned("2026-11-01 08:00", "INV-1", november("300.00", "60.00"))
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert life.issued("2026-11-13 08:00", "INV-1", november("200.00", "40.00")) == []
    assert life.revoke("2026-11-14 09:00")[-1] == "debit 100.00 with tax 20.00 on C1: open, revoked"


def test_another_tax_at_the_same_price_does_not_stand_in_the_way_of_a_regret() -> None:
    life = Life("2026-11-01")
    life.planned("2026-11-01 08:00", "INV-1", november("300.00", "60.00"))
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    life.issued("2026-11-13 08:00", "INV-1", november("300.00", "75.00"))
    life.revoke("2026-11-14 09:00")
    adjusted = [given.adjustment.amount for given in life.adjustments]
    assert (sum(amount.gross for amount in adjusted), sum(amount.tax for amount in adjusted)) == (0, 0)


def test_one_off_and_usage_charges_are_never_divided() -> None:
    life = Life("2026-11-01")
    setup = Item("SETUP", None, None, "99.00", kind="one-off")
    calls = Item("CALLS", "2026-11-01", "2026-12-01", "12.00", kind="usage")
    later = Item("LATER", "2026-12-01", "2027-01-01", "12.00", kind="usage")
    life.issued("2026-11-01 08:00", "INV-1", setup, calls, later)
    assert life.cancel("2026-11-12 09:00", on("2026-11-21"))[1:] == [
        "2026-11-01/2026-12-01 shortened to 2026-11-21",
        "2026-12-01/2027-01-01 cancelled",
    ]


def test_a_charge_is_divided_by_its_own_window_and_not_by_the_billing_period() -> None:
    life = Life("2026-11-01")
    life.issued("2026-11-01 08:00", "INV-1", charge("YEAR", "2026-11-01", "2027-11-01", "365.00"))
    life.cancel("2026-11-12 09:00", last_day("2026-11-30"))
    assert life.given_back("YEAR") == "335.00"


def test_dinars_are_divided_to_the_third_decimal() -> None:
    life = Life("2026-11-01", amount="10.000", currency="BHD", zone="Asia/Bahrain")
    life.issued("2026-11-01 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "10.000"))
    life.cancel("2026-11-12 09:00", on("2026-11-08"))  # 10.000 * 7/30 = 2.3333
    assert life.given_back("C1") == "7.667"


def test_a_free_charge_is_shortened_without_any_money() -> None:
    life = Life("2026-11-01", amount="0.00")
    life.issued("2026-11-01 08:00", "INV-1", november("0.00"))
    assert life.cancel("2026-11-12 09:00", on("2026-11-21"))[1:] == [
        "2026-11-01/2026-12-01 shortened to 2026-11-21; issued C1 0.00 -> 0.00",
        "2026-12-01/2027-01-01 cancelled",
    ]


def test_an_amount_goes_from_each_before_to_the_next_through_every_step() -> None:
    life = paid_november()
    steps = life.cancel("2026-11-12 09:00", on("2026-11-21"))
    steps += life.move("2026-11-12 10:00", on("2026-12-11"))
    steps += life.issued("2026-11-12 11:00", "INV-2", charge("C2", "2026-12-01", "2027-01-01", "96.77"))
    steps += life.move("2026-11-12 12:00", END_OF_PERIOD)
    steps += life.revoke("2026-11-12 13:00")
    assert [step for step in steps if "C2" in step] == [
        "2026-12-01/2027-01-01 cancelled, INV-2; planned C2 300.00 -> 0.00",
        "2026-12-01/2027-01-01 reinstated, INV-2; planned C2 0.00 -> 300.00",
        "2026-12-01/2027-01-01 shortened to 2026-12-11; planned C2 300.00 -> 96.77",
        "2026-12-01/2027-01-01 cancelled, INV-2; issued C2 96.77 -> 0.00",
        "credit 96.77 on C2: 96.77 offset, moved",
        "2026-12-01/2027-01-01 reinstated, INV-2; issued C2 0.00 -> 300.00",
        "debit 300.00 on C2: 96.77 offset, revoked, reverses number 3",
    ]


def test_every_adjustment_knows_the_number_it_was_published_under() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    life.revoke("2026-11-13 09:00")
    published = {outcome.sequence: outcome.body for outcome in life.outcomes}
    assert [published[given.adjustment.sequence] for given in life.adjustments] == life.adjustments


@pytest.mark.parametrize(
    ("whole", "given_back"),
    [("2026-11-16", "0.00"), ("2026-11-21", "0.00"), ("2026-11-26", "100.00"), ("2026-12-11", "100.00")],
)
def test_whichever_end_comes_first_says_how_a_line_is_settled(whole: str, given_back: str) -> None:
    life = issued_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"), "L1", settlement="prorate")
    life.cancel("2026-11-12 10:00", on(whole), name="B", settlement="full-period")
    assert life.given_back("C1") == given_back
