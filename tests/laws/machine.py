"""The laws as a state machine: arbitrary lives, one fact, command or day after the other, judged after every step.

Nothing here asks the rule what is right. It checks what must hold whatever the rule says: that the
books of every charge add up from what was published, that a regret leaves no trace, that the way to an
end does not matter, that a later end never gives back more, that nothing is kept after the end and
nothing moves it once it is sealed, that outcomes are numbered without a gap, and that the same facts in
any order of arrival end in the same books.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from service.domain.decide import ContradictingFactError, Decision, activate, decide, due_at, tick
from service.domain.facts import (
    Activated,
    ChargeLine,
    Command,
    EndWish,
    Fact,
    InvoicePaid,
    InvoiceStated,
    InvoiceVoided,
    Line,
    Override,
    Paused,
    PriceChanged,
    Received,
    Renewed,
    Resumed,
    Terms,
)
from service.domain.money import ZERO, Amount
from service.domain.outcomes import Adjusted, Ended, Outcome, PeriodChanged, Rejected, RenewalChanged
from service.domain.periods import DAY, Duration, Period, local_date, start_of_day
from service.domain.policy import Policy, Rules
from service.domain.settlement import Settled, settle
from service.domain.subscription import Charge, Subscription
from service.domain.timeline import timeline

COUNTED: Counter[str] = Counter()
"""How often what was done and what was compared, for the figures."""

ZONES = ("Europe/Copenhagen", "America/New_York", "America/Santiago", "Pacific/Apia", "Asia/Beirut", "Asia/Tokyo")
CURRENCIES = ("DKK", "JPY", "BHD", "EUR")
INTERVALS = (Duration(months=1), Duration(months=3), Duration(months=12), Duration(days=7), Duration(days=10))
ORDERS = 20

modes = st.sampled_from(
    ["immediately", *3 * ["end-of-period"], *3 * ["end-of-invoiced"], *3 * ["end-of-term"], *3 * ["earliest"]]
)
offsets = st.integers(-10, 120)
ways = st.sampled_from(["end_date", "last_active_day", "at"])
amounts = st.integers(0, 50_000)
minutes_ago = st.just(0) | st.integers(0, 3 * 24 * 60)
settlements = st.sampled_from([None, None, "prorate", "full-period", "refund-period"])
overrides = st.sampled_from([None, None, Override("an agent", "goodwill")])
no_lines: tuple[str, ...] = ()
some_lines = st.just(no_lines) | st.lists(st.sampled_from(["L0", "L0", "L1", "L2"]), min_size=1, unique=True).map(tuple)
starts = st.one_of(
    st.dates(date(2023, 1, 1), date(2025, 12, 31)),
    st.dates(date(2011, 12, 1), date(2012, 1, 15)),  # Samoa went without 30 December 2011
)
policies = st.builds(
    Policy,
    settlement=st.sampled_from(["prorate", "prorate", "full-period", "refund-period"]),
    proration=st.sampled_from(["day", "day", "second"]),
    day_of_cancellation=st.sampled_from(["active", "free"]),
    rounding=st.sampled_from(["half-up", "half-even"]),
    on_early_end=st.sampled_from(["move", "move", "move", "refuse"]),
    earliest_backdate_days=st.sampled_from([0, 30, 366]),
    charges=st.sampled_from(["reported", "reported", "reported", "implied"]),
)
terms = st.none() | st.builds(
    Terms,
    minimum_term=st.none() | st.just(Duration(months=6)),
    notice=st.sampled_from([None, Duration(months=1), Duration(days=30)]),
    notice_to=st.sampled_from(["day", "month-end", "period-end"]),
    settlement=st.sampled_from([None, "full-period"]),
)


class Laws(RuleBasedStateMachine):
    """One subscription and its world."""

    steps = 0

    @initialize(
        start=starts,
        zone=st.sampled_from(ZONES),
        currency=st.sampled_from(CURRENCIES),
        interval=st.sampled_from(INTERVALS),
        anchor=st.none() | st.integers(1, 31) | st.integers(29, 31),
        billing=st.sampled_from(["in-advance", "in-advance", "in-arrears"]),
        lines=st.integers(1, 3),
        trial=st.sampled_from([0, 0, 0, 14]),
        agreed=terms,
        policy=policies,
        invoiced=st.lists(st.sampled_from(["planned", "issued", "issued"]), max_size=4),
        price=amounts,
    )
    def begin(self, **chosen: Any) -> None:  # noqa: ANN401  what the strategies draw
        """The subscription is activated."""
        start: date = chosen["start"]
        trial_end = start + chosen["trial"] * DAY
        self.agreement = Activated(
            customer_id="customer",
            currency=chosen["currency"],
            time_zone=chosen["zone"],
            start_date=start,
            interval=chosen["interval"],
            anchor_day=chosen["anchor"] or trial_end.day,
            billing=chosen["billing"],
            lines=tuple(Line(f"L{n}", 1000 * (n + 1)) for n in range(chosen["lines"])),
            trial_end_date=trial_end if chosen["trial"] else None,
            terms=chosen["agreed"],
        )
        self.now = start_of_day(start, self.agreement.time_zone) - timedelta(days=3)
        begun = (datetime(2000, 1, 1, tzinfo=UTC), chosen["policy"])
        self.law = Rules(grace=timedelta(seconds=60), policies=(begun,))
        self.streams: dict[str, list[Received]] = {"life": [], "commands": []}
        self.outcomes: list[Outcome] = []
        self.sealed: Subscription | None = None
        self.numbers = self.steps = 0
        self.told_at = self.now
        received = self._received(self.agreement, "activated")
        self.activation = received
        self.subscription = activate("t", "s", received, self.agreement)
        for number, state in enumerate(chosen["invoiced"]):
            self._invoice(number, state, Amount(chosen["price"], chosen["price"] // 5))

    # Time

    @rule(days=st.integers(0, 10) | st.integers(0, 45), seconds=st.integers(0, 86_399))
    def time_passes(self, days: int, seconds: int) -> None:
        self.now += timedelta(days=days, seconds=seconds)
        due = due_at(self.subscription, self.law)
        if due is not None and due <= self.now:
            self._took(tick(self.subscription, self.now, self.law))
            due = due_at(self.subscription, self.law)
            assert due is None or due > self.now, "the clock comes by once"

    @rule()
    def the_clock_ticks(self) -> None:
        self._took(tick(self.subscription, self.now, self.law))

    @rule(policy=policies)
    def the_tenant_sets_a_policy(self, policy: Policy) -> None:
        self.law = replace(self.law, policies=(*self.law.policies, (self.now, policy)))

    # Life

    @rule(
        ahead=st.integers(-2, 3),
        price=amounts,
        tax=st.sampled_from([0, 0, 8, 20, 25]),
        state=st.sampled_from(["planned", "issued"]),
        lines=st.booleans(),
        instants=st.booleans(),
        ago=minutes_ago,
    )
    def an_invoice_is_drawn_up(  # noqa: PLR0913
        self,
        ahead: int,
        price: int,
        tax: int,
        state: Any,  # noqa: ANN401  one of two literals
        ago: int,
        *,
        lines: bool,
        instants: bool,
    ) -> None:
        """Also once more for the same period: another plan of it, or what had been voided."""
        number = self.subscription.calendar(self._day(0)).index(self._day(0)) + ahead
        amount = Amount(price, price * tax // 100)
        self._invoice(max(number, 0), state, amount, ago, named=lines, instants=instants)

    def _invoice(
        self,
        number: int,
        state: Any,  # noqa: ANN401  one of two literals
        amount: Amount,
        ago: int = 0,
        *,
        named: bool = True,
        instants: bool = False,
    ) -> None:
        period = self.subscription.calendar(self._day(0)).period(number)
        start, end = (start_of_day(edge, self.agreement.time_zone) for edge in (period.start, period.end))
        charges = tuple(
            ChargeLine(
                charge_id=f"{line.line_id} {period.start}",
                line_id=line.line_id if named else None,
                kind="recurring",
                start=start if instants else period.start,
                end=end if instants else period.end,
                amount=amount,
                taxed=bool(amount.tax),
            )
            for line in self.agreement.lines
        )
        self._fact(InvoiceStated(f"I {period.start}", state, charges), ago)

    @precondition(lambda self: bool(_in_state(self, "planned")))
    @rule(
        index=st.integers(0, 50),
        how=st.sampled_from(["whole", "obediently", "obediently and for the days kept", "cheaper"]),
        state=st.sampled_from(["planned", "issued", "issued"]),
    )
    def a_planned_invoice_is_issued_or_planned_again(
        self,
        index: int,
        how: str,
        state: Any,  # noqa: ANN401  one of two literals
    ) -> None:
        planned = _in_state(self, "planned")
        invoice = planned[index % len(planned)].invoice_id
        self._fact(InvoiceStated(invoice, state, tuple(self._as_stated(invoice, how))))

    @precondition(lambda self: bool(_in_state(self, "voided")))
    @rule(index=st.integers(0, 50))
    def a_voided_invoice_is_issued_again(self, index: int) -> None:
        voided = _in_state(self, "voided")
        invoice = voided[index % len(voided)].invoice_id
        self._fact(InvoiceStated(invoice, "issued", tuple(self._as_stated(invoice, "whole"))))

    @precondition(lambda self: bool(_in_state(self, "issued")))
    @rule(index=st.integers(0, 50), percent=st.integers(0, 120))
    def an_invoice_is_paid(self, index: int, percent: int) -> None:
        issued = _in_state(self, "issued")
        invoice = issued[index % len(issued)].invoice_id
        total = sum(charge.billed.gross for charge in self.subscription.of_invoice(invoice))
        self._fact(InvoicePaid(invoice, total * percent // 100))

    @precondition(lambda self: self.subscription.charges)
    @rule(index=st.integers(0, 50))
    def an_invoice_is_voided(self, index: int) -> None:
        charges = list(self.subscription.charges.values())
        self._fact(InvoiceVoided(charges[index % len(charges)].invoice_id))

    @precondition(lambda self: bool(_in_state(self, "issued")))
    @rule(index=st.integers(0, 50), percent=st.integers(1, 150))
    def somebody_else_credits(self, index: int, percent: int) -> None:
        issued = _in_state(self, "issued")
        charge = issued[index % len(issued)]
        amount = Amount(charge.billed.gross * percent // 100)
        number = f"credit {len(self.subscription.charges)}"
        line = ChargeLine(number, None, "credit", None, None, amount, taxed=False, corrects_charge_id=charge.charge_id)
        self._fact(InvoiceStated(number, "issued", (line,)))

    @precondition(lambda self: self.subscription.told.adjustments)
    @rule(index=st.integers(0, 50), percent=st.sampled_from([50, 100, 100]))
    def an_adjustment_is_carried_out(self, index: int, percent: int) -> None:
        """A credit is as a credit note, a debit as another charge for the same days."""
        adjustments = self.subscription.told.adjustments
        adjustment = adjustments[index % len(adjustments)]
        charge = self.subscription.charges.get(adjustment.charge_id)
        amount = Amount(abs(adjustment.amount.gross) * percent // 100)
        number = f"carried out {len(self.subscription.charges)}"
        credit, window = adjustment.amount.gross > 0, None if charge is None else charge.window
        line = ChargeLine(
            charge_id=number,
            line_id=None if charge is None else charge.line_id,
            kind="credit" if credit else "recurring" if window else "one-off",
            start=None if credit or window is None else window.start,
            end=None if credit or window is None else window.end,
            amount=amount,
            taxed=False,
            corrects_charge_id=adjustment.charge_id if credit else None,
            settles_adjustment_id=adjustment.adjustment_id,
        )
        self._fact(InvoiceStated(number, "issued", (line,)))

    @rule(kind=st.sampled_from(["one-off", "usage"]), price=amounts)
    def something_else_is_charged(self, kind: Any, price: int) -> None:  # noqa: ANN401  one of two literals
        today = local_date(self.now, self.agreement.time_zone)
        number = f"{kind} {len(self.subscription.charges)}"
        start, end = (today, today + 30 * DAY) if kind == "usage" else (None, None)
        line = ChargeLine(number, None, kind, start, end, Amount(price), taxed=False)
        self._fact(InvoiceStated(number, "issued", (line,)))

    @rule(ahead=st.integers(-1, 3))
    def a_renewal_is_reported(self, ahead: int) -> None:
        period = self._period(ahead)
        self._fact(Renewed(period.start, period.end))

    @rule(offset=offsets, price=amounts, more=st.sampled_from([0, 0, 0, -1, 1]))
    def the_price_changes(self, offset: int, price: int, more: int) -> None:
        """And a line is added to the list or dropped from it."""
        count = max(len(self.agreement.lines) + more, 1)
        self._fact(PriceChanged(self._day(offset), tuple(Line(f"L{n}", price * (n + 1)) for n in range(count))))

    @rule(
        offset=offsets,
        days=st.none() | st.integers(1, 60),
        effect=st.sampled_from(["not-charged", "charged", "extends-period"]),
    )
    def it_is_paused(self, offset: int, days: int | None, effect: Any) -> None:  # noqa: ANN401  one of three literals
        day = self._day(offset)
        number = f"pause {len(self.subscription.pauses)}"
        self._fact(Paused(number, day, None if days is None else day + days * DAY, effect))

    @precondition(lambda self: self.subscription.pauses)
    @rule(index=st.integers(0, 10), days=st.integers(1, 40))
    def it_is_resumed(self, index: int, days: int) -> None:
        pause = self.subscription.pauses[index % len(self.subscription.pauses)]
        self._fact(Resumed(pause.pause_id, pause.effective_date + days * DAY))

    # Commands

    @rule(mode=modes, lines=some_lines, settlement=settlements, override=overrides, ago=minutes_ago)
    def it_is_cancelled(self, mode: Any, lines: Any, settlement: Any, override: Any, ago: int) -> None:  # noqa: ANN401
        self._command(Command("request", self._id(), EndWish(mode), lines, settlement, override), ago)

    @rule(offset=offsets, lines=some_lines, by=ways, settlement=settlements, override=overrides)
    def it_is_cancelled_on_a_date(self, offset: int, lines: Any, by: str, settlement: Any, override: Any) -> None:  # noqa: ANN401
        self._command(Command("request", self._id(), self._wish(offset, by), lines, settlement, override))

    @precondition(lambda self: self.streams["commands"])
    @rule(offset=offsets, by=ways, index=st.none() | st.integers(0, 50), settlement=settlements, ago=minutes_ago)
    def it_is_moved(self, offset: int, by: str, index: int | None, settlement: Any, ago: int) -> None:  # noqa: ANN401
        self._command(Command("move", self._named(index), self._wish(offset, by), (), settlement), ago)

    @precondition(lambda self: self.streams["commands"])
    @rule(mode=modes, index=st.none() | st.integers(0, 50), override=overrides)
    def it_is_moved_to_a_mode(self, mode: Any, index: int | None, override: Any) -> None:  # noqa: ANN401
        self._command(Command("move", self._named(index), EndWish(mode), (), None, override))

    @precondition(lambda self: self.streams["commands"])
    @rule(index=st.none() | st.integers(0, 50), ago=minutes_ago)
    def it_is_regretted(self, index: int | None, ago: int) -> None:
        self._command(Command("revoke", self._named(index), None), ago)

    @precondition(lambda self: self.streams["commands"])
    @rule(index=st.integers(0, 50))
    def a_request_comes_twice(self, index: int) -> None:
        again = self.streams["commands"][index % len(self.streams["commands"])]
        assert isinstance(again.body, Command)
        if again.body.action == "request" and again.body in [
            c for x in self.subscription.course.in_force for c in x.requests
        ]:
            decision = decide(self.subscription, replace(again, recorded_at=self.now), self.law)
            assert not decision.outcomes or isinstance(decision.outcomes[0].body, Rejected)

    # What must hold

    @invariant()
    def the_books_of_every_charge_add_up(self) -> None:
        if not hasattr(self, "subscription"):
            return
        given: Counter[tuple[str, str]] = Counter()
        for outcome in self.outcomes:
            if isinstance(outcome.body, Adjusted):
                given[outcome.body.adjustment.charge_id, "gross"] += outcome.body.adjustment.amount.gross
                given[outcome.body.adjustment.charge_id, "tax"] += outcome.body.adjustment.amount.tax
        charges = settle(self.subscription, self.now, self.law).charges
        assert all(number in charges or not units for (number, _), units in given.items()), "given for nothing"
        for number, settled in charges.items():
            charge, by_others = settled.charge, settled.credited_by_others
            assert 0 <= settled.kept.gross <= settled.full.gross
            assert 0 <= settled.kept.tax <= settled.full.tax
            _balanced(charge, number, settled.kept.gross, given[number, "gross"], by_others.gross, charge.billed.gross)
            _balanced(charge, number, settled.kept.tax, given[number, "tax"], by_others.tax, charge.billed.tax)
            self._judged(settled)
            COUNTED["charges balanced"] += 1

    def _judged(self, settled: Settled) -> None:
        """Kept whole while nothing ends it, in part up to the end, for nothing after it; and so it was told."""
        charge, end = settled.charge, settled.end
        divided = charge.kind == "recurring" and charge.settles_adjustment_id is None and not charge.voided
        if end is None or not divided:
            assert settled.kept == settled.full
        elif settled.window is not None and charge.window is not None:
            assert settled.window.start < end.end_date or settled.kept == ZERO, "kept after the end"
            plain = not self.subscription.pauses and not self.subscription.prices and not self.agreement.trial_end_date
            calendar = self.subscription.calendar(end.end_date)
            closed = charge.window.end <= calendar.containing(end.last_active_day).start
            if plain and not closed and (end.settlement, end.proration) == ("prorate", "day"):
                part = Fraction(charge.window.days_before(end.end_date), charge.window.days)
                assert abs(settled.kept.gross - settled.full.gross * part) <= Fraction(1, 2), "not for the days active"
                COUNTED["charges counted by hand"] += 1
        if self.subscription.commands and divided and not charge.implied:
            level = self.subscription.told.levels.get(charge.charge_id)
            told = settled.full if level is None else level.amount
            assert told == settled.kept, f"{charge.charge_id}: told {told}, kept {settled.kept}"

    @precondition(lambda self: self.steps % 3 == 1)
    @invariant()
    def a_regret_leaves_no_trace(self) -> None:
        if self.subscription.course.in_force:
            return
        before = self._books(self.subscription), self._shown(self.subscription, self.law)
        for lines in ((), ("L0",)):
            tried = self._tried(
                Command("request", "try", self._wish(40, "end_date"), lines),
                Command("move", None, self._wish(75, "end_date")),
                Command("revoke", None, None),
            )
            if tried is not None:
                assert (self._books(tried), self._shown(tried, self.law)) == before
                assert not tried.told.cuts
                assert not tried.told.stopped
                COUNTED["regrets compared"] += 1

    @precondition(lambda self: self.steps % 3 == 2)
    @invariant()
    def the_way_to_an_end_does_not_matter_and_a_later_one_gives_back_no_more(self) -> None:
        direct = self._asked(30)
        moved = self._asked(90, 10, 55, 30)
        later = self._asked(50)
        if direct is not None and moved is not None:
            assert self._books(direct) == self._books(moved)
            assert self._shown(direct, self.law) == self._shown(moved, self.law)
            COUNTED["ways compared"] += 1
        if direct is not None and later is not None:
            early, late = (settle(x, self.now, self.law).charges for x in (direct, later))
            for number in early.keys() & late.keys():
                self._no_less(early[number], late[number])
            COUNTED["ends compared"] += 1

    def _no_less(self, early: Settled, late: Settled) -> None:
        """A line's own end can come to hold in place of a later one of the whole, and be settled another way."""
        ends = [(e.settlement, e.proration, e.rounding) for e in (early.end, late.end) if e is not None]
        if ends[0] == ends[-1]:
            assert early.kept.gross <= late.kept.gross
            assert early.kept.tax <= late.kept.tax
            assert early.credit.gross >= late.credit.gross
            COUNTED["charges compared"] += 1

    def teardown(self) -> None:
        """The same facts in other orders of arrival end in the same books; it takes long, so every third life does."""
        if not hasattr(self, "subscription") or not self.streams["commands"] or len(self.outcomes) % 3:
            return
        chance = random.Random(len(self.outcomes))  # noqa: S311  an order to be repeated
        quiet = replace(self.law, grace=timedelta(days=100_000))
        wanted = self._replayed([*self.streams["life"], *self.streams["commands"]], quiet)
        for _ in range(ORDERS):
            found = self._replayed(self._shuffled(chance), quiet)
            # A request is judged once, by what is known as it comes: what only a fact still under way
            # would have permitted (a line not heard of, an end that a pause puts off) stays refused.
            if [o.command for o in found.commands] != [o.command for o in wanted.commands]:
                COUNTED["orders that accept other commands"] += 1
                continue
            assert self._books(found) == self._books(wanted)
            assert self._shown(found, quiet) == self._shown(wanted, quiet)
            COUNTED["orders compared"] += 1
        event(f"commands: {min(len(wanted.commands), 3)}")

    # How

    def _fact(self, fact: Fact, minutes_ago: int = 0) -> None:
        """A fact that comes late is told late; those of one source still come in the order they happened."""
        self.told_at = max(self.told_at, self.now - timedelta(minutes=minutes_ago))
        received = replace(self._received(fact, "fact"), time=self.told_at)
        self.streams["life"].append(received)
        self._decide(received)

    def _command(self, command: Command, minutes_ago: int = 0) -> None:
        received = replace(self._received(command, "command"), time=self.now - timedelta(minutes=minutes_ago))
        self.streams["commands"].append(received)
        sealed = self.subscription.told.ended
        before = len(self.outcomes)
        self._decide(received)
        if sealed:
            assert [o.body.type for o in self.outcomes[before:]] == ["cancellation-rejected"], "it has ended"

    def _decide(self, received: Received) -> None:
        self.now += timedelta(seconds=1)
        self._took(decide(self.subscription, received, self.law))

    def _took(self, decision: Decision) -> None:
        COUNTED["steps"] += 1
        self.steps += 1
        before, self.subscription = self.subscription, decision.subscription
        for outcome in decision.outcomes:
            self.numbers += 1
            assert outcome.sequence == self.numbers, "numbered without gap or repeat"
            code = f" {outcome.body.code}" if isinstance(outcome.body, Rejected) else ""
            COUNTED[f"{outcome.body.type}{code}"] += 1
            if self.sealed is not None:
                assert isinstance(outcome.body, Adjusted | Rejected | PeriodChanged | RenewalChanged)
        self.outcomes += decision.outcomes
        if any(isinstance(outcome.body, Ended) for outcome in decision.outcomes):
            self.sealed = self.subscription
        if self.sealed is not None:
            assert self.subscription.told.end == self.sealed.told.end, "nothing moves an end that is sealed"
            assert before.told.ended == self.subscription.told.ended or self.sealed is self.subscription

    def _asked(self, *days: int) -> Subscription | None:
        """The subscription after a request and moves to so many days from now; None where one is refused."""
        request, *moves = [self._wish(offset, "end_date") for offset in days]
        return self._tried(Command("request", "try", request), *(Command("move", "try", wish) for wish in moves))

    def _tried(self, *commands: Command) -> Subscription | None:
        """The subscription after commands that nobody gave; None where one is refused."""
        tried = self.subscription
        for command in commands:
            decision = decide(tried, self._received(command, "tried"), self.law)
            if any(isinstance(outcome.body, Rejected) for outcome in decision.outcomes):
                return None
            tried = decision.subscription
        return tried

    def _books(self, subscription: Subscription) -> dict[str, tuple[Amount, Amount]]:
        charges = settle(subscription, self.now, self.law).charges
        given = dict.fromkeys(charges, ZERO)
        for adjustment in subscription.told.adjustments:
            given[adjustment.charge_id] = given.get(adjustment.charge_id, ZERO) + adjustment.amount
        return {
            number: (settled.kept, given[number])
            for number, settled in charges.items()
            if given[number] or not _untouched(settled)
        }

    def _shown(self, subscription: Subscription, rules: Rules) -> Any:  # noqa: ANN401  only compared
        shown = timeline(subscription, self.now, rules)
        return (
            shown.status,
            None if shown.end is None else (shown.end.end_date, shown.end.access_ends_at, shown.end.settlement),
            shown.periods,
            shown.prices,
            shown.pauses,
            {s.charge.charge_id: (s.full, s.kept, s.credit) for s in shown.charges if not _untouched(s)},
        )

    def _replayed(self, order: list[Received], rules: Rules) -> Subscription:
        found = activate("t", "s", self.activation, self.agreement)
        seen: set[str] = set()
        for received in order:
            if received.event_id not in seen:
                seen.add(received.event_id)
                found = decide(found, replace(received, recorded_at=self.now), rules).subscription
        return tick(found, self.now, rules).subscription

    def _shuffled(self, chance: random.Random) -> list[Received]:
        """Both streams in their own order, interleaved anyhow, one in ten twice."""
        left = [list(stream) for stream in self.streams.values()]
        order: list[Received] = []
        while any(left):
            order.append(chance.choice([stream for stream in left if stream]).pop(0))
            if chance.random() < 0.1:
                order.append(chance.choice(order))
        return order

    def _day(self, offset: int) -> date:
        return local_date(self.now, self.agreement.time_zone) + offset * DAY

    def _period(self, ahead: int) -> Period:
        """The billing period that runs now, or one so many before or after it."""
        calendar = self.subscription.calendar(self._day(0))
        return calendar.period(max(calendar.index(self._day(0)) + ahead, 0))

    def _as_stated(self, invoice_id: str, how: str) -> Iterator[ChargeLine]:
        """The charges of an invoice stated once more: as first planned, as we have told, or at half the price."""
        told = self.subscription.told
        cuts = {line: (period, local_date(until, self.agreement.time_zone)) for (period, line), until in told.cuts}
        for charge in self.subscription.of_invoice(invoice_id):
            first, window = charge.statements[0].amount, charge.window
            level = told.levels.get(charge.charge_id)
            amount = level.amount if how.startswith("obediently") and level is not None else first
            period, until = cuts.get(charge.line_id or "", (None, None))
            cut = how.endswith("kept") and period is not None and period == window
            yield ChargeLine(
                charge_id=charge.charge_id,
                line_id=charge.line_id,
                kind=charge.kind,
                start=None if window is None else window.start,
                end=until if cut else None if window is None else window.end,
                amount=Amount(amount.gross // 2, amount.tax // 2) if how == "cheaper" else amount,
                taxed=charge.taxed,
                corrects_charge_id=charge.corrects_charge_id,
                settles_adjustment_id=charge.settles_adjustment_id,
            )

    def _named(self, index: int | None) -> str | None:
        """The id of a request made before; None names none."""
        made = [r.body.cancellation_id for r in self.streams["commands"] if isinstance(r.body, Command)]
        return made[index % len(made)] if made and index is not None else None

    def _wish(self, offset: int, by: str) -> EndWish:
        day = self._day(offset)
        if by == "at":
            return EndWish("on-date", at=self.now + timedelta(days=offset))
        return EndWish("on-date", end_date=day) if by == "end_date" else EndWish("on-date", last_active_day=day)

    def _id(self) -> str:
        return f"cancellation {len(self.streams['commands'])}"

    def _received(self, body: Fact | Command, name: str) -> Received:
        number = sum(map(len, self.streams.values()))
        return Received("laws", f"{name} {number}", name, self.now, self.now, body)


def _in_state(laws: Laws, state: str) -> list[Charge]:
    return [charge for charge in laws.subscription.charges.values() if charge.state == state]


def _untouched(settled: Settled) -> bool:
    """Whether it is a charge that nobody reported and that no end so far has touched: only some are looked at."""
    return settled.charge.implied and settled.kept == settled.full


def _balanced(charge: Charge, number: str, kept: int, ours: int, others: int, billed: int) -> None:
    """Billed = kept + credited by us + credited by others, who may give more than there is to give."""
    if charge.state != "issued":
        assert ours == 0, f"{number} is {charge.state} and has {ours} of ours"
    elif ours + others != billed - kept:
        assert others > max(billed - kept, 0), f"{number}: {billed} - {kept}, {ours}, {others}"
        assert ours == min(billed - kept, 0)


__all__ = ["COUNTED", "ContradictingFactError", "Laws", "Period"]
