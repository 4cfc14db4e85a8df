"""A subscription's timeline on a terminal: the end date first and alone, then why, then the history.

It reads well without colour and from 80 columns on: what colour says, a sign or a word says too. A reader who is no
terminal gets the end date in words only, not in large letters.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from service.demo.axis import ACTIVE, CANCELLED, REST, STYLES, Axis
from service.demo.dates import full, medium, span
from service.demo.lettering import large
from service.messages.outcomes import SubscriptionTimeline, TimelineAdjustment, TimelineCharge, TimelineEntry

_COLOURS = {"upcoming": "cyan", "active": "green", "ending": "yellow", "ended": "red"}
_MEANINGS = {ACTIVE: "active", REST: "unused rest", CANCELLED: "cancelled"}
_INTERVALS = {"P7D": "a week", "P28D": "four weeks", "P1M": "a month", "P3M": "a quarter", "P12M": "a year"}
_HISTORY = {
    "subscription-activated": "activated",
    "subscription-renewed": "renewed",
    "subscription-paused": "paused",
    "subscription-resumed": "resumed",
    "cancellation-requested": "cancelled",
    "cancellation-moved": "end moved",
    "cancellation-revoked": "cancellation taken back",
}
_AMOUNTS = ("Price", "Billed", "Kept", "Credited")
_WIDE = 96


def draw(snapshot: SubscriptionTimeline) -> RenderableType:
    """Draws the timeline; the console it is printed on says how wide."""
    parts: list[RenderableType] = [_Headline(snapshot), _indented(_agreement(snapshot))]
    if snapshot.periods:
        parts.append(_indented(_Periods(snapshot)))
    if snapshot.charges:
        parts.append(_indented(_Charges(snapshot)))
    if snapshot.adjustments:
        parts.append(_indented(_adjustments(snapshot)))
    return Group(*parts, _indented(_History(snapshot)))


class _Headline:
    """The end date, or that there is none."""

    def __init__(self, snapshot: SubscriptionTimeline) -> None:
        self._snapshot = snapshot
        self._colour = _COLOURS[snapshot.status]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = self._lines(options.max_width - 6 if console.is_terminal else 0)
        named = f"{self._snapshot.subscription_id} · customer {self._snapshot.customer_id}"
        yield Panel(
            Group(*lines), subtitle=named, border_style=self._colour, box=box.HEAVY, padding=(1, 2) if lines[1:] else 1
        )

    def _lines(self, room: int) -> list[Text]:
        """What it says; with large letters if there is room for them."""
        end, last = self._snapshot.end_date, self._snapshot.last_active_day
        if end is None or last is None:
            return list(self._without_end())
        word = "ENDED" if self._snapshot.status == "ended" else "ENDS"
        letters = large(full(end))
        below = Text.assemble("Last active day: ", (f"{last:%A} {full(last)}", "bold"), self._until())
        if len(letters[0]) > room:
            return [self._strong(f"{word} {full(end)}"), below]
        first = Text.assemble((full(end), "bold"), " is the first day without it.")
        return [self._strong(word), Text(), *map(self._strong, letters), Text(), first, below]

    def _without_end(self) -> Iterator[Text]:
        if self._snapshot.status == "upcoming":
            yield self._strong(f"STARTS {full(self._snapshot.start_date)}")
        else:
            yield self._strong("RUNS ON")
        regretted = any(entry.type == "cancellation-revoked" and not entry.refused for entry in self._snapshot.entries)
        yield Text("No end date: the cancellation was taken back." if regretted else "No end date.")

    def _until(self) -> str:
        """A day that access ends in the middle of is named with the time."""
        access = self._snapshot.access_ends_at
        if access is None or access.date() == self._snapshot.end_date:
            return ""
        return f", until {access:%H:%M}"

    def _strong(self, text: str) -> Text:
        return Text(text, f"bold {self._colour}")


class _Periods:
    """The periods on a time axis."""

    def __init__(self, snapshot: SubscriptionTimeline) -> None:
        self._snapshot = snapshot

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        snapshot = self._snapshot
        axis = Axis(snapshot.periods, snapshot.end_date, options.max_width)
        legend = [((f"  {sign}", STYLES[sign]), (f" {_MEANINGS[sign]}", "dim")) for sign in axis.states()]
        yield Text.assemble(("Periods ", "bold"), *(part for entry in legend for part in entry))
        mark = "ended" if snapshot.status == "ended" else "ends"
        yield from axis.lines(mark, f"bold {_COLOURS[snapshot.status]}")
        if axis.left_out:
            yield Text(f"and {axis.left_out} more, further from here", "dim")
        for pause in snapshot.pauses:
            until = "" if pause.resume_date is None else f" to {medium(pause.resume_date)}"
            state = "" if pause.state == "in-force" else f", {pause.state}"
            yield Text(f"paused from {medium(pause.effective_date)}{until}: {pause.effect}{state}")


class _Charges:
    """What was billed, and what became of it."""

    def __init__(self, snapshot: SubscriptionTimeline) -> None:
        self._snapshot = snapshot
        self._others = any(Decimal(charge.credited_by_others) for charge in snapshot.charges)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        wide = options.max_width >= _WIDE
        table = _table(f"Charges in {self._snapshot.currency}")
        for name in ("Charge", "Line", "For") if wide else ("Charge", "For"):
            table.add_column(name, overflow="fold")
        for name in ("Price", "Billed", "Kept", "Credited", "By others") if self._others else _AMOUNTS:
            table.add_column(name, justify="right", no_wrap=True)
        for charge in sorted(self._snapshot.charges, key=_place):
            named = [charge.charge_id, self._line(charge.line_id)] if wide else [charge.charge_id]
            amounts = _credit_note(charge) if charge.kind == "credit" else _amounts(charge)
            table.add_row(*named, *amounts[: len(table.columns) - len(named)])
        yield table

    def _line(self, line_id: str | None) -> str:
        lines = [line for price in self._snapshot.prices for line in price.lines if line.line_id == line_id]
        return (lines[-1].description if lines else None) or line_id or ""


class _History:
    """The entries in order, each with both its times."""

    def __init__(self, snapshot: SubscriptionTimeline) -> None:
        self._snapshot = snapshot
        self._zone = ZoneInfo(snapshot.time_zone)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table = _table(f"History, {self._snapshot.time_zone}")
        for name in ("Happened", "Recorded"):
            table.add_column(name, no_wrap=True)
        table.add_column("What", overflow="fold")
        for entry in self._snapshot.entries:
            table.add_row(self._time(entry.time), Text(self._time(entry.recorded_at), "dim"), _told(entry))
        yield table

    def _time(self, instant: datetime) -> str:
        local = instant.astimezone(self._zone)
        return f"{medium(local)} {local:%H:%M}"


def _agreement(snapshot: SubscriptionTimeline) -> Text:
    """What it is and what it costs, by the price list in force last, and by which settlement it ends."""
    text = Text()
    interval = _INTERVALS.get(snapshot.interval, snapshot.interval)
    standing = [price for price in snapshot.prices if price.state == "in-force"]
    for line in standing[-1].lines if standing else ():
        text.append(line.description or line.line_id, "bold")
        text.append(f" {line.amount} {snapshot.currency} · ")
    text.append(f"{interval} · since {full(snapshot.start_date)}")
    if snapshot.settlement not in {None, "prorate"}:
        text.append(f" · settlement {snapshot.settlement}")
    for price in snapshot.prices:
        if price.state == "suppressed":
            text.append(f"\nprice list of {medium(price.effective_date)}: suppressed", "dim")
    return text


def _amounts(charge: TimelineCharge) -> list[str | Text]:
    """A charge's cells: what it is for, and its amounts; a credit is shown once there is something to credit."""
    what = charge.kind if charge.period is None else span(charge.period.start, charge.period.end)
    if charge.state != "issued":
        return [what, charge.amount, Text(charge.state, "dim"), charge.kept, "", charge.credited_by_others]
    credited = Text(charge.credited, "green" if Decimal(charge.credited) else "dim")
    return [what, charge.amount, charge.billed, charge.kept, credited, charge.credited_by_others]


