"""Billing periods as one bar on a time axis, with the end marked.

                      ▼ ends 21 Nov 2026
    ██████████████████░░░░░░░░░ ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌
    1 Nov 2026                  1 Dec           1 Jan 2027
    20 of 30 days               cancelled

Time runs evenly within a stretch of periods; years without any shrink to a gap. Where a bar of all periods would be
too fine to read, those nearest the end are shown and the others counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from rich.text import Text

from service.demo.dates import medium, short
from service.messages.outcomes import TimelinePeriod

ACTIVE, REST, CANCELLED, GAP = "█", "░", "╌", "·"
STYLES = {ACTIVE: "green", REST: "yellow", CANCELLED: "bright_black", GAP: "bright_black", " ": ""}

_SHOWN = 12  # cells that a period needs to be worth showing
_LEAST = 8  # cells that it gets, however short it is beside the others
_GAP = 7  # cells for a time without periods


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A part of the axis between two dates that matter: so many cells of it from cell `at` on."""

    start: date
    end: date
    periods: tuple[TimelinePeriod, ...]
    at: int
    cells: int


class Axis:
    """The bar of these periods, for so many cells of a terminal."""

    def __init__(self, periods: Sequence[TimelinePeriod], end: date | None, cells: int) -> None:
        shown = _nearest(periods, end, most=max(cells // _SHOWN, 1))
        self.left_out = len(periods) - len(shown)
        self._end, self._cells = end, cells
        self._periods = sorted(shown, key=lambda period: (period.start, period.end))
        self._stretches = _laid_out(self._periods, end, cells)

    def lines(self, mark: str, style: str) -> list[Text]:
        """The end with its mark, the bar, the dates below it, and what became of each period."""
        lines = [self._bar(), self._dates(), self._captions()]
        return lines if self._end is None else [self._mark(self._end, mark, style), *lines]

    def states(self) -> str:
        """Which of the signs for periods occur in the bar."""
        bar = self._bar().plain
        return "".join(sign for sign in (ACTIVE, REST, CANCELLED) if sign in bar)

    def _at(self, day: date) -> int:
        """The cell at which a date begins; one within a stretch leaves a cell on either side."""
        for stretch in self._stretches:
            if stretch.start == day:
                return stretch.at
            if stretch.start < day < stretch.end:
                through = (day - stretch.start) / (stretch.end - stretch.start)
                return stretch.at + min(max(round(through * stretch.cells), 1), stretch.cells - 2)
        return self._stretches[-1].at + self._stretches[-1].cells

    def _bar(self) -> Text:
        bar = Text()
        for stretch in self._stretches:
            for cell in range(stretch.cells):
                sign = self._sign(stretch, cell)
                bar.append(sign, STYLES[sign])
        return bar

    def _sign(self, stretch: _Stretch, cell: int) -> str:
        """What stands in a cell of a stretch; the last one is blank, to set it off from the next."""
        if cell == stretch.cells - 1:
            return " "
        if not stretch.periods:
            return GAP if 0 < cell < stretch.cells - 2 else " "
        if self._end is None or stretch.at + cell < self._at(self._end):
            return ACTIVE
        begun = any(period.start < self._end for period in stretch.periods)
        return REST if begun else CANCELLED

    def _mark(self, end: date, mark: str, style: str) -> Text:
        at, words = min(self._at(end), self._cells - 1), f"{mark} {medium(end)}"
        fits = at + len(words) + 2 <= self._cells
        return Text(" " * at + f"▼ {words}" if fits else f"{words} ▼".rjust(at + 1), style)

    def _dates(self) -> Text:
        """The dates between the periods, as many as there is room for; the year where it is another."""
        line, year = "", 0
        days = sorted({day for period in self._periods for day in (period.start, period.end)})
        for day in days:
            words = short(day) if day.year == year else medium(day)
            at = min(self._at(day), self._cells - len(words))
            if not line or at > len(line):
                line, year = line.ljust(at) + words, day.year
        return Text(line, "dim")

    def _captions(self) -> Text:
        line = Text()
        starts = [self._at(period.start) for period in self._periods]
        for period, (at, following) in zip(self._periods, pairwise([*starts, self._cells]), strict=True):
            words = next((words for words in _became(period) if len(words) < following - at), "")
            line.append(" " * (at - line.cell_len))
            line.append(words, "yellow" if period.state == "shortened" else "dim")
        return line


def _nearest(periods: Sequence[TimelinePeriod], end: date | None, most: int) -> list[TimelinePeriod]:
    """The periods nearest the end, or the last ones."""
    focus = end if end is not None else max(period.end for period in periods)
    return sorted(periods, key=lambda period: min(abs(period.start - focus), abs(period.end - focus)))[:most]


def _laid_out(periods: Sequence[TimelinePeriod], end: date | None, cells: int) -> list[_Stretch]:
    """The axis in stretches from date to date, each with its share of the cells."""
    days = {day for period in periods for day in (period.start, period.end)}
    if end is not None and not any(period.start <= end <= period.end for period in periods):
        days.add(end)
    spans = [
        (start, until, tuple(period for period in periods if period.start <= start and until <= period.end))
        for start, until in pairwise(sorted(days))
    ]
    least = [_LEAST if covering else _GAP for _, _, covering in spans]
    free = max(cells - sum(least), 0)
    total = sum((until - start).days for start, until, covering in spans if covering)
    stretches: list[_Stretch] = []
    at = given = passed = 0
    for (start, until, covering), width in zip(spans, least, strict=True):
        given += width
        passed += (until - start).days if covering else 0
        following = given + free * passed // total
        stretches.append(_Stretch(start, until, covering, at, following - at))
        at = following
    return stretches


def _became(period: TimelinePeriod) -> list[str]:
    """What became of a period, the longer wording first."""
    if period.state != "shortened" or period.shortened_to is None:
        return [period.state]
    active, total = (period.shortened_to - period.start).days, (period.end - period.start).days
    return [f"{active} of {total} days", f"{active}/{total} days", f"{active}/{total}"]
