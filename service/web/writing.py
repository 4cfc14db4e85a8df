"""Dates, times and amounts as a reader of one language has them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_skeleton, format_time

from service import words
from service.domain.money import minor_units
from service.domain.periods import Period
from service.domain.policy import Language
from service.web.wording import LABELS

_LOCALES: dict[Language, Locale] = {"da": Locale("da", "DK"), "en": Locale("en", "GB")}


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes for readers of one language."""

    language: Language

    def __call__(self, key: str, **values: object) -> str:
        """A label, with its blanks filled in."""
        return LABELS[self.language][key].format_map(values)

    def has(self, key: str) -> bool:
        """Whether there is such a label."""
        return key in LABELS[self.language]

    def day(self, day: date) -> str:
        """21 November 2026."""
        return words.day(self.language, day)

    def weekday(self, day: date) -> str:
        """Friday 20 November 2026."""
        return f"{format_date(day, 'EEEE', _LOCALES[self.language])} {self.day(day)}"

    def medium(self, day: date) -> str:
        """21 Nov 2026."""
        return format_skeleton("yMMMd", day, locale=_LOCALES[self.language])

    def short(self, day: date) -> str:
        """21 Nov."""
        return format_skeleton("MMMd", day, locale=_LOCALES[self.language])

    def span(self, start: date, end: date) -> str:
        """The name of a period: its month where it is just that, or its first and last day."""
        named = words.period(self.language, Period(start, end))
        return named[0].upper() + named[1:]

    def instant(self, at: datetime, zone: str) -> str:
        """20 November 2026 at 23:59."""
        local = at.astimezone(ZoneInfo(zone))
        joined = {"en": "at", "da": "kl."}[self.language]
        return f"{self.day(local.date())} {joined} {self.time(local)}"

    def stamp(self, at: datetime, zone: str) -> str:
        """12 Nov 2026 09:00."""
        local = at.astimezone(ZoneInfo(zone))
        return f"{self.medium(local.date())} {self.time(local)}"

    def time(self, local: datetime) -> str:
        """23:59."""
        written: str = format_time(local, "short", locale=_LOCALES[self.language])
        return written

    def units(self, units: int, currency: str) -> str:
        """An amount in minor units, without its sign."""
        return _together(words.money(self.language, abs(units), currency))

    def money(self, text: str, currency: str) -> str:
        """A decimal amount as it is on the wire."""
        return _together(words.money(self.language, minor_units(text, currency), currency))


def _together(amount: str) -> str:
    """An amount that no line break comes into."""
    return amount.replace(" ", "\N{NO-BREAK SPACE}")
