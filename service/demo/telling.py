"""Says on a terminal what happens: who asked for what, and below it each outcome on a line of its own."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from service.demo import words
from service.demo.listening import CLOCK, DEAD_LETTER, Heard
from service.demo.morning import ZONE, Customer, Line
from service.messages.outcomes import CreditAdjustment

_TIME, _KIND = 5, 18  # cells that a time and a type take
_WIDE = 96  # cells from which on outcomes are indented as far as the name above them


class Teller:
    """Shows events and outcomes, and keeps count of the outcomes and of the money in them.

    What the clock brings about is kept until `clock` is called, so that it does not come between a request and its
    answer.
    """

    def __init__(self, console: Console, customers: Mapping[str, Customer]) -> None:
        self.told: Counter[str] = Counter()
        self.money: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        self._console, self._customers = console, customers
        self._kept: list[Heard] | None = []
        self._about: tuple[str, str] | None = None

    def ask(self, line: Line, remark: str) -> None:
        """Shows what somebody asks for, or what else goes in."""
        customer = self._customers[line.key]
        said = words.asked(line.event["type"], line.data, customer.currency)
        text = Text.assemble((customer.name, "bold"), f", {customer.product}: {said}")
        comment = line.data.get("reason", {}).get("comment")
        if comment:
            text.append(f" “{comment}”", "italic dim")
        if remark:
            text.append(f" ({remark})", "dim")
        self._head(f"{line.time.astimezone(ZONE):%H:%M}", text)

    def remark(self, text: str) -> None:
        """Says something in place of an outcome."""
        self._outcome("", Text(text, "dim"))

    def tell(self, heard: Heard) -> None:
        """Shows an outcome, under the event that it comes of."""
        self.told[heard.kind] += 1
        if isinstance(heard.body, CreditAdjustment):
            self.money[heard.body.currency][heard.body.direction] += Decimal(heard.body.amount)
        if heard.cause == CLOCK and self._kept is not None:
            self._kept.append(heard)
        else:
            self._show(heard, whose=heard.cause == CLOCK)

    def clock(self) -> None:
        """Shows what the clock has brought about, from now on at once."""
        kept, self._kept = self._kept or [], None
        for heard in kept:
            self._show(heard, whose=True)

    def overhear(self, heard: Heard) -> None:
        """Shows an outcome that nobody has announced, under the name of the subscription and its cause."""
        subscription = heard.cause if heard.body is None else heard.body.subscription_id
        if self._about != (subscription, heard.cause):
            self._about = (subscription, heard.cause)
            at = datetime.now(ZONE)
            self._head(f"{at:%H:%M}", Text.assemble((self._name(subscription), "bold"), (f" by {heard.cause}", "dim")))
        self._show(heard)

    def _show(self, heard: Heard, *, whose: bool = False) -> None:
        if heard.body is None:
            self._outcome(DEAD_LETTER, Text(heard.text))
            return
        customer = self._customers.get(heard.body.subscription_id)
        said = words.told(heard.body, customer.currency if customer is not None else "")
        name = self._name(heard.body.subscription_id)
        self._outcome(heard.kind, Text.assemble((name, "bold"), ": ", said) if whose else said)

    def _name(self, subscription: str) -> str:
        customer = self._customers.get(subscription)
        return subscription if customer is None else f"{customer.name}, {customer.product}"

    def _outcome(self, kind: str, text: Text) -> None:
        named = Table.grid(padding=(0, 2, 0, 0))
        named.add_column(width=_KIND, no_wrap=True)
        named.add_column(overflow="fold")
        named.add_row(Text(kind.removeprefix("cancellation-"), words.STYLES.get(kind, "")), text)
        indent = _TIME + 2 if self._console.width >= _WIDE else 2
        self._console.print(Padding(named, (0, 0, 0, indent)))

    def _head(self, time: str, text: Text) -> None:
        row = Table.grid(padding=(0, 2, 0, 0))
        row.add_column(width=_TIME, no_wrap=True)
        row.add_column(overflow="fold")
        row.add_row(Text(time, "dim"), text)
        self._console.print(row)
