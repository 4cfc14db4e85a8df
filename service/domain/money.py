"""Amounts as integers of minor units; the currency's own number of decimals comes from ISO 4217."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from iso4217 import Currency

from service.domain.policy import Rounding

_DECIMAL = re.compile(r"(-?)([0-9]{1,15})(?:\.([0-9]{1,4}))?")


@lru_cache(maxsize=512)
def exponent(currency: str) -> int:
    """Decimals of a currency: JPY 0, DKK 2, BHD 3.

    Raises:
        ValueError: it is not an ISO 4217 code of a currency with a minor unit.
    """
    try:
        digits: int | None = Currency(currency).exponent
    except ValueError:
        digits = None
    if digits is None:
        raise ValueError(f"{currency!r} is not an ISO 4217 currency code")
    return digits


def minor_units(text: str, currency: str) -> int:
    """Reads a decimal string such as `300.00` as minor units (`30000` for DKK).

    Raises:
        ValueError: not a decimal, or more decimals than the currency has.
    """
    found = _DECIMAL.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a decimal amount such as 300.00")
    sign, whole, fraction = found.group(1), found.group(2), found.group(3) or ""
    digits = exponent(currency)
    if len(fraction) > digits:
        raise ValueError(f"{text!r} has more decimals than {currency}, which has {digits}")
    units = int(whole + fraction.ljust(digits, "0"))
    return -units if sign else units


@lru_cache(maxsize=16384)
def decimal(units: int, currency: str) -> str:
    """Writes minor units as a decimal string with all of the currency's decimals."""
    digits = exponent(currency)
    sign, text = "-" if units < 0 else "", str(abs(units)).rjust(digits + 1, "0")
    return f"{sign}{text[:-digits]}.{text[-digits:]}" if digits else sign + text


def share(amount: int, active: int, total: int, rounding: Rounding = "half-up") -> int:
    """`amount * active / total`, rounded to the minor unit. `0 <= active <= total`, amount not negative.

    The other part is the subtraction, so that the two always add up.
    """
    if active == total:
        return amount
    whole, rest = divmod(amount * active, total)
    up = 2 * rest > total or (2 * rest == total and (rounding == "half-up" or whole % 2 == 1))
    return whole + up


@dataclass(frozen=True, slots=True)
class Amount:
    """What a charge costs, in minor units: the whole of what the customer pays, and the tax contained in it."""

    gross: int = 0
    tax: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.gross + other.gross, self.tax + other.tax)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.gross - other.gross, self.tax - other.tax)

    def __neg__(self) -> Amount:
        return Amount(-self.gross, -self.tax)

    def __bool__(self) -> bool:
        return self.gross != 0 or self.tax != 0

    def share(self, active: int, total: int, rounding: Rounding = "half-up") -> Amount:
        """The part for `active` of `total`, the tax by the same fraction."""
        return Amount(share(self.gross, active, total, rounding), share(self.tax, active, total, rounding))

    def beyond(self, kept: Amount, credited: Amount) -> Amount:
        """What is left of it after what is kept and what has been credited.

        Negative as far as more is kept than there is; what has been credited never makes it negative.
        """
        return Amount(_beyond(self.gross, kept.gross, credited.gross), _beyond(self.tax, kept.tax, credited.tax))


def _beyond(amount: int, kept: int, credited: int) -> int:
    return max(amount - kept - credited, min(amount - kept, 0))


ZERO = Amount()
