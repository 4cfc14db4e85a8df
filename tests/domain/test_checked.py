"""A decision that breaks a law is stopped, however it came about: here each is broken by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from service.domain.laws import LawBrokenError, check
from service.domain.money import Amount
from service.domain.outcomes import Outcome
from service.domain.settlement import Settlement, settle
from service.domain.subscription import Level, Subscription
from tests.domain.examples import Life, charge, on

NOVEMBER = charge("C1", "2026-11-01", "2026-12-01", "300.00", "60.00")
DECEMBER = charge("C2", "2026-12-01", "2027-01-01", "300.00", "60.00")


@dataclass
class Decided:
    """What was decided, with what is then changed of it."""

    before: Subscription
    after: Subscription
    target: Settlement
    outcomes: tuple[Outcome, ...]

    def keeps(self, charge_id: str, more: Amount) -> None:
        settled = self.target.reached[charge_id]
        self.target.reached[charge_id] = replace(settled, kept=settled.kept + more)

    def breaks(self) -> str:
        with pytest.raises(LawBrokenError) as broken:
            check(self.before, self.after, self.target, self.outcomes)
        return str(broken.value)


def two_months() -> Life:
    """November issued, December planned."""
    life = Life("2026-11-01")
    life.issued("2026-11-01 08:00", "INV-1", NOVEMBER)
    life.planned("2026-11-01 09:00", "INV-2", DECEMBER)
    return life


def cancelled(life: Life) -> Decided:
    return _decided(life, life.subscription, life.cancel("2026-11-12 09:00", on("2026-11-21")))


def regretted(life: Life) -> Decided:
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    return _decided(life, life.subscription, life.revoke("2026-11-13 09:00"))


def _decided(life: Life, before: Subscription, told: list[str]) -> Decided:
    target = settle(life.subscription, life.inputs[-1].recorded_at, life.rules)
    return Decided(before, life.subscription, target, tuple(life.outcomes[-len(told) :]))


def test_books_that_add_up_are_let_through() -> None:
    for decided in (cancelled(two_months()), regretted(two_months())):
        check(decided.before, decided.after, decided.target, decided.outcomes)


@pytest.mark.parametrize("more", [Amount(1, 0), Amount(-1, 0), Amount(0, 1), Amount(0, -1)])
def test_a_charge_that_is_a_minor_unit_off_is_stopped(more: Amount) -> None:
    decided = cancelled(two_months())
    decided.keeps("C1", more)
    assert decided.breaks() == "the law of identity is broken: charge C1"


def test_a_credit_for_what_was_only_planned_is_stopped() -> None:
    decided = cancelled(two_months())
    told = decided.after.told
    more = replace(told.adjustments[0], charge_id="C2")
    decided.after = replace(decided.after, told=replace(told, adjustments=(*told.adjustments, more)))
    assert decided.breaks() == "the law of identity is broken: charge C2"


def test_a_credit_that_others_gave_in_part_only_must_be_made_up() -> None:
    life = two_months()
    life.credited("2026-11-02 08:00", "C1", "40.00", "8.00")
    decided = cancelled(life)
    decided.after = replace(decided.after, told=replace(decided.after.told, adjustments=()))
    assert decided.breaks() == "the law of identity is broken: charge C1"


def test_the_least_that_others_gave_on_a_charge_that_left_something_out_is_let_through() -> None:
    life = Life("2026-11-01")
    life.planned("2026-11-01 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "300.00"))
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    life.issued("2026-11-12 10:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "200.00"))
    life.credited("2026-11-12 11:00", "C1", "0.01")
    assert life.revoke("2026-11-13 09:00")[-1] == "debit 100.00 on C1: open, revoked"


def test_less_than_all_kept_where_nothing_ends_is_stopped() -> None:
    decided = regretted(two_months())
    decided.keeps("C2", Amount(-1))
    assert decided.breaks() == "the law of neutral regret is broken: charge C2"


def test_a_plan_left_as_it_was_shortened_where_nothing_ends_is_stopped() -> None:
    decided = regretted(two_months())
    decided.after.told.levels["C2"] = Level(Amount(29_999, 6_000), Amount(30_000, 6_000))
    assert decided.breaks() == "the law of neutral regret is broken: charge C2"


def test_anything_kept_of_a_charge_that_begins_as_the_end_comes_is_stopped() -> None:
    life = two_months()
    decided = _decided(life, life.subscription, life.cancel("2026-11-12 09:00", on("2026-12-01")))
    decided.keeps("C2", Amount(1))
    assert decided.breaks() == "the law of nothing after the end is broken: charge C2"


@pytest.mark.parametrize(
    ("numbers", "broken"),
    [
        ([1, 2, 3], "[1, 2, 3] instead of [1, 2, 3, 4]"),
        ([2, 3, 4], "[2, 3, 4] instead of [1, 2, 3, 4]"),
        ([1, 2, 2, 4], "[1, 2, 2, 4] instead of [1, 2, 3, 4]"),
        ([1, 2, 3, 4, 5], "[1, 2, 3, 4, 5] instead of [1, 2, 3, 4]"),
    ],
)
def test_a_number_left_out_or_used_twice_is_stopped(numbers: list[int], broken: str) -> None:
    decided = cancelled(two_months())
    decided.outcomes = tuple(replace(decided.outcomes[0], sequence=number) for number in numbers)
    assert decided.breaks() == f"the law of sequence is broken: {broken}"
