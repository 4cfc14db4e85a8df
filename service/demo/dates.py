"""Dates and periods as they are shown to a person."""

from __future__ import annotations

from datetime import date


def short(day: date) -> str:
    """A date without its year: 21 Nov."""
    return f"{day.day} {day:%b}"


def medium(day: date) -> str:
    """A date: 21 Nov 2026."""
    return f"{short(day)} {day.year}"


def full(day: date) -> str:
    """A date in full: 21 November 2026."""
    return f"{day.day} {day:%B} {day.year}"


def span(start: date, end: date) -> str:
    """A period with its end outside; the year once when it is the same."""
    return f"{short(start) if start.year == end.year else medium(start)} – {medium(end)}"  # noqa: RUF001  a real dash