def _credit_note(charge: TimelineCharge) -> list[str | Text]:
    """A credit note says of another charge what that charge's own row says too; it counts once."""
    return ["credit note", "", Text(f"-{charge.amount}", "dim"), "", "", ""]


def _adjustments(snapshot: SubscriptionTimeline) -> Table:
    table = _table("Adjustments")
    table.add_column("", no_wrap=True)
    table.add_column("Amount", justify="right", no_wrap=True)
    table.add_column("Charge", overflow="fold")
    table.add_column("How it comes about", overflow="fold")
    for adjustment in snapshot.adjustments:
        amount = f"{adjustment.direction} {adjustment.amount}"
        table.add_row(_standing(adjustment), amount, adjustment.charge_id, adjustment.text)
    return table


def _standing(adjustment: TimelineAdjustment) -> Text:
    return Text("● settled", "green") if adjustment.state == "settled" else Text("○ open", "yellow")


def _told(entry: TimelineEntry) -> Text:
    """An entry in a few words."""
    words, effect = _HISTORY.get(entry.type, entry.type.replace("-", " ")), entry.effective_date
    if entry.refused:
        return Text(f"{words}, refused: {entry.refused}", "red")
    if effect is None:
        return Text(words)
    command = entry.type.startswith("cancellation")
    return Text(f"{words}, {'ends' if command else 'from'} {medium(effect)}", "bold" if command else "")


def _place(charge: TimelineCharge) -> tuple[bool, date, str]:
    return charge.period is None, date.max if charge.period is None else charge.period.start, charge.charge_id or ""


def _table(title: str) -> Table:
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )


def _indented(part: RenderableType) -> Padding:
    return Padding(part, (0, 1, 1, 2))
