"""Charges that nobody reports: each period that has begun counts as issued at its list price."""

from __future__ import annotations

from datetime import timedelta

import pytest

from service.domain.decide import due_at
from service.domain.policy import Policy
from tests.domain.examples import Life, charge, on


def unreported(start: str = "2026-11-01", *, trial_end: str | None = None, anchor: int | None = None) -> Life:
    life = Life(start, trial_end=trial_end, anchor=anchor)
    life.policy("2026-01-01 00:00", Policy(charges="implied"))
    return life


def given_back(life: Life) -> dict[str, str]:
    """What was given back of each period, by the day it began."""
    periods = {given.adjustment.charge_id: given.adjustment.calculation.period for given in life.adjustments}
    return {str(period.start): life.given_back(charge_id) for charge_id, period in periods.items() if period}


def test_the_period_that_has_begun_is_divided() -> None:
    life = unreported()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert given_back(life) == {"2026-11-01": "100.00"}


def test_what_was_given_back_is_taken_back_also_when_invoicing_has_begun_to_report() -> None:
    life = unreported()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    life.policy("2026-11-13 00:00", Policy(charges="reported"))
    life.revoke("2026-11-14 09:00")
    assert given_back(life) == {"2026-11-01": "0.00"}


def test_periods_that_began_before_nobody_reported_were_reported() -> None:
    life = Life("2026-11-01")
    life.policy("2026-11-12 00:00", Policy(charges="implied"))
    life.cancel("2026-11-13 09:00", on("2026-11-21"))
    assert life.adjustments == []


def test_an_end_inside_the_trial_that_is_moved_behind_it_divides_the_first_paid_period() -> None:
    life = unreported(trial_end="2026-11-15")
    life.cancel("2026-11-10 09:00", on("2026-11-14"))
    life.move("2026-11-11 09:00", on("2026-12-25"))
    life.move("2026-11-16 09:00", on("2026-11-25"))
    assert given_back(life) == {"2026-11-15": "200.00"}


@pytest.mark.parametrize(
    ("learnt_at", "end", "expected"),
    [
        # ten days in November, known before December began: it began on the 11th
        ("2026-11-02 08:00", "2026-12-21", {"2026-12-11": "203.23"}),
        # ... or known only afterwards: December began on the 1st, and has been put off to the 11th
        ("2026-12-22 08:00", "2026-12-21", {"2026-12-01": "203.23"}),
        ("2026-12-22 08:00", "2026-12-06", {"2026-11-01": "50.00", "2026-12-01": "300.00"}),
    ],
)
def test_a_pause_that_extends_a_period_puts_the_next_off_once(
    learnt_at: str, end: str, expected: dict[str, str]
) -> None:
    life = unreported()
    life.cancel("2026-11-12 09:00", on("2027-01-31"))
    if learnt_at < "2026-11-12":
        life = unreported()
        life.paused(learnt_at, "2026-11-11", "2026-11-21")
        life.cancel("2026-12-12 09:00", on(end))
    else:
        life.move("2026-12-12 09:00", on(end))
        life.paused(learnt_at, "2026-11-11", "2026-11-21")
    assert given_back(life) == expected


def test_a_first_period_that_is_shorter_and_put_off_costs_its_share_and_no_more() -> None:
    life = unreported("2026-11-16", anchor=1)
    life.paused("2026-11-17 08:00", "2026-11-20", "2026-11-30")
    life.cancel("2026-11-18 09:00", on("2026-11-16"))
    assert given_back(life) == {"2026-11-16": "150.00"}


def test_a_period_that_had_been_put_off_after_all_was_never_charged() -> None:
    life = unreported()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    life.revoke("2026-11-13 09:00")
    life.cancel("2026-12-02 09:00", on("2026-12-04"), name="B")
    assert given_back(life)["2026-12-01"] == "270.97"
    life.paused("2026-11-30 08:00", "2026-11-20", "2026-11-30", seen="2026-12-03 08:00")
    assert given_back(life)["2026-12-01"] == "0.00"


def test_a_day_that_begins_by_the_clock_divides_it_once() -> None:
    life = unreported()
    life.cancel("2026-11-12 09:00", on("2026-12-11"))
    life.tick("2026-12-01 00:00")
    life.tick("2026-12-01 00:01")
    assert given_back(life) == {"2026-12-01": "203.23"}


