"""Amounts: the decimals a currency has, and what is left of an amount for part of its days."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.money import Amount, decimal, exponent, minor_units, share
from service.domain.policy import Rounding

amounts = st.integers(min_value=0, max_value=10**12)


@pytest.mark.parametrize(("currency", "digits"), [("JPY", 0), ("DKK", 2), ("EUR", 2), ("BHD", 3), ("CLF", 4)])
def test_a_currency_has_its_own_number_of_decimals(currency: str, digits: int) -> None:
    assert exponent(currency) == digits


@pytest.mark.parametrize("currency", ["", "dkk", "XAU", "XXX", "ABC", "DKKK"])
def test_what_is_no_currency_to_pay_in_is_refused(currency: str) -> None:
    with pytest.raises(ValueError, match="not an ISO 4217"):
        exponent(currency)


@pytest.mark.parametrize(
    ("text", "currency", "units"),
    [
        ("300.00", "DKK", 30000),
        ("300", "DKK", 30000),
        ("0.5", "DKK", 50),
        ("0.05", "DKK", 5),
        ("0", "DKK", 0),
        ("-1.05", "DKK", -105),
        ("-0.05", "DKK", -5),
        ("1000", "JPY", 1000),
        ("1.234", "BHD", 1234),
        ("1.2", "BHD", 1200),
        ("999999999999999.99", "DKK", 99999999999999999),
    ],
)
def test_a_decimal_is_read_as_minor_units(text: str, currency: str, units: int) -> None:
    assert minor_units(text, currency) == units


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("1000.0", "JPY"),
        ("300.001", "DKK"),
        ("1.2345", "BHD"),
        ("1e3", "DKK"),
        ("1,000", "DKK"),
        (".5", "DKK"),
        ("5.", "DKK"),
        ("+5", "DKK"),
        (" 5", "DKK"),
        ("5\n", "DKK"),
        ("", "DKK"),
        ("NaN", "DKK"),
        ("-", "DKK"),
        ("٣", "DKK"),
    ],
)
def test_what_is_not_an_amount_of_that_currency_is_refused(text: str, currency: str) -> None:
    with pytest.raises(ValueError, match="decimal"):
        minor_units(text, currency)


@pytest.mark.parametrize(
    ("units", "currency", "text"),
    [
        (30000, "DKK", "300.00"),
        (5, "DKK", "0.05"),
        (-5, "DKK", "-0.05"),
        (-105, "DKK", "-1.05"),
        (0, "DKK", "0.00"),
        (1000, "JPY", "1000"),
        (-1, "JPY", "-1"),
        (7, "BHD", "0.007"),
        (1234, "BHD", "1.234"),
    ],
)
def test_minor_units_are_written_with_all_decimals_of_the_currency(units: int, currency: str, text: str) -> None:
    assert decimal(units, currency) == text


@given(st.integers(min_value=-(10**14), max_value=10**14), st.sampled_from(["JPY", "DKK", "BHD"]))
def test_what_is_written_reads_back_the_same(units: int, currency: str) -> None:
    assert minor_units(decimal(units, currency), currency) == units


@pytest.mark.parametrize(
    ("amount", "active", "total", "kept"),
    [
        (30000, 20, 30, 20000),
        (1000, 10, 31, 323),  # 322.58
        (1000, 1, 31, 32),  # 32.26
        (1, 15, 30, 1),  # exactly a half goes up
        (3, 15, 30, 2),  # 1.5
        (5, 1, 2, 3),  # 2.5: half up is not half even
        (7, 1, 2, 4),  # 3.5
        (1, 14, 30, 0),  # 0.47
        (1, 14, 28, 1),  # 0.5
        (99, 1, 365, 0),  # 0.27
        (183, 1, 366, 1),  # 0.5 in a leap year
        (182, 1, 366, 0),  # 0.497
        (100, 0, 30, 0),
        (100, 30, 30, 100),
        (0, 7, 30, 0),
        (10**15 - 1, 29, 30, 966666666666666),  # 966666666666665.7
    ],
)
def test_part_of_an_amount_is_rounded_half_up(amount: int, active: int, total: int, kept: int) -> None:
    assert share(amount, active, total) == kept


@given(amounts, st.integers(1, 366), st.data())
def test_a_further_day_never_costs_less_and_all_days_cost_everything(
    amount: int, total: int, data: st.DataObject
) -> None:
    active = data.draw(st.integers(0, total - 1))
    assert 0 <= share(amount, active, total) <= share(amount, active + 1, total) <= amount
    assert share(amount, 0, total) == 0
    assert share(amount, total, total) == amount


def test_tax_is_divided_by_the_same_fraction_and_rounded_by_itself() -> None:
    # 100.01 * 15/30 = 50.005 and 20.00 * 15/30 = 10.00
    assert Amount(10001, 2000).share(15, 30) == Amount(5001, 1000)
    assert Amount(10001, 2000) - Amount(5001, 1000) == Amount(5000, 1000)


def test_what_is_taken_back_takes_its_tax_along() -> None:
    assert -Amount(10000, 2000) == Amount(-10000, -2000)


@pytest.mark.parametrize(
    ("amount", "kept"),
    [(1, 0), (3, 2), (5, 2), (7, 4), (9, 4), (11, 6), (13, 6)],
)
def test_half_to_even_rounds_a_half_to_the_neighbour_that_is_even(amount: int, kept: int) -> None:
    assert share(amount, 1, 2, "half-even") == kept


@pytest.mark.parametrize(("amount", "kept"), [(1, 0), (2, 1), (4, 1), (5, 2), (100, 33), (101, 34)])
@pytest.mark.parametrize("rounding", ["half-up", "half-even"])
def test_other_than_halves_go_to_the_nearer_unit(amount: int, kept: int, rounding: Rounding) -> None:
    assert share(amount, 1, 3, rounding) == kept
