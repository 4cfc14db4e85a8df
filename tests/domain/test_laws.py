"""What holds in every life: whatever is planned, issued, voided and credited, cancelled, moved and regretted.

The lives are generated. The figures they are held to are worked out here, in fractions and from
the outcomes alone, as a reader of them would who knows nothing else.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import Literal

from hypothesis import assume, event, given
from hypothesis import strategies as st

from service.domain.facts import (
    ChargeLine,
    Command,
    EndWish,
    Fact,
    InvoicePaid,
    InvoiceStated,
    InvoiceVoided,
    Received,
    Renewed,
)
from service.domain.money import ZERO, Amount
from service.domain.outcomes import (
    Adjusted,
    ChargeChange,
    Ended,
    Outcome,
    PeriodChanged,
    RenewalChanged,
    StatusChanged,
    Withdrawn,
)
from service.domain.periods import DAY, Duration, Period, Schedule, local_date
from service.domain.policy import Policy, Rules
from service.domain.settlement import settle
from service.domain.timeline import timeline
from tests.domain.examples import Life

HOUR = 60
ONE_DAY = 24 * HOUR
FAR_BACK = ((datetime(1970, 1, 1, tzinfo=UTC), Policy(earliest_backdate_days=10_000)),)
NOTHING_SEALED = Rules(grace=timedelta(days=10_000), policies=FAR_BACK)
ANY_DATE = Rules(policies=FAR_BACK)
CURRENCIES = ["JPY", "DKK", "EUR", "BHD", "USD"]
ZONES = ["Europe/Copenhagen", "America/Sao_Paulo", "Asia/Beirut", "Pacific/Kiritimati", "America/St_Johns"]

Action = Literal["request", "move", "revoke"]
ACTIONS: list[Action] = ["request", "move", "move", "revoke"]
How = Literal["in full", "as told", "as told, with the period told"]


@dataclass(frozen=True)
class Bill:
    """A charge as its merchant wants it: what it costs and which days it is for."""

    charge_id: str
    invoice_id: str
    window: Period
    price: Amount


@dataclass(frozen=True)
class Step:
    """Something that happens so many minutes after the midnight (UTC) 40 days before the start."""

    minute: int


@dataclass(frozen=True)
class State(Step):
    """An invoice is planned or issued, in full or with the amounts published for its charges so far."""

    invoice_id: str
    state: Literal["planned", "issued"]
    how: How


@dataclass(frozen=True)
class Pay(Step):
    invoice_id: str
    percent: int


@dataclass(frozen=True)
class Void(Step):
    invoice_id: str


@dataclass(frozen=True)
class Credit(Step):
    charge_id: str
    percent: int


@dataclass(frozen=True)
class Renew(Step):
    period: Period


@dataclass(frozen=True)
class Ask(Step):
    action: Action
    end: EndWish | None


@dataclass(frozen=True)
class Script:
    """A whole life, before it is lived."""

    start: date
    zone: str
    currency: str
    interval: str
    anchor: int
    bills: tuple[Bill, ...]
    steps: tuple[Step, ...]

    def asking(self, asks: Iterable[Ask]) -> Script:
        """The same life with these requests and no others."""
        facts = [step for step in self.steps if not isinstance(step, Ask)]
        return replace(self, steps=_in_order([*facts, *asks]))

    @property
    def asks(self) -> list[Ask]:
        return [step for step in self.steps if isinstance(step, Ask)]


@dataclass
class Reader:
    """What somebody knows who reads the outcomes and nothing else."""

    zone: str
    end: date | None = None
    ended: bool = False
    told: dict[str, Amount] = field(default_factory=dict)
    shortened: dict[Period, date] = field(default_factory=dict)
    cancelled: set[Period] = field(default_factory=set)
    given: Counter[str] = field(default_factory=Counter)
    given_tax: Counter[str] = field(default_factory=Counter)
    gaps: list[ChargeChange] = field(default_factory=list)

    def read(self, outcome: Outcome) -> None:
        match outcome.body:
            case StatusChanged() as status:
                assert (self.end is None) == (status.type == "cancellation-scheduled")
                self.end = status.end.end_date
            case Withdrawn():
                self.end = None
            case PeriodChanged() as changed:
                self._amounts(changed)
                self.shortened[changed.period] = local_date(changed.until, self.zone)
                if self.shortened[changed.period] == changed.period.end:
                    del self.shortened[changed.period]
            case RenewalChanged() as changed:
                self._amounts(changed)
                cancelled = changed.type == "renewal-cancelled"
                (self.cancelled.add if cancelled else self.cancelled.discard)(changed.renewal)
            case Adjusted(adjustment=adjustment):
                self.given[adjustment.charge_id] += adjustment.amount.gross
                self.given_tax[adjustment.charge_id] += adjustment.amount.tax
            case Ended():
                assert not self.ended
                self.ended = True
            case _:
                pass

    def overtaken(self, fact: InvoiceStated | InvoiceVoided, voided: Iterable[str]) -> None:
        """What was told of a charge counts no more once its invoice is void or another plan of it is drawn up."""
        if isinstance(fact, InvoiceVoided):
            overtaken = list(voided)
        else:
            redrawn = [line for line in fact.charges if fact.state == "planned"]
            overtaken = [line.charge_id for line in redrawn if self.told.get(line.charge_id) != line.amount]
        for charge_id in overtaken:
            self.told.pop(charge_id, None)

    def _amounts(self, body: PeriodChanged | RenewalChanged) -> None:
        for change in body.charges:
            if change.before != self.told.get(change.charge_id, change.before):
                self.gaps.append(change)
            self.told[change.charge_id] = change.after


class Lived:
    """A script, lived step by step."""

    def __init__(self, script: Script, rules: Rules = ANY_DATE) -> None:
        self.script = script
        self.life = Life(
            str(script.start),
            currency=script.currency,
            zone=script.zone,
            interval=script.interval,
            anchor=script.anchor,
            amount="1",
            activated_at=self._at(0),
            rules=rules,
        )
        self.reader = Reader(script.zone)
        self.read = 0
        self.billed: dict[str, Amount] = {}
        self.others: dict[str, Amount] = {}
        self.accepted: list[Ask] = []
        for step in script.steps:
            self.live(step)

    @property
    def now(self) -> datetime:
        return self._at(self.script.steps[-1].minute if self.script.steps else 0)

    def live(self, step: Step) -> None:
        commands = len(self.life.subscription.commands)
        self.take(self._received(step, self._body(step)))
        if isinstance(step, Ask) and len(self.life.subscription.commands) > commands:
            self.accepted.append(step)

    def take(self, received: Received) -> None:
        body = received.body
        if isinstance(body, InvoiceStated | InvoiceVoided):
            self.reader.overtaken(body, [b.charge_id for b in self.script.bills if b.invoice_id == body.invoice_id])
        self.life.take(received)
        self._read()

    def tick(self, at: datetime) -> None:
        self.life.tick(at)
        self._read()

    def owed(self, bill: Bill) -> Amount:
        """What the bill comes to for the days up to the end that was last told."""
        end = self.reader.end
        days = (bill.window.end - bill.window.start).days
        active = days if end is None else min(max((end - bill.window.start).days, 0), days)
        return Amount(_half_up(bill.price.gross, active, days), _half_up(bill.price.tax, active, days))

    def given(self, charge_id: str) -> Amount:
        return Amount(self.reader.given[charge_id], self.reader.given_tax[charge_id])

    def _read(self) -> None:
        for outcome in self.life.outcomes[self.read :]:
            self.reader.read(outcome)
        self.read = len(self.life.outcomes)

    def _at(self, minute: int) -> datetime:
        return datetime.combine(self.script.start, time.min, UTC) - timedelta(days=40) + timedelta(minutes=minute)

    def _received(self, step: Step, body: Fact | Command) -> Received:
        at = self._at(step.minute)
        return Received("test", f"event-{len(self.life.inputs)}", type(step).__name__, at, at, body)

    def _body(self, step: Step) -> Fact | Command:
        match step:
            case State():
                bills = [bill for bill in self.script.bills if bill.invoice_id == step.invoice_id]
                lines = tuple(self._line(bill, step.how) for bill in bills)
                if step.state == "issued":
                    self.billed |= {line.charge_id: line.amount for line in lines}
                return InvoiceStated(step.invoice_id, step.state, lines)
            case Pay():
                total = sum(bill.price.gross for bill in self.script.bills if bill.invoice_id == step.invoice_id)
                return InvoicePaid(step.invoice_id, total * step.percent // 100)
            case Void():
                for bill in self.script.bills:
                    if bill.invoice_id == step.invoice_id:
                        self.billed.pop(bill.charge_id, None)
                return InvoiceVoided(step.invoice_id)
            case Credit():
                return self._credit(step)
            case Renew(period=period):
                return Renewed(period.start, period.end)
            case Ask(action=action, end=end):
                name = f"K{len(self.life.inputs)}" if action == "request" else None
                return Command(action, name, end)
            case _:
                raise TypeError(step)

    def _line(self, bill: Bill, how: How) -> ChargeLine:
        window, amount = bill.window, bill.price
        if how != "in full" and bill.charge_id in self.reader.told:
            amount = self.reader.told[bill.charge_id]
            if how == "as told, with the period told":
                window = Period(window.start, self.reader.shortened.get(window, window.end))
        return ChargeLine(bill.charge_id, "L1", "recurring", window.start, window.end, amount, taxed=True)

    def _credit(self, step: Credit) -> InvoiceStated:
        price = next(bill.price for bill in self.script.bills if bill.charge_id == step.charge_id)
        amount = Amount(price.gross * step.percent // 100, price.tax * step.percent // 100)
        self.others[step.charge_id] = self.others.get(step.charge_id, ZERO) + amount
        name = f"note of {step.charge_id} at {step.minute}"
        note = ChargeLine(name, "L1", "credit", None, None, amount, taxed=True, corrects_charge_id=step.charge_id)
        return InvoiceStated(name, "issued", (note,))


def _half_up(amount: int, active: int, days: int) -> int:
    return math.floor(Fraction(amount * active, days) + Fraction(1, 2))


def _in_order(steps: Iterable[Step]) -> tuple[Step, ...]:
    return tuple(sorted(steps, key=lambda step: step.minute))


# --- lives ---------------------------------------------------------------------------------------


@st.composite
def bills(draw: st.DrawFn, schedule: Schedule) -> tuple[Bill, ...]:
    """One invoice for each of the first periods, with one charge or two."""
    drawn = []
    for index in range(draw(st.integers(1, 4))):
        for letter in "ab"[: draw(st.integers(1, 2))]:
            gross = draw(st.integers(0, 100_000))
            tax = draw(st.integers(0, gross // 4))
            drawn.append(Bill(f"C{index}{letter}", f"INV-{index}", schedule.period(index), Amount(gross, tax)))
    return tuple(drawn)


@st.composite
def facts(
    draw: st.DrawFn, script: Script, hows: Sequence[How], *, others: bool, until: int | None = None
) -> list[Step]:
    """What the invoicing side does with its invoices, and when."""
    steps: list[Step] = []
    for invoice_id in sorted({bill.invoice_id for bill in script.bills}):
        period = next(bill.window for bill in script.bills if bill.invoice_id == invoice_id)
        begins = (period.start - script.start).days * ONE_DAY + 40 * ONE_DAY
        at = min(begins, until or begins) - draw(st.integers(1, 39)) * ONE_DAY + draw(st.integers(0, ONE_DAY))
        invoice: list[Step] = []
        for _ in range(draw(st.integers(0, 2))):
            invoice.append(State(at, invoice_id, "planned", draw(st.sampled_from(hows))))
            at += draw(st.integers(1, 20 * ONE_DAY))
        if draw(st.booleans()):
            invoice.append(Renew(at, period))
        if draw(st.integers(0, 3)):
            how = draw(st.sampled_from(hows))
            invoice.append(State(at + 1, invoice_id, "issued", how))
            at += draw(st.integers(2, 5 * ONE_DAY))
            invoice.append(Pay(at, invoice_id, draw(st.sampled_from([0, 40, 100, 120]))))
            if others and how == "in full" and draw(st.booleans()):
                charge_id = draw(st.sampled_from([b.charge_id for b in script.bills if b.invoice_id == invoice_id]))
                at += draw(st.integers(1, 9 * ONE_DAY))
                invoice.append(Credit(at, charge_id, draw(st.integers(1, 120))))
        if invoice and not draw(st.integers(0, 4)):
            at += draw(st.integers(1, 9 * ONE_DAY))
            invoice.append(Void(at, invoice_id))
            if draw(st.booleans()):
                at += draw(st.integers(1, 9 * ONE_DAY))
                invoice.append(State(at, invoice_id, "issued", "in full"))
        steps += invoice
    return steps


def days_from(start: date, least: int, most: int) -> st.SearchStrategy[date]:
    return st.integers(least, most).map(lambda days: start + days * DAY)


def ends(start: date, least: int = 0, most: int = 130) -> st.SearchStrategy[EndWish]:
    """An end on a date, named in one of the three ways."""
    return st.one_of(
        st.builds(EndWish, st.just("on-date"), end_date=days_from(start, least, most)),
        st.builds(EndWish, st.just("on-date"), last_active_day=days_from(start, least, most)),
        st.builds(
            EndWish,
            st.just("on-date"),
            at=st.builds(
                lambda day, minute: datetime.combine(day, time.min, UTC) + timedelta(minutes=minute),
                days_from(start, least + 1, most),
                st.integers(0, ONE_DAY - 1),
            ),
        ),
    )


def any_end(start: date) -> st.SearchStrategy[EndWish]:
    modes: list[EndWish] = [EndWish("immediately"), EndWish("end-of-period")]
    return st.one_of(ends(start), ends(start), st.sampled_from(modes))


@st.composite
def asks(draw: st.DrawFn, start: date) -> list[Ask]:
    """A cancellation and what becomes of it: no two requests at the same time."""
    minutes = draw(st.lists(st.integers(35 * ONE_DAY, 120 * ONE_DAY), min_size=1, max_size=6, unique=True))
    drawn: list[Ask] = []
    for minute in sorted(minutes):
        action = draw(st.sampled_from(ACTIONS)) if drawn else "request"
        drawn.append(Ask(minute, action, None if action == "revoke" else draw(any_end(start))))
    return drawn


@st.composite
def scripts(
    draw: st.DrawFn,
    *,
    hows: Sequence[How] = ("in full", "as told", "as told, with the period told"),
    others: bool = True,
    until: int | None = None,
) -> Script:
    start = draw(st.dates(date(2017, 10, 1), date(2028, 12, 31)))
    interval = draw(st.sampled_from(["P1M", "P1M", "P1M", "P3M", "P1W", "P30D"]))
    anchor = draw(st.one_of(st.just(start.day), st.integers(1, 31)))
    schedule = Schedule(start, Duration.parse(interval), anchor)
    script = Script(
        start=start,
        zone=draw(st.sampled_from(ZONES)),
        currency=draw(st.sampled_from(CURRENCIES)),
        interval=interval,
        anchor=anchor,
        bills=draw(bills(schedule)),
        steps=(),
    )
    steps = draw(facts(script, hows, others=others, until=until))
    return replace(script, steps=_in_order([*steps, *draw(asks(start))]))


# --- laws ----------------------------------------------------------------------------------------


def assert_books_balance(lived: Lived) -> None:
    """Billed = owed + given by us + given by others, who may give more than there is; charge by charge, tax too."""
    for bill in lived.script.bills:
        owed, given = lived.owed(bill), lived.given(bill.charge_id)
        billed, others = lived.billed.get(bill.charge_id), lived.others.get(bill.charge_id, ZERO)
        if billed is None:
            assert given == ZERO, "nothing is given back of what was never billed"
            continue
        for paid, due, by_others, by_us in [
            (billed.gross, owed.gross, others.gross, given.gross),
            (billed.tax, owed.tax, others.tax, given.tax),
        ]:
            assert by_us == (paid - due if paid < due else max(paid - due - by_others, 0))


@given(scripts())
def test_every_charge_balances_to_the_minor_unit_after_every_step(script: Script) -> None:
    lived = Lived(replace(script, steps=()))
    for step in script.steps:
        lived.live(step)
        assert_books_balance(lived)
    assert not lived.reader.gaps, "an amount goes from each before to the next"


@given(scripts())
def test_a_reader_of_the_outcomes_knows_what_every_charge_of_a_cut_or_cancelled_period_comes_to(script: Script) -> None:
    lived = Lived(script)
    lived.tick(lived.now)
    end = lived.reader.end
    stated = lived.life.subscription.charges
    shortened = lived.reader.shortened
    for bill in lived.script.bills:
        living = bill.charge_id in stated and not stated[bill.charge_id].voided
        if living:
            assert lived.reader.told.get(bill.charge_id, bill.price) == lived.owed(bill)
        if living and end is not None and bill.window.start < end < bill.window.end:
            assert shortened[bill.window] == end
        if living and end is not None and bill.window.start >= end:
            assert bill.window in lived.reader.cancelled
    assert all(shortened[period] == end or (end and period.start >= end) for period in shortened)
    assert end is not None or not (shortened or lived.reader.cancelled)
    assert end is None or all(period.start >= end for period in lived.reader.cancelled)
    assert end is None or lived.reader.cancelled, "always one, for the first"


@st.composite
def regrets(draw: st.DrawFn) -> Script:
    """A cancellation and moves to ends still to come, taken back on the 61st day."""
    script = draw(scripts(until=60 * ONE_DAY))
    minutes = draw(st.lists(st.integers(35 * ONE_DAY, 61 * ONE_DAY), min_size=1, max_size=5, unique=True))
    wishes = st.one_of(ends(script.start, 24, 150), st.just(EndWish("end-of-period")))
    first, *moves = (Ask(minute, "move", draw(wishes)) for minute in sorted(minutes))
    return script.asking([replace(first, action="request"), *moves, Ask(62 * ONE_DAY, "revoke", None)])


@given(regrets())
def test_a_regret_leaves_every_charge_period_and_renewal_as_if_nothing_had_happened(script: Script) -> None:
    lived = Lived(script)
    assume(lived.accepted and lived.accepted[-1].action == "revoke")
    event(f"{len(lived.accepted) - 2} moves before the regret")
    reader = lived.reader
    assert (reader.end, reader.shortened, reader.cancelled) == (None, {}, set())
    assert not lived.life.subscription.told.cuts
    assert not lived.life.subscription.told.stopped
    for bill in script.bills:
        assert reader.told.get(bill.charge_id, bill.price) == bill.price
        left_out = bill.price - lived.billed[bill.charge_id] if bill.charge_id in lived.billed else ZERO
        assert lived.given(bill.charge_id) == -left_out


@given(scripts(hows=["in full"]))
def test_however_often_the_end_was_moved_the_books_are_those_of_the_last_end_asked_for_directly(script: Script) -> None:
    moved = Lived(script, NOTHING_SEALED)
    assume(moved.accepted and moved.accepted[-1].action != "revoke")
    event(f"{len(moved.accepted) - 1} changes")
    direct = Lived(script.asking([replace(moved.accepted[-1], action="request")]), NOTHING_SEALED)
    assert _books(moved) == _books(direct)
    assert [moved.given(bill.charge_id) for bill in script.bills] == [
        direct.given(bill.charge_id) for bill in script.bills
    ]


@given(scripts(others=False))
def test_however_often_the_end_was_moved_obedient_invoices_come_to_the_same_in_the_end(script: Script) -> None:
    moved = Lived(script, NOTHING_SEALED)
    assume(moved.accepted and moved.accepted[-1].action != "revoke")
    direct = Lived(script.asking([replace(moved.accepted[-1], action="request")]), NOTHING_SEALED)
    for bill in script.bills:
        name = bill.charge_id
        assert moved.billed.get(name, ZERO) - moved.given(name) == direct.billed.get(name, ZERO) - direct.given(name)


def _once_all_is_over(script: Script) -> datetime:
    return datetime.combine(script.start, time.min, UTC) + timedelta(days=4000)


def _shortened(lived: Lived) -> dict[Period, date]:
    """The periods told to be shortened, without those that lie after the end and do not come at all."""
    end = lived.reader.end
    return {period: to for period, to in lived.reader.shortened.items() if end is None or period.start < end}


def _books(lived: Lived) -> object:
    """The state of the books once everything is over, whatever way led there."""
    now = _once_all_is_over(lived.script)
    settled = settle(lived.life.subscription, now, lived.life.rules)
    shown = timeline(lived.life.subscription, now, lived.life.rules)
    end = settled.end
    return (
        end and (end.end_date, end.access_ends_at),
        {name: (charge.full, charge.kept, charge.credit, charge.active) for name, charge in settled.charges.items()},
        (settled.cuts, settled.stopped),
        (shown.status, shown.periods),
    )


@given(scripts(), st.data())
def test_the_same_facts_in_any_order_of_arrival_and_repeated_end_in_the_same_books(
    script: Script, data: st.DataObject
) -> None:
    lived = Lived(script, NOTHING_SEALED)
    inputs = lived.life.inputs
    arrived = Lived(replace(script, steps=()), NOTHING_SEALED)
    commands = [received for received in inputs if isinstance(received.body, Command)]
    lifecycle = [received for received in inputs if not isinstance(received.body, Command)]
    late = data.draw(st.permutations([True] * len(commands) + [False] * len(lifecycle)))
    clock = lived.now + DAY
    for is_command in late:
        received = commands.pop(0) if is_command else lifecycle.pop(0)
        clock += timedelta(minutes=data.draw(st.integers(0, 30 * ONE_DAY)))
        for _ in range(data.draw(st.sampled_from([1, 1, 1, 2, 3]))):
            arrived.take(replace(received, recorded_at=clock))
    arrived.script, arrived.billed, arrived.others = lived.script, lived.billed, lived.others
    assert _books(arrived) == _books(lived)
    lived.tick(_once_all_is_over(script))
    arrived.tick(_once_all_is_over(script))
    assert_books_balance(arrived)
    assert _shortened(arrived) == _shortened(lived)
    assert [arrived.given(bill.charge_id) for bill in script.bills] == [
        lived.given(bill.charge_id) for bill in script.bills
    ]
    history = [{(entry.time, entry.event_id) for entry in each.life.subscription.entries} for each in (arrived, lived)]
    assert history[0] == history[1]


@given(scripts(hows=["in full"]), st.data())
def test_a_later_end_never_gives_more_back(script: Script, data: st.DataObject) -> None:
    earlier, later = sorted(data.draw(st.lists(days_from(script.start, 0, 130), min_size=2, max_size=2)))
    asked = script.asks[0].minute
    gave = [Lived(script.asking([Ask(asked, "request", EndWish("on-date", end_date=day))])) for day in (earlier, later)]
    for bill in script.bills:
        first, second = (lived.given(bill.charge_id) for lived in gave)
        assert first.gross >= second.gross >= 0
        assert first.tax >= second.tax >= 0


@given(scripts(), st.data())
def test_nothing_is_kept_after_the_end_and_no_request_changes_it_any_more(script: Script, data: st.DataObject) -> None:
    lived = Lived(script)
    told = lived.life.subscription.told
    assume(told.end is not None)
    assert told.end is not None
    over = max(lived.now, told.end.access_ends_at) + timedelta(hours=1)
    lived.tick(over)
    assert lived.reader.ended
    late = Bill("LATE", "LATE", Period(told.end.end_date, told.end.end_date + 30 * DAY), Amount(30_000, 6_000))
    lived.script = replace(script, bills=(*script.bills, late))
    for ask in data.draw(asks(script.start)):
        at = lived.life.instant(data.draw(st.sampled_from([lived.now, over])))
        command = Command(ask.action, "NEW", ask.end)
        lived.take(Received("test", f"late-{ask.minute}", "late", at, over + DAY, command))
    line = ChargeLine("LATE", "L1", "recurring", late.window.start, late.window.end, late.price, taxed=True)
    stated = InvoiceStated("LATE", "issued", (line,))
    lived.take(Received("test", "late", "invoice-issued", over, over + DAY, stated))
    lived.billed["LATE"] = late.price
    assert lived.reader.end == told.end.end_date
    assert lived.life.subscription.told.end == told.end
    assert lived.given("LATE") == late.price
    assert_books_balance(lived)
    for bill in lived.script.bills:
        if bill.window.start >= told.end.end_date and bill.charge_id in lived.billed:
            others = lived.others.get(bill.charge_id, ZERO)
            rest = lived.billed[bill.charge_id] - others - lived.given(bill.charge_id)
            assert rest.gross <= 0
            assert rest.tax <= 0


@given(scripts(), st.data())
def test_outcomes_are_numbered_without_gap_or_repeat(script: Script, data: st.DataObject) -> None:
    lived = Lived(replace(script, steps=()))
    for step in script.steps:
        lived.live(step)
        if data.draw(st.integers(0, 9)) == 0:
            lived.take(lived.life.inputs[-1])
        if data.draw(st.integers(0, 4)) == 0:
            lived.tick(lived.life.inputs[-1].recorded_at)
    lived.tick(lived.now + timedelta(days=400))
    assert [outcome.sequence for outcome in lived.life.outcomes] == list(range(1, len(lived.life.outcomes) + 1))
    assert lived.life.subscription.told.sequence == len(lived.life.outcomes)