def test_a_period_that_begins_is_divided_by_the_clock_also_where_an_invoice_for_it_has_been_told_of() -> None:
    life = unreported()
    life.planned("2026-11-10 09:00", "INV-2", charge("C2", "2026-12-01", "2027-01-01", "0.00"))
    life.cancel("2026-11-12 09:00", on("2026-12-11"))
    assert due_at(life.subscription, life.rules) == life.instant("2026-12-01 00:00")
    life.tick("2026-12-01 00:00")
    assert given_back(life) == {"2026-12-01": "203.23"}
    assert due_at(life.subscription, life.rules) == life.instant("2026-12-11 00:01")


def test_in_arrears_nothing_has_been_charged_of_a_period_that_has_not_ended() -> None:
    life = Life("2026-11-01", billing="in-arrears")
    life.policy("2026-01-01 00:00", Policy(charges="implied"))
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert life.adjustments == []


@pytest.mark.parametrize(
    ("told_at", "effective", "expected"),
    [
        # 21 of December's 31 days are given back: of 620.00, or of 310.00 where that is not known or not in force
        ("2026-11-30 23:59:59", "2026-12-01", "420.00"),
        ("2026-12-01 00:00:00", "2026-12-01", "420.00"),
        ("2026-12-01 00:00:01", "2026-12-01", "210.00"),
        ("2026-11-30 23:59:59", "2027-01-01", "210.00"),
    ],
)
def test_a_period_costs_what_is_known_and_in_force_as_it_begins(told_at: str, effective: str, expected: str) -> None:
    life = Life("2026-11-01", amount="310.00")
    life.policy("2026-01-01 00:00", Policy(charges="implied"))
    life.cancel("2026-11-12 09:00", on("2026-12-11"))
    life.price(told_at, effective, "620.00")
    life.tick("2026-12-01 00:01")
    assert given_back(life) == {"2026-12-01": expected}


def test_a_period_that_begins_as_the_end_comes_is_not_charged() -> None:
    life = unreported()
    life.cancel("2026-11-12 09:00", on("2026-12-01"))
    life.tick("2026-12-01 00:00")
    assert life.adjustments == []


def test_a_period_that_begins_at_the_very_instant_an_end_before_it_is_heard_of_is_not_charged() -> None:
    life = unreported()
    life.cancel("2026-12-01 00:00", on("2026-11-21"))
    assert given_back(life) == {"2026-11-01": "100.00"}


@pytest.mark.parametrize(
    ("paused", "resumed", "begins", "given_back"),
    [
        # put off by ten days, of which five are taken back before 1 December: 1 of 31 days lies after the end
        (("2026-10-31 08:00", "2026-11-21"), ("2026-11-15 08:00", "2026-11-16"), "2026-12-06", "9.68"),
        # put off to 10 January, and after 1 December only to the 26th: 21 of 31 days lie after the end
        (("2026-11-02 08:00", "2026-12-21"), ("2026-12-05 08:00", "2026-12-06"), "2026-12-26", "203.23"),
    ],
)
@pytest.mark.parametrize("regretted", [False, True])
def test_a_period_that_begins_earlier_than_a_pause_had_put_it_off_to_is_divided_as_it_begins(
    paused: tuple[str, str], resumed: tuple[str, str], begins: str, given_back: str, *, regretted: bool
) -> None:
    life = unreported()
    life.paused(paused[0], "2026-11-11", paused[1])
    if regretted:  # once an end has reached November, that is looked at too
        life.cancel("2026-11-03 09:00", on("2026-11-05"))
        life.revoke("2026-11-03 10:00")
    life.cancel("2026-11-03 11:00", on("2027-01-05"), name="B")
    life.resumed(*resumed)
    life.tick(life.instant(begins) - timedelta(seconds=1))
    assert life.given_back("L1 #1") == "0.00"
    life.tick(begins)
    assert life.given_back("L1 #1") == given_back


def test_a_period_that_turns_out_to_lie_before_the_end_is_kept_and_is_not_one_that_never_was() -> None:
    life = unreported()
    life.paused("2026-11-02 08:00", "2026-11-11", "2026-11-21")
    life.cancel("2026-11-12 09:00", on("2026-12-05"))  # November runs to 11 December: 24 of its 30 days are kept
    assert given_back(life) == {"2026-11-01": "60.00"}
    life.resumed("2026-11-13 08:00", "2026-11-12")  # it runs to 2 December
    assert given_back(life) == {"2026-11-01": "0.00"}
    assert not life.adjustments[-1].adjustment.calculation.voided


def test_a_week_costs_what_a_week_costs() -> None:
    life = Life("2026-11-10", amount="70.00", interval="P1W")
    life.policy("2026-01-01 00:00", Policy(charges="implied"))
    life.cancel("2026-11-18 09:00", on("2026-11-20"))  # 3 of 7 days of the second week are kept
    assert given_back(life) == {"2026-11-17": "40.00"}
