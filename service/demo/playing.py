"""Sends the morning to Kafka, and shows what comes of it as it comes off Kafka."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.rule import Rule
from rich.text import Text

from service.demo.cat import Send, sending
from service.demo.dates import full
from service.demo.drawing import draw
from service.demo.listening import DEAD_LETTER, Listener, Place, listening
from service.demo.morning import BEGINS, Line, customers, morning
from service.demo.telling import Teller
from service.messages.outcomes import SubscriptionTimeline
from service.settings import Settings, Topics

DRAWN = ("avis-1044", "avis-1041", "hus-4001")
"""Whose timelines are drawn in the end: one who stays, one who has gone, one who goes in years."""

_PATIENCE = 30.0  # seconds until an event must have been answered; it takes a hundredth of one
_SEALS = 20.0  # seconds to wait for passed ends to be declared final; a longer grace is not waited for
_READING = 0.06  # seconds for a person to read a line


class PlayError(Exception):
    """The service does not answer; the message says to what."""


async def play(settings: Settings, topics: Topics, console: Console) -> None:
    """Plays the whole morning.

    Args:
        settings: which Kafka the service reads, and the keys to it.
        topics: what its topics are called.
        console: where to show it.

    Raises:
        PlayError: the service does not answer.
    """
    async with listening(settings, topics) as heard, sending(settings, topics) as send:
        player = _Player(console, heard, send)
        await player.before()
        await player.morning()
        await player.clock()
        player.end()


class _Player:
    """One play of the morning."""

    def __init__(self, console: Console, heard: Listener, send: Send) -> None:
        self._console, self._heard, self._send = console, heard, send
        self._lines = morning()
        self._customers = customers(self._lines)
        self._teller = Teller(console, self._customers)
        heard.tell = self._teller.tell
        self._began = time.monotonic()
        self._sent: dict[tuple[str, str], list[Any]] = defaultdict(list)
        self._known: set[str] = set()
        self._unanswered: list[tuple[Line, Place]] = []

    async def before(self) -> None:
        """Sends the lives up to the morning, all at once; nothing is to be put right in them."""
        early = [line for line in self._lines if line.early]
        if any(line.key in self._heard.timelines for line in early):
            self._console.print("This Kafka has seen that morning before: an event counts once, so little comes of it.")
        with self._progress("before the morning", len(early)) as advance:
            for line in early:
                await self._sending(line)
            for done in range(1, len(early) + 1):
                await self._answer()
                advance(done)
        kinds = Counter(line.event["type"] for line in early)
        listed = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common())
        self._console.print(Text(f"Their lives until then, {len(early)} events: {listed}.", "dim"))

    async def morning(self) -> None:
        """Sends the morning, each event once the one before has been answered."""
        late = [line for line in self._lines if not line.early]
        self._rule(f"{BEGINS:%A} {full(BEGINS)}")
        with self._progress("the morning", len(late)) as advance:
            for done, line in enumerate(late, 1):
                before = self._teller.told.total()
                await self._event(line)
                advance(done)
                if self._console.is_terminal:
                    await asyncio.sleep(_READING * (1 + self._teller.told.total() - before))

    async def clock(self) -> None:
        """Shows which ends have passed and are final by now."""
        self._rule("No event: the clock. Ends that have passed become final")
        self._teller.clock()
        with self._progress("final ends", self._heard.passed()[0]) as advance:

            def final() -> bool:
                passed, sealed = self._heard.passed()
                advance(sealed)
                return sealed == passed

            if not await self._heard.until(final, _SEALS):
                self._teller.remark("The others follow when their grace is over.")

    def end(self) -> None:
        """Draws some timelines, and sums up."""
        for subscription in DRAWN:
            customer = self._customers[subscription]
            self._rule(f"{customer.name}, {customer.product}")
            self._console.print(draw(self._heard.timelines[subscription]))
        self._rule("In sum")
        told, seconds = self._teller.told, time.monotonic() - self._began
        outcomes = told.total() - told[DEAD_LETTER]
        timelines = self._heard.timelines.values()
        says = f"{len(self._lines)} events in, {outcomes} outcomes out, {told[DEAD_LETTER]} dead letter, "
        self._console.print(f"{says}{len(timelines)} timelines kept, in {seconds:.0f} s.", highlight=False)
        for currency, given in sorted(self._teller.money.items()):
            again = f", {given['debit']} of it charged again" if given["debit"] else ""
            self._console.print(f"  {given['credit']:>10} {currency} back{again}", highlight=False)
        off = [timeline.subscription_id for timeline in timelines if not _balanced(timeline)]
        if off:
            self._console.print(f"The books do not balance: {', '.join(off)}.", style="bold red", highlight=False)
        else:
            says = "The books balance: of every charge, billed = kept + credited, to the last øre, cent, yen and fils."
            self._console.print(says, style="green", highlight=False)

    async def _event(self, line: Line) -> None:
        """One event of the morning and what comes of it."""
        told, earlier = self._teller.told.total(), self._sent[line.identity]
        repeated = line.data in earlier
        if repeated:
            self._teller.ask(line, "the same event again")
        else:
            self._teller.ask(line, "the same id, other content" if earlier else "")
        await self._sending(line)
        if repeated:
            self._teller.remark("counted once: nothing comes of it")
        elif line.key not in self._known:
            self._teller.remark("overtakes the subscription itself, and waits for it")
        else:
            while self._unanswered:
                await self._answer()
            if told == self._teller.told.total():
                self._teller.remark("taken in: nothing is to be put right")

    async def _sending(self, line: Line) -> None:
        metadata = await self._send(line)
        place = (metadata.topic, metadata.partition, metadata.offset)
        if line.event["type"] == "subscription-activated":
            self._known.add(line.key)
        earlier = self._sent[line.identity]
        if line.data not in earlier:
            earlier.append(line.data)
            self._unanswered.append((line, place))

    async def _answer(self) -> None:
        """Waits until the oldest event that is waited for has had its effect."""
        line, place = self._unanswered.pop(0)
        times = len(self._sent[line.identity])
        subscription, event_id = line.key, line.event["id"]
        if not await self._heard.until(lambda: self._heard.answered(subscription, event_id, times, place), _PATIENCE):
            raise PlayError(f"No answer to event {event_id} within {_PATIENCE:.0f} s: is the service running?")

    def _rule(self, title: str) -> None:
        self._console.print()
        self._console.print(Rule(Text(title, "bold"), style="dim", align="left"))

    @contextmanager
    def _progress(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        """A bar at the bottom of a terminal; gives what sets how far it is."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=self._console, transient=True, disable=not self._console.is_terminal) as shown:
            task = shown.add_task(what, total=total)
            yield lambda done: shown.update(task, completed=done)


def _balanced(timeline: SubscriptionTimeline) -> bool:
    """Whether billed = kept + credited for every charge that is billed, whoever credited it."""
    return all(
        Decimal(charge.billed) == Decimal(charge.kept) + Decimal(charge.credited) + Decimal(charge.credited_by_others)
        for charge in timeline.charges
        if charge.state == "issued" and charge.kind != "credit"
    )
