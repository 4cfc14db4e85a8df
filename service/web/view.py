"""What the timeline page says, worked out from the timeline: the answers first, then what they rest on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Generic, TypeVar
from uuid import uuid4

from service import words
from service.domain.difference import calculation
from service.domain.facts import EndWish
from service.domain.periods import Period, local_date
from service.domain.policy import Language
from service.domain.preview import Preview
from service.domain.settlement import Settled
from service.domain.subscription import Adjustment
from service.messages.outcomes import (
    SubscriptionTimeline,
    TimelineAdjustment,
    TimelineCharge,
    TimelineEntry,
    TimelinePeriod,
    as_read,
)
from service.ops.preview import Previewed
from service.ops.sending import SUPPORT, Event, Named, event
from service.settings import Topics
from service.store.subscriptions import Key
from service.web import picture
from service.web.picture import Picture
from service.web.reading import Shown
from service.web.writing import Writer

Row = TypeVar("Row")

_NEAR, _MOST = 12, 200
"""How many rows are shown at once, and how many at all: a page has its limits, and the JSON has all of them."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A question that customers ask, its answer, and what is to be added."""

    name: str
    question: str
    answer: str
    more: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChargeRow:
    """A charge with the sentence that says how it comes to what is kept of it."""

    charge: TimelineCharge
    name: str
    text: str | None
    touched: bool


@dataclass(frozen=True, slots=True)
class AdjustmentRow:
    """An adjustment, when it was decided, and the charge it is for."""

    adjustment: TimelineAdjustment
    decided_at: datetime
    name: str


@dataclass(frozen=True, slots=True)
class Folded(Generic[Row]):
    """Rows in their order: those to see at once, the others before them to unfold, and how many are left out."""

    near: tuple[Row, ...]
    older: tuple[Row, ...] = ()
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class PageView:
    """All that the timeline page shows."""

    shown: SubscriptionTimeline
    held_since: datetime | None
    lines: Mapping[str, str]
    answers: tuple[Answer, ...]
    pictures: tuple[Picture, ...]
    periods: Folded[TimelinePeriod]
    charges: Folded[ChargeRow]
    adjustments: Folded[AdjustmentRow]
    entries: Folded[TimelineEntry]

    @property
    def regretted(self) -> bool:
        """Whether there was a cancellation that is taken back."""
        taken_back = any(entry.type == "cancellation-revoked" and not entry.refused for entry in self.shown.entries)
        return self.shown.end_date is None and taken_back


@dataclass(frozen=True, slots=True)
class Option:
    """One way to end, what it would come to, in words for each charge too, and the event that would ask for it."""

    name: str
    preview: Preview
    asking: Event | None

    @property
    def record(self) -> str:
        """The event that asks for it as one JSON document, in structured mode, for a person to copy."""
        assert self.asking is not None, "nothing asks for what would be refused"  # noqa: S101  a bug, not input
        return json.dumps(self.asking.structured.document, indent=2, ensure_ascii=False)

    texts: tuple[str, ...]
    refusal: str | None

    @property
    def until(self) -> bool:
        """Whether access ends in the middle of a day, so that the time is worth saying."""
        end = self.preview.end
        return end is not None and end.mode == "immediately"


