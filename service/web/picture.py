"""The life of a subscription as geometry: where each bar, mark and word of the picture stands.

Time runs evenly within a stretch of periods; time without any shrinks to a gap. Where all periods would be too fine to
read, those nearest the end (or today) are shown. Lengths are in user units of the SVG, which at full width are pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import pairwise
from typing import Literal

from service.messages.outcomes import SubscriptionTimeline, TimelinePeriod
from service.web.writing import Writer

WIDE, NARROW = 960, 340
_MARGIN = 10
_LEAST = 112  # of a period, so that its words fit
_GAP = 36
_SLIVER = 4  # of a stretch however short, so that one day of a year can be seen
_TOP, _BAR, _WORDS, _ROW = 50, 38, 40, 30
_LETTER = 7.0  # of a word, a little more than it takes


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of time: what kind of time it is, and where."""

    kind: Literal["active", "unused", "cancelled", "paused", "pause", "pause-suppressed", "price", "price-suppressed"]
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Words:
    """A text and where it is anchored."""

    text: str
    x: float
    y: float
    kind: str = "note"
    anchor: Literal["start", "middle", "end"] = "start"


@dataclass(frozen=True, slots=True)
class Mark:
    """A vertical line at a date."""

    kind: Literal["end", "today", "price"]
    x: float
    top: float
    bottom: float


@dataclass(slots=True)
class Picture:
    """All of it, with how many periods on either side are not shown."""

    width: int
    height: float = 0
    bars: list[Bar] = field(default_factory=list)
    words: list[Words] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    earlier: int = 0
    later: int = 0

    @property
    def kinds(self) -> list[str]:
        """The kinds of time that a legend has to explain."""
        found = {bar.kind for bar in self.bars}
        return [kind for kind in ("active", "paused", "unused", "cancelled") if kind in found]


