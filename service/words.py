"""What came of a cancellation, in sentences a customer understands without help.

Every sentence is put together from the templates, which are the same in each language. The sentence of
an adjustment has three parts, each chosen by a table: why so much is kept, what else the sum is made
of, what is moved. It says nothing but the adjustment's own numbers, so it stays what it was when it was
published. Spaces are ordinary ones: the text goes to terminals and into JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from functools import lru_cache
from typing import Literal, TypeAlias

from babel import Locale
from babel.dates import format_date, format_skeleton, format_time
from babel.lists import format_list
from babel.numbers import NumberPattern, format_decimal, get_currency_symbol, parse_pattern
from babel.units import format_unit

from service.domain.ends import End
from service.domain.facts import Activated
from service.domain.money import exponent, share
from service.domain.outcomes import RefusalCode
from service.domain.periods import DAY, Duration, Period, start_of_day, zone
from service.domain.policy import Language, Proration
from service.domain.subscription import Adjustment, Calculation

StatusName: TypeAlias = Literal["cancellation-scheduled", "cancellation-rescheduled", "subscription-ended"]

TEMPLATES: dict[Language, dict[str, str]] = {
    "en": {
        # What it is about.
        "opening/moved": "The cancellation was changed.",
        "opening/ended": "The subscription has ended.",
        # Why so much is kept.
        "basis/voided": "The invoice no longer counts:",
        "basis/goes-on": "You keep the subscription: the price is {full};",
        "basis/whole": "{period} is charged in full: {full};",
        "basis/unused": "{period} is charged in full, though not all of it is used: {full};",
        "basis/nothing": "{period} is not charged:",
        "basis/refunded": "{period} is not charged, not even the days before the end:",
        "basis/share": "{span} {price} = {kept};",
        "basis/weighted": "{span}, each at the price in force then = {kept} of {full};",
        # What else the sum is made of.
        "note/billed": "{billed} was invoiced;",
        "note/others": "{others} was already credited separately;",
        "note/given": "{given} was credited earlier;",
        "note/added": "{given} was added earlier;",
        # What is moved.
        "moved/tax": "the tax in it changes by {tax}, the amount does not.",
        "moved/back": "{moved} back.",
        "moved/off": "{moved} less to pay.",
        "moved/back-and-off": "{moved} off, {back} of it back and {off} less to pay.",
        "moved/more": "{moved} more to pay.",
        "moved/falls-away": "{moved} of it falls away.",
        "moved/again": "{moved} is charged again.",
        # Time, and what the whole of it costs.
        "span": "{active} of {total}",
        "period": "the period {first} to {last}",
        "period/none": "this",
        "price/year": "at {full} a year",
        "price/month": "at {full} a month",
        "price/week": "at {full} a week",
        "price/day": "at {full} a day",
        "price/several": "at {full} for {several}",
        "price/period": "at {full} for the whole period",
        # Where the subscription stands.
        "what": "the subscription",
        "ends/day": "The last day of {what} is {last}.",
        "ends/never": "Cancelled before the first day of {what}.",
        "ends/until": "Access ends on {until} at {time}.",
        "ends/earliest": "That is the earliest the agreement allows.",
        "ended/day": "Its last day was {last}.",
        "ended/never": "It was cancelled before its first day.",
        "ended/until": "Access ended on {until} at {time}.",
        "withdrawn": "The cancellation of {what} was taken back.",
        "goes-on": "The subscription goes on until it is cancelled.",
        # Why a request was refused.
        "refused/unknown-subscription": "Nothing was changed: there is no subscription with this number.",
        "refused/already-ended": "Nothing was changed: the subscription has already ended.",
        "refused/not-cancelled": "Nothing was changed: there is no such cancellation to change or take back.",
        "refused/end-before-start": "Nothing was changed: the end asked for lies before the subscription begins.",
        "refused/end-too-far-back": "Nothing was changed: the end asked for lies too far back.",
        "refused/end-before-permitted": "Nothing was changed: the end asked for is earlier than the agreement allows.",
        "refused/conflicting-content": "Nothing was changed: this request was made before with other content.",
        "refused/superseded": "Nothing was changed: a later request already counts.",
        "refused/time-in-future": "Nothing was changed: the request is dated in the future.",
        "refused/unknown-line": "Nothing was changed: what was to be cancelled is not part of the subscription.",
    },
    "da": {
        "opening/moved": "Opsigelsen er ændret.",
        "opening/ended": "Abonnementet er ophørt.",
        "basis/voided": "Fakturaen gælder ikke længere:",
        "basis/goes-on": "Du beholder abonnementet: prisen er {full};",
        "basis/whole": "{period} betales fuldt ud: {full};",
        "basis/unused": "{period} betales fuldt ud, selv om ikke alle dage bruges: {full};",
        "basis/nothing": "Du betaler ikke for {period}:",
        "basis/refunded": "Du betaler ikke for {period}, heller ikke for dagene før ophøret:",
        "basis/share": "{span} {price} = {kept};",
        "basis/weighted": "{span}, hver til den pris, der gjaldt da = {kept} af {full};",
        "note/billed": "der stod {billed} på fakturaen;",
        "note/others": "{others} er allerede krediteret særskilt;",
        "note/given": "{given} er trukket fra tidligere;",
        "note/added": "{given} er lagt til tidligere;",
        "moved/tax": "momsen i det ændres med {tax}, beløbet ikke.",
        "moved/back": "du får {moved} tilbage.",
        "moved/off": "du skal betale {moved} mindre.",
        "moved/back-and-off": "{moved} trækkes fra, så du får {back} tilbage og skal betale {off} mindre.",
        "moved/more": "du skal betale {moved} mere.",
        "moved/falls-away": "{moved} heraf bortfalder.",
        "moved/again": "{moved} opkræves igen.",
        "span": "{active} af {total}",
        "period": "perioden {first} til {last}",
        "period/none": "dette",
        "price/year": "til {full} pr. år",
        "price/month": "til {full} pr. måned",
        "price/week": "til {full} pr. uge",
        "price/day": "til {full} pr. dag",
        "price/several": "til {full} for {several}",
        "price/period": "til {full} for hele perioden",
        "what": "abonnementet",
        "ends/day": "Sidste dag med {what} er den {last}.",
        "ends/never": "Opsagt før første dag med {what}.",
        "ends/until": "Adgangen ophører den {until} kl. {time}.",
        "ends/earliest": "Aftalen tillader ikke, at det bliver tidligere.",
        "ended/day": "Sidste dag var den {last}.",
        "ended/never": "Det blev opsagt før første dag.",
        "ended/until": "Adgangen ophørte den {until} kl. {time}.",
        "withdrawn": "Opsigelsen af {what} er trukket tilbage.",
        "goes-on": "Abonnementet fortsætter, indtil det opsiges.",
        "refused/unknown-subscription": "Intet er ændret: der findes ikke et abonnement med dette nummer.",
        "refused/already-ended": "Intet er ændret: abonnementet er allerede ophørt.",
        "refused/not-cancelled": "Intet er ændret: der er ingen sådan opsigelse at ændre eller trække tilbage.",
        "refused/end-before-start": "Intet er ændret: det ønskede ophør ligger, før abonnementet begynder.",
        "refused/end-too-far-back": "Intet er ændret: det ønskede ophør ligger for langt tilbage.",
        "refused/end-before-permitted": "Intet er ændret: det ønskede ophør er tidligere, end aftalen tillader.",
        "refused/conflicting-content": "Intet er ændret: den samme anmodning er modtaget før med et andet indhold.",
        "refused/superseded": "Intet er ændret: en senere anmodning gælder allerede.",
        "refused/time-in-future": "Intet er ændret: anmodningen er dateret i fremtiden.",
        "refused/unknown-line": "Intet er ændret: det, der skulle opsiges, er ikke en del af abonnementet.",
    },
}
"""The words: the same keys with the same blanks in every language."""

_LOCALES: dict[Language, Locale] = {"da": Locale("da", "DK"), "en": Locale("en", "GB")}
_SYMBOLS = {"DKK": "kr."}  # as it stands on a bill from Denmark, in whatever language
_SECONDS = {"day": 86400, "hour": 3600, "minute": 60, "second": 1}
_MONTHS = {"year": 12, "month": 1}
_DAYS = {"week": 7, "day": 1}

_Table: TypeAlias = tuple[tuple[str, Callable[[Adjustment, Calculation], bool]], ...]


def _by_time(c: Calculation) -> bool:
    """Whether the time alone explains what is kept, rounded either way."""
    return 0 < c.total >= c.active and c.kept in {
        share(c.full, c.active, c.total, rounding) for rounding in ("half-up", "half-even")
    }


_BASES: tuple[tuple[str, Callable[[Calculation], bool]], ...] = (
    ("voided", lambda c: c.voided),
    ("goes-on", lambda c: c.settlement is None),
    ("nothing", lambda c: c.kept == 0 and c.active == 0),
    ("whole", lambda c: c.kept == c.full and c.active == c.total),
    ("unused", lambda c: c.kept == c.full and c.settlement == "full-period"),
    ("refunded", lambda c: c.kept == 0 and c.settlement == "refund-period"),
    ("share", _by_time),
    ("weighted", lambda _: True),
)
"""Why so much is kept; the first that holds."""

_NOTES: _Table = (
    ("billed", lambda _, c: c.billed != c.full),
    ("others", lambda _, c: _shared(c)),
    ("given", lambda _, c: c.given > 0),
    ("added", lambda _, c: c.given < 0),
)
"""What else the sum is made of; all that hold."""

_MOVES: _Table = (
    ("tax", lambda a, _: a.amount.gross == 0),
    ("off", lambda a, _: a.amount.gross > 0 and a.refundable == 0),
    ("back", lambda a, _: a.amount.gross > 0 and a.refundable == a.amount.gross),
    ("back-and-off", lambda a, _: a.amount.gross > 0),
    ("more", lambda a, c: -a.amount.gross > c.given),
    ("falls-away", lambda _, c: c.voided or c.kept == 0 or _shared(c)),
    ("again", lambda _, __: True),
)
"""What is moved; the first that holds. From `more` on it is a debit."""


def adjustment(told: Adjustment, agreement: Activated) -> str:
    """How an adjustment comes about and what it moves."""
    return _adjustment(told, agreement.currency, agreement.interval)


@lru_cache(maxsize=4096)
def _adjustment(told: Adjustment, currency: str, interval: Duration) -> str:
    """The same by what it depends on alone: an agreement may be large, and would be kept for as long as its words."""
    c, moved = told.calculation, told.amount.gross
    keys = [f"basis/{_basis(c)}"]
    keys += [f"note/{key}" for key, holds in _NOTES if holds(told, c)]
    keys += [f"moved/{_first(_MOVES, told)}"]
    amounts = {
        "moved": abs(moved),
        "back": told.refundable,
        "off": moved - told.refundable,
        "tax": abs(told.amount.tax),
    }
    words = TEMPLATES[c.language]
    sentence = _filled(" ".join(words[key] for key in keys), c, currency, interval, amounts)
    return f"{words['opening/moved']} {sentence}" if told.cause == "moved" else sentence


def kept(told: Calculation, agreement: Activated) -> str:
    """How a charge comes to what is kept of it, whether or not anything is moved for it."""
    key = _basis(told)
    basis = TEMPLATES[told.language][f"basis/{'whole' if key == 'goes-on' else key}"]
    return _filled(basis.rstrip(":;"), told, agreement.currency, agreement.interval, {}).rstrip(".") + "."


def status(language: Language, name: StatusName, end: End, agreement: Activated, lines: Sequence[str] = ()) -> str:
    """When the subscription ends or has ended; `lines` are the names of what ends, where that is not all of it.

    It speaks of the last day that is active, never of the first that is not, so nobody need ask
    whether the end day is paid for.
    """
    ended, access = name == "subscription-ended", end.access_ends_at.astimezone(zone(agreement.time_zone))
    tense = "ended" if ended else "ends"
    parts = (
        ("opening/moved", name == "cancellation-rescheduled"),
        ("opening/ended", ended),
        (f"{tense}/day", end.end_date > agreement.start_date),
        (f"{tense}/never", access <= start_of_day(agreement.start_date, agreement.time_zone)),
        (f"{tense}/until", access != start_of_day(end.end_date, agreement.time_zone)),
        ("ends/earliest", not ended and end.requested_end_date < end.end_date),
    )
    said = " ".join(TEMPLATES[language][key] for key, holds in parts if holds)
    return said.format_map(
        {
            "what": _what(language, lines),
            "last": day(language, end.last_active_day),
            "until": day(language, access.date()),
            "time": _clock(language, access.time()),
        }
    )


def withdrawn(language: Language, lines: Sequence[str] = ()) -> str:
    """The cancellation was taken back; `lines` as above."""
    return TEMPLATES[language]["withdrawn"].format_map({"what": _what(language, lines)})


def uncancelled(language: Language) -> str:
    """There is no end."""
    return TEMPLATES[language]["goes-on"]


def rejected(language: Language, code: RefusalCode) -> str:
    """Why a request was refused."""
    return TEMPLATES[language][f"refused/{code}"]


_often = lru_cache(maxsize=16384)
"""For what is written again and again: there are few dates, amounts and lengths of time, and writing one takes long."""


@_often
def money(language: Language, units: int, currency: str) -> str:
    """An amount in minor units, with all the decimals that ISO 4217 gives its currency."""
    written: str = _pattern(language, currency).apply(Decimal(units).scaleb(-exponent(currency)), _LOCALES[language])
    return written


@_often
def day(language: Language, date_: date) -> str:
    """A date, with its year."""
    return format_date(date_, "long", _LOCALES[language])


@_often
def _clock(language: Language, at: time) -> str:
    written: str = format_time(at, "short", locale=_LOCALES[language])
    return written


@_often
def period(language: Language, days: Period) -> str:
    """The name of a period: its month where it is just that, its day, or its first and last day."""
    locale, start, last = _LOCALES[language], days.start, days.end - DAY
    if start.day == 1 and Duration(months=1).after(start) == days.end:
        return format_skeleton("yMMMM", start, locale=locale)
    if start >= last:
        return day(language, start)
    first = format_skeleton("MMMMd", start, locale=locale) if start.year == last.year else day(language, start)
    return TEMPLATES[language]["period"].format_map({"first": first, "last": day(language, last)})


@lru_cache(maxsize=512)
def _pattern(language: Language, currency: str) -> NumberPattern:
    """How amounts of a currency are written: the symbol last in Danish, and where it is ours; else first."""
    symbol = " ".join((_SYMBOLS.get(currency) or get_currency_symbol(currency, _LOCALES[language])).split())
    number = f"#,##0.{'0' * exponent(currency)}".rstrip(".")
    if language == "da" or currency in _SYMBOLS:
        return parse_pattern(f"{number} '{symbol}'")
    return parse_pattern(f"'{symbol}' {number}" if symbol[-1].isalpha() else f"'{symbol}'{number}")


def _filled(template: str, c: Calculation, currency: str, interval: Duration, amounts: Mapping[str, int]) -> str:
    """A sentence with the numbers of a calculation, and other amounts by name, in its blanks."""
    amounts = {
        **amounts,
        "full": c.full,
        "billed": c.billed,
        "kept": c.kept,
        "others": c.credited_by_others,
        "given": abs(c.given),
    }
    sentence = template.replace("{price}", _price(c, interval))
    values = {name: money(c.language, units, currency) for name, units in amounts.items()}
    sentence = sentence.format_map(
        {**values, "period": _period(c), "span": _span(c.language, c.active, c.total, c.unit)}
    )
    return sentence[0].upper() + sentence[1:]


def _basis(c: Calculation) -> str:
    return next(key for key, holds in _BASES if holds(c))


def _first(table: _Table, told: Adjustment) -> str:
    return next(key for key, holds in table if holds(told, told.calculation))


def _shared(c: Calculation) -> bool:
    """Whether what others credited is a part of the sum."""
    return c.credited_by_others > 0 and c.billed > c.kept


def _what(language: Language, lines: Sequence[str]) -> str:
    return format_list(list(lines), locale=_LOCALES[language]) if lines else TEMPLATES[language]["what"]


def _period(c: Calculation) -> str:
    return TEMPLATES[c.language]["period/none"] if c.period is None else period(c.language, c.period)


@_often
def _span(language: Language, active: int, total: int, unit: Proration) -> str:
    """How much of how much time counts: in days or, where seconds do, to the second."""
    per = 1 if unit == "day" else _SECONDS["day"]
    if active % per or total % per:
        part, whole = (_time(language, seconds) for seconds in (active, total))
    else:
        part = format_decimal(active // per, locale=_LOCALES[language])
        whole = _several(language, total // per, "day")
    return TEMPLATES[language]["span"].format_map({"active": part, "total": whole})


def _time(language: Language, seconds: int) -> str:
    """A length of time in all the units there is something of."""
    parts = []
    for unit, length in _SECONDS.items():
        count, seconds = divmod(seconds, length)
        parts += [_several(language, count, unit)] if count else []
    return format_list(parts or [_several(language, 0, "day")], locale=_LOCALES[language])


def _price(c: Calculation, interval: Duration) -> str:
    """What the whole of it costs: a month, a year … where the charge is for just what was subscribed to."""
    words, total = TEMPLATES[c.language], c.total if c.unit == "day" else round(c.total / _SECONDS["day"])
    if c.period is None or total != c.period.days or not _is_one(interval, c.period):
        return words["price/period"]
    length, units = (interval.months, _MONTHS) if interval.months else (interval.days, _DAYS)
    unit, count = next((unit, length // per) for unit, per in units.items() if length % per == 0)
    if count == 1:
        return words[f"price/{unit}"]
    return words["price/several"].replace("{several}", _several(c.language, count, unit))


@_often
def _several(language: Language, count: int, unit: str) -> str:
    """A count of days, months or another unit."""
    return format_unit(count, f"duration-{unit}", "long", locale=_LOCALES[language])


def _is_one(interval: Duration, period: Period) -> bool:
    """Whether a period is one interval, even where it is anchored to a day that its first month does not have."""
    end = interval.after(period.start)
    clamped = interval.months > 0 and (period.start + DAY).day == 1 and end < period.end
    return end == period.end or (clamped and (end.year, end.month) == (period.end.year, period.end.month))