def page(found: Shown, write: Writer) -> PageView:
    """The timeline page of a subscription."""
    timeline = found.timeline.told_in(write.language)
    shown = as_read(timeline)
    today = local_date(found.now, shown.time_zone)
    drawn = [picture.draw(shown, today, write, width) for width in (picture.WIDE, picture.NARROW)]
    adjusted = {adjustment.charge_id for adjustment, _ in timeline.adjustments}
    charges = tuple(
        ChargeRow(
            charge=charge,
            name=_charge_name(charge, write),
            text=charge_text(settled, found, write.language),
            touched=settled.charge.charge_id in adjusted or settled.kept != settled.full,
        )
        for settled, charge in zip(timeline.charges, shown.charges, strict=True)
    )
    names = {settled.charge.charge_id: row.name for settled, row in zip(timeline.charges, charges, strict=True)}
    adjustments = [
        AdjustmentRow(told, adjustment.decided_at, names.get(adjustment.charge_id, ""))
        for (adjustment, _), told in zip(timeline.adjustments, shown.adjustments, strict=True)
    ]
    return PageView(
        shown=shown,
        held_since=None if found.held is None else found.held.since,
        lines=_lines(shown),
        answers=tuple(_answers(found.now, shown, timeline.charges, timeline.adjustments, write)),
        pictures=tuple(each for each in drawn if each is not None),
        periods=fold(shown.periods, lambda period: period.state != "whole"),
        charges=fold(sorted(charges, key=_place), lambda row: row.touched),
        adjustments=fold(adjustments, lambda _: False),
        entries=fold(shown.entries, lambda entry: entry.type.startswith("cancellation")),
    )


def fold(rows: Sequence[Row], matters: Callable[[Row], bool]) -> Folded[Row]:
    """Shows the last rows and all that matter, folds others, and leaves out the oldest where there are too many."""
    last = len(rows) - _NEAR
    near = [number for number, row in enumerate(rows) if number >= last or matters(row)][-_MOST:]
    older = sorted(set(range(len(rows))) - set(near))
    kept = older[-_MOST:]
    return Folded(tuple(rows[n] for n in near), tuple(rows[n] for n in kept), len(older) - len(kept))


def options(previewed: Previewed, topics: Topics, now: datetime, language: Language) -> tuple[Option, ...]:
    """Every way to end with what would come of it; what would be refused has no event."""
    return tuple(
        Option(
            name=name,
            preview=preview,
            refusal=None if preview.refusal is None else words.rejected(language, preview.refusal[0]),
            asking=None if preview.refusal else _asking(topics, previewed.key, previewed.wishes[name], now),
            texts=tuple(
                words.kept(replace(charge.calculation, language=language), previewed.agreement)
                for charge in preview.charges
            ),
        )
        for name, preview in previewed.previews.items()
    )


def charge_text(settled: Settled, found: Shown, language: Language) -> str | None:
    """How a charge comes to what is kept of it; None for one that counts elsewhere."""
    charge = settled.charge
    if charge.kind == "credit" or charge.settles_adjustment_id is not None:
        return None
    return words.kept(calculation(settled, 0, language), found.timeline.subscription.agreement)


def entry_text(entry: TimelineEntry, write: Writer) -> str:
    """An entry of the history in a few words."""
    key = f"entry/{entry.type}"
    what = write(key) if write.has(key) else entry.type
    if entry.refused:
        return write("entry/refused", what=what)
    if entry.effective_date is None:
        return what
    ends = entry.type.startswith("cancellation")
    return write("entry/ends" if ends else "entry/from", what=what, day=write.day(entry.effective_date))


def _lines(shown: SubscriptionTimeline) -> dict[str, str]:
    """What customers know lines by: how they were described last."""
    return {line.line_id: line.description for price in shown.prices for line in price.lines if line.description}


def _answers(
    now: datetime,
    shown: SubscriptionTimeline,
    charges: Sequence[Settled],
    adjustments: Sequence[tuple[Adjustment, bool]],
    write: Writer,
) -> Iterator[Answer]:
    if shown.last_active_day is not None and shown.access_ends_at is not None:
        until = () if shown.access_ends_at.date() == shown.end_date else (_access(shown, write),)
        yield Answer("last", write("last-active-day"), write.weekday(shown.last_active_day), until)
    if adjustments or shown.line_ends or shown.end_date is not None:
        yield _kept(shown, charges, {adjustment.charge_id for adjustment, _ in adjustments}, write)
    back = sum(s.credit.gross for s in charges)
    question = write("back" if back >= 0 else "charged-again")
    answer = write.units(back, shown.currency) if back else write("back/none")
    if adjustments or shown.line_ends or shown.end_date is not None:
        yield Answer("back", question, answer, tuple(told.text for told in shown.adjustments))
    yield _regret(shown, now, write)