def draw(shown: SubscriptionTimeline, today: date, write: Writer, width: int) -> Picture | None:
    """The picture of a timeline at a width; None where there is no period to draw."""
    if not shown.periods:
        return None
    periods = sorted(shown.periods, key=lambda period: (_day(period.start), _day(period.end)))
    near = _nearest(periods, shown.end_date or today, max((width - 2 * _MARGIN) // _LEAST, 1))
    axis = _Axis(near, shown.end_date, width)
    picture = Picture(
        width,
        earlier=sum(_day(period.start) < axis.first for period in periods),
        later=sum(_day(period.start) >= axis.last for period in periods),
    )
    bottom = _draw_periods(picture, near, shown.end_date, axis, write)
    picture.words += [Words("⋯", x, _TOP + _BAR / 2 + 6, "gap", "middle") for x in axis.gaps]
    if axis.first <= today < axis.last:
        picture.marks.append(Mark("today", axis.at(today), _TOP - 3, bottom - _WORDS))
        picture.words.append(_fitted(Words(write("today"), axis.at(today), _TOP - 7, "today", "middle"), width))
    bottom = _draw_prices(picture, shown, axis, write, bottom)
    bottom = _draw_pauses(picture, shown, axis, write, bottom)
    if shown.end_date is not None:
        text = f"{write(f'status/{shown.status}')} {write.medium(shown.end_date)}"
        picture.marks.append(Mark("end", axis.at(shown.end_date), _TOP - 20, bottom))
        picture.words.append(_fitted(Words(text, axis.at(shown.end_date), _TOP - 28, "end", "middle"), width, 9.4))
    picture.height = bottom + 6
    return picture


def _draw_periods(
    picture: Picture, periods: Sequence[TimelinePeriod], end: date | None, axis: _Axis, write: Writer
) -> float:
    """The periods, in as many lanes as overlap; gives the y below them."""
    lanes: list[date] = []
    year = 0
    for period in periods:
        start, until = _day(period.start), _day(period.end)
        lane = next((number for number, free in enumerate(lanes) if free <= start), len(lanes))
        lanes[lane : lane + 1] = [until]
        y = _TOP + lane * (_BAR + _WORDS)
        for kind, left, right in _parts(start, until, end):
            picture.bars.append(Bar(kind, axis.at(left) + 1, y, max(axis.at(right) - axis.at(left) - 2, 1), _BAR))
        room = axis.at(until) - axis.at(start)
        dated = write.medium(start) if start.year != year and len(write.medium(start)) * _LETTER < room else ""
        year = start.year
        picture.words.append(Words(dated or write.short(start), axis.at(start) + 1, y + _BAR + 15, "date"))
        said = _became(period, write)
        if said and len(said) * _LETTER < room:
            picture.words.append(Words(said, axis.at(start) + 1, y + _BAR + 31, period.state))
    return _TOP + len(lanes) * (_BAR + _WORDS)


def _draw_prices(picture: Picture, shown: SubscriptionTimeline, axis: _Axis, write: Writer, top: float) -> float:
    """A line for each price list from its date on, with its sum; gives the y below."""
    changes = [price for price in shown.prices if price.effective_date < axis.last]
    starts = [max(price.effective_date, axis.first) for price in changes]
    drawn = False
    for price, (start, until) in zip(changes, pairwise([*starts, axis.last]), strict=True):
        left, right = axis.at(start), axis.at(until)
        if right <= left:
            continue
        drawn = True
        suppressed = price.state == "suppressed"
        ended = right if shown.end_date is None else min(max(axis.at(shown.end_date), left), right)
        total = " + ".join(write.money(line.amount, shown.currency) for line in price.lines)
        if left < ended:
            picture.bars.append(Bar("price", left + 1, top + 20, max(ended - left - 2, 1), 3))
        if ended < right:
            picture.bars.append(Bar("price-suppressed", ended + 1, top + 20, max(right - ended - 2, 1), 3))
        if len(total) * _LETTER < right - left:
            picture.words.append(Words(total, left + 1, top + 14, "suppressed" if suppressed else "price"))
    return top + _ROW if drawn else top


def _draw_pauses(picture: Picture, shown: SubscriptionTimeline, axis: _Axis, write: Writer, top: float) -> float:
    """A bar for each pause, up to the end where that cuts it off; gives the y below."""
    drawn = False
    for pause in shown.pauses:
        start, until = max(pause.effective_date, axis.first), min(pause.resume_date or axis.last, axis.last)
        if pause.state == "cut-off" and shown.end_date is not None:
            until = min(until, shown.end_date)
        if start >= until:
            continue
        drawn = True
        left, right = axis.at(start), axis.at(until)
        kind: Literal["pause", "pause-suppressed"] = "pause-suppressed" if pause.state == "suppressed" else "pause"
        picture.bars.append(Bar(kind, left + 1, top + 6, max(right - left - 2, 2), 12))
        if kind == "pause" and pause.effect != "charged":
            picture.bars.append(Bar("paused", left, _TOP, right - left, _BAR))
        text = f"{write('paused')}: {write('pause/' + pause.effect)}"
        picture.words.append(_fitted(Words(text, left, top + 34, "pause"), picture.width))
    return top + 44 if drawn else top


class _Axis:
    """Where a date stands: stretches with periods evenly, gaps without any shrunk, each with its middle in `gaps`."""

    def __init__(self, periods: Sequence[TimelinePeriod], end: date | None, width: int) -> None:
        days = {_day(day) for period in periods for day in (period.start, period.end)}
        if end is not None:
            days.add(end)
        dates = sorted(days)
        spans = [(a, b, _covered(periods, a, b)) for a, b in pairwise(dates)]
        slivers = sum(covered for _, _, covered in spans) * _SLIVER
        room = width - 2 * _MARGIN - sum(not covered for _, _, covered in spans) * _GAP - slivers
        total = sum((b - a).days for a, b, covered in spans if covered) or 1
        self.first, self.last = dates[0], dates[-1]
        self.gaps: list[float] = []
        self._places: list[tuple[date, float]] = [(dates[0], float(_MARGIN))]
        for a, b, covered in spans:
            length = _SLIVER + room * (b - a).days / total if covered else _GAP
            left = self._places[-1][1]
            self._places.append((b, left + length))
            self.gaps += [] if covered else [left + length / 2]

    def at(self, day: date) -> float:
        """The x of the beginning of a day."""
        for (a, left), (b, right) in pairwise(self._places):
            if a <= day <= b:
                return round(left + (right - left) * (day - a).days / (b - a).days, 1)
        return self._places[0][1] if day < self.first else self._places[-1][1]


def _nearest(periods: Sequence[TimelinePeriod], focus: date, most: int) -> Sequence[TimelinePeriod]:
    """The periods nearest a date, in their order."""
    near = sorted(periods, key=lambda period: min(abs(_day(period.start) - focus), abs(_day(period.end) - focus)))
    kept = near[:most]
    return [period for period in periods if period in kept]


def _covered(periods: Sequence[TimelinePeriod], start: date, end: date) -> bool:
    return any(_day(period.start) <= start and end <= _day(period.end) for period in periods)


def _parts(
    start: date, until: date, end: date | None
) -> list[tuple[Literal["active", "unused", "cancelled"], date, date]]:
    """A period in its parts: what is active of it, what the end takes, or that it does not come."""
    if end is None or end >= until:
        return [("active", start, until)]
    if end <= start:
        return [("cancelled", start, until)]
    return [("active", start, end), ("unused", end, until)]


def _became(period: TimelinePeriod, write: Writer) -> str:
    if period.state == "cancelled":
        return write("stopped")
    return days_of(period, write) if period.state == "shortened" else ""


def days_of(period: TimelinePeriod, write: Writer) -> str:
    """How many of a shortened period's days are left."""
    start, until, end = _day(period.start), _day(period.end), period.shortened_to
    assert end is not None, "a shortened period says to when"  # noqa: S101  the model's own promise
    return write("days-of", active=(end - start).days, total=(until - start).days)


def _fitted(words: Words, width: int, letter: float = _LETTER) -> Words:
    """Words drawn to whichever side of their place they fit on."""
    length = len(words.text) * letter
    before, after = (length / 2, length / 2) if words.anchor == "middle" else (0, length)
    if words.x - before < 0:
        return replace(words, x=2, anchor="start")
    return replace(words, x=width - 2, anchor="end") if words.x + after > width else words


def _day(day: date | datetime) -> date:
    """The type says a date or an instant; the periods of a timeline are dates."""
    return day.date() if isinstance(day, datetime) else day