def _kept(shown: SubscriptionTimeline, charges: Sequence[Settled], adjusted: set[str], write: Writer) -> Answer:
    """What is kept of the charges that were adjusted, with that of the last day, and of those that are only planned."""
    money = [
        (write("kept/of", kept=write.units(kept, shown.currency), full=write.units(full, shown.currency)), window)
        for kept, full, window in _sums(charges, adjusted, shown.last_active_day)
    ]
    planned = tuple(f"{write.span(window.start, window.end)}: {text}" for text, window in money if window is not None)
    issued = next((text for text, window in money if window is None), write("kept/all"))
    return Answer("kept", write("kept"), issued, planned)


def _sums(
    charges: Sequence[Settled], adjusted: set[str], last_day: date | None
) -> Iterator[tuple[int, int, Period | None]]:
    """Kept and full, in minor units: of all adjusted charges together, then of each planned one that is shortened.

    With the adjusted ones goes what is billed for the last active day, be it kept whole.
    """
    counted = [s for s in charges if s.charge.charge_id in adjusted or _is_billed_for(s, last_day)]
    if adjusted and counted:
        yield sum(s.kept.gross for s in counted), sum(s.full.gross for s in counted), None
    for settled in charges:
        if settled.charge.state == "planned" and 0 < settled.kept.gross < settled.full.gross:
            yield settled.kept.gross, settled.full.gross, settled.window


def _is_billed_for(settled: Settled, day: date | None) -> bool:
    window = settled.window
    recurring = settled.charge.state == "issued" and settled.charge.kind == "recurring"
    return recurring and day is not None and window is not None and window.start <= day < window.end


def _access(shown: SubscriptionTimeline, write: Writer) -> str:
    assert shown.access_ends_at is not None, "only asked where there is an end"  # noqa: S101  narrows the type
    return f"{write('access-until')} {write.instant(shown.access_ends_at, shown.time_zone)}"


def _regret(shown: SubscriptionTimeline, now: datetime, write: Writer) -> Answer:
    names, own = _lines(shown), [line for line in shown.line_ends or () if line.access_ends_at > now]
    lines = tuple(
        write(
            "regret/line",
            line=names.get(line.line_id, line.line_id),
            until=write.instant(line.access_ends_at, shown.time_zone),
        )
        for line in own
    )
    if shown.access_ends_at is None and lines:
        return Answer("regret", write("regret"), write("regret/yes-lines"), lines)
    if shown.access_ends_at is None:
        return Answer("regret", write("regret"), write("regret/nothing"))
    until = write.instant(shown.access_ends_at, shown.time_zone)
    if shown.status == "ending":
        return Answer("regret", write("regret"), write("regret/yes", until=until), (write("regret/before"), *lines))
    return Answer("regret", write("regret"), write("regret/no-ended"), (write("regret/until-then", until=until),))


def _charge_name(charge: TimelineCharge, write: Writer) -> str:
    """What a charge is for."""
    if charge.kind == "credit" or charge.period is None:
        return write(f"charge/{charge.kind}").capitalize()
    return write.span(charge.period.start, charge.period.end)


def _place(row: ChargeRow) -> tuple[bool, str, str]:
    period = row.charge.period
    return period is None, "" if period is None else str(period.start), row.charge.charge_id or ""


def _asking(topics: Topics, key: Key, wish: EndWish, now: datetime) -> Event:
    """The event that asks for an end, at the time of the preview: decided then, it comes to what was previewed."""
    end: dict[str, str] = {"mode": wish.mode}
    if wish.end_date is not None:
        end["date"] = wish.end_date.isoformat()
    data = {"tenant_id": key[0], "subscription_id": key[1], "end": end}
    return event(topics, Named(SUPPORT, str(uuid4()), "cancellation-requested", now), data, now)
