"""A second set of books for a cancelled subscription, kept by hand from the events sent.

Nothing here comes from the service. What a subscription should owe is worked out month by month with fractions, and
`check` lays the published outcomes beside it, so that a mistake has to be made twice to go unseen.
"""

from __future__ import annotations

import calendar
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from tests.lives import Event, Life

DECIMALS = {"JPY": 0, "KRW": 0, "DKK": 2, "EUR": 2, "BHD": 3}
DAY = timedelta(days=1)
BACKDATED_AT_MOST = timedelta(days=366)
Data = dict[str, Any]


class Money(NamedTuple):
    """What a customer pays and the part of it that is tax; each is split and rounded by itself."""

    amount: Decimal
    tax: Decimal

    def less(self, other: Money) -> Money:
        return Money(self.amount - other.amount, self.tax - other.tax)

    def plus(self, other: Money) -> Money:
        return Money(self.amount + other.amount, self.tax + other.tax)

    def at_least_nothing(self) -> Money:
        return Money(max(self.amount, Decimal(0)), max(self.tax, Decimal(0)))

    def at_most_nothing(self) -> Money:
        return Money(min(self.amount, Decimal(0)), min(self.tax, Decimal(0)))

    def share(self, part: Fraction, decimals: int) -> Money:
        return Money(half_up(self.amount, part, decimals), half_up(self.tax, part, decimals))


NOTHING = Money(Decimal(0), Decimal(0))


class Period(NamedTuple):
    """The days from `start` up to, not including, `end`."""

    start: date
    end: date


@dataclass(frozen=True)
class End:
    """An end in force: `names` are the cancellations that led to it, newest first; outcomes carry the newest.

    `aliases` asked for the same end again; `access` holds the instants that access may end at.
    """

    end_date: date
    access: tuple[datetime, ...]
    names: tuple[str, ...]
    aliases: tuple[str, ...] = ()

    @property
    def last_active_day(self) -> date:
        return self.end_date - DAY

    def same_as(self, other: End) -> bool:
        return self.end_date == other.end_date and self.access == other.access


@dataclass(frozen=True)
class Verdict:
    """What a command leads to: one status outcome."""

    type: str
    command: Event
    end: End | None = None
    code: str | None = None


@dataclass
class Charge:
    """One charge as the invoicing side tells it; `full` is what was said first."""

    invoice_id: str
    kind: str
    period: Period | None
    full: Money
    line_id: str | None = None
    billed: Money | None = None
    voided: bool = False


@dataclass(frozen=True)
class Account:
    """One charge as it should stand: `credited` is ours alone, credits less debits."""

    invoice_id: str
    state: str
    full: Money
    billed: Money
    kept: Money
    credited: Money


@dataclass(frozen=True)
class Books:
    """All that can be said of a life once its last event has been taken in."""

    verdicts: list[Verdict]
    end: End | None
    aliases: frozenset[str]
    charges: dict[str, Charge]
    accounts: dict[str, Account]
    cut: Period | None
    renewals: frozenset[date]
    conceivable: frozenset[date]


def half_up(amount: Decimal, part: Fraction, decimals: int) -> Decimal:
    """The part of the amount, halves away from zero, at the currency's own number of decimals."""
    units = Fraction(amount) * part * 10**decimals
    whole = (2 * units.numerator + units.denominator) // (2 * units.denominator)
    return Decimal(whole).scaleb(-decimals)


def periods(start: date, anchor: int) -> Iterator[Period]:
    """Month after month from the start; the first is a stub when the start is off the anchor day."""
    year, month, begins = start.year, start.month, start
    while True:
        ends = date(year, month, min(anchor, calendar.monthrange(year, month)[1]))
        if ends > begins:
            yield Period(begins, ends)
            begins = ends
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)


def local_midnight(day: date, zone: ZoneInfo) -> datetime:
    """As an instant in UTC: Python holds a midnight that the clocks skip unequal to itself in any other zone."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


# --- The commands, one after the other ---------------------------------------------------------------------------


@dataclass
class Register:
    """Takes the commands in the order they were sent and says what becomes of each."""

    start: date
    anchor: int
    zone: ZoneInfo
    end: End | None = None
    asked: Data | None = None
    latest: datetime | None = None
    aliases: set[str] = field(default_factory=set)
    verdicts: list[Verdict] = field(default_factory=list)

    def take(self, command: Event) -> Verdict | None:
        """The verdict, or nothing for what has been said before."""
        verdict = self._judge(command)
        if verdict is None:
            return None
        self.verdicts.append(verdict)
        if verdict.code is None:
            self.end = verdict.end if verdict.type != "cancellation-withdrawn" else None
            self.asked = command.data if command.type == "cancellation-requested" else None
            self.latest = datetime.fromisoformat(command.time)
        return verdict

    def _judge(self, command: Event) -> Verdict | None:
        named = command.data.get("cancellation_id")
        request = command.type == "cancellation-requested"
        if request and self.end is not None and command.data == self.asked and named is not None:
            return None
        code = self._refused(command)
        if code is not None:
            return Verdict("cancellation-rejected", command, code=code)
        if command.type == "cancellation-revoked":
            return Verdict("cancellation-withdrawn", command, end=self.end)
        end = self.resolve(command)
        if end.end_date < self.start:
            return Verdict("cancellation-rejected", command, code="end-before-start")
        if end.end_date < self._local_day(command) - BACKDATED_AT_MOST:
            return Verdict("cancellation-rejected", command, code="end-too-far-back")
        if self.end is None:
            return Verdict("cancellation-scheduled", command, end=end)
        if end.same_as(self.end):
            aliases = (*self.end.aliases, *end.names) if request else self.end.aliases
            self.aliases.update(aliases)
            self.end = replace(self.end, aliases=aliases)
            return None
        if request:
            end = replace(end, names=(*end.names, *self.end.names, *self.end.aliases))
        else:
            end = replace(end, names=self.end.names, aliases=self.end.aliases)
        return Verdict("cancellation-rescheduled", command, end=end)

    def _refused(self, command: Event) -> str | None:
        at = datetime.fromisoformat(command.time)
        named = command.data.get("cancellation_id")
        request = command.type == "cancellation-requested"
        if self.end is not None and max(self.end.access) <= at:
            return "already-ended"
        if self.latest is not None and at < self.latest:
            return "superseded"
        if request:
            return "conflicting-content" if self.end is not None and named in self.end.names else None
        if self.end is None or (named is not None and named not in self.end.names + self.end.aliases):
            return "not-cancelled"
        return None

    def resolve(self, command: Event) -> End:
        """The end that the command asks for."""
        wanted, today = command.data["end"], self._local_day(command)
        names = (command.data.get("cancellation_id") or command.id,)
        at = datetime.fromisoformat(command.time)
        if wanted["mode"] == "immediately":
            if today < self.start:  # access has not begun, so either instant is right
                return End(self.start, (at, local_midnight(self.start, self.zone)), names)
            return End(today + DAY, (at,), names)
        if wanted["mode"] == "end-of-period":
            current = next(p for p in periods(self.start, self.anchor) if today < p.end)
            day = self.start if today < self.start else current.end
        elif "date" in wanted:
            day = date.fromisoformat(wanted["date"])
        else:
            day = date.fromisoformat(wanted["last_active_day"]) + DAY
        return End(day, (local_midnight(day, self.zone),), names)

    def _local_day(self, command: Event) -> date:
        return datetime.fromisoformat(command.time).astimezone(self.zone).date()


def register(activated: Data) -> Register:
    start = date.fromisoformat(activated["start_date"])
    return Register(start, activated.get("anchor_day") or start.day, ZoneInfo(activated["time_zone"]))


# --- The charges, invoice by invoice -----------------------------------------------------------------------------


def kept(charge: Charge, end: date | None, decimals: int) -> Money:
    """What the customer owes of a charge when the subscription ends on that day, or goes on."""
    if charge.voided:
        return NOTHING
    if end is None or charge.period is None or charge.kind != "recurring":
        return charge.full
    days = (charge.period.end - charge.period.start).days
    active = min(max((end - charge.period.start).days, 0), days)
    return charge.full.share(Fraction(active, days), decimals)


@dataclass
class Ledger:
    """The invoices as told: who was billed what, and what others gave back."""

    charges: dict[str, Charge] = field(default_factory=dict)
    credit_notes: dict[str, list[tuple[str, Money]]] = field(default_factory=dict)
    renewed: set[Period] = field(default_factory=set)

    def write(self, event: Event) -> None:
        if event.type in {"invoice-planned", "invoice-issued"}:
            for told in event.data["charges"]:
                self._charge(event, told)
        elif event.type == "invoice-voided":
            self.credit_notes.pop(event.data["invoice_id"], None)
            for charge in self.charges.values():
                charge.voided |= charge.invoice_id == event.data["invoice_id"]
        elif event.type == "subscription-renewed":
            self.renewed.add(_period(event.data["period"]))

    def _charge(self, event: Event, told: Data) -> None:
        money, invoice = Money(Decimal(told["amount"]), Decimal(told.get("tax_amount", 0))), event.data["invoice_id"]
        if told.get("kind") == "credit":
            self.credit_notes.setdefault(invoice, []).append((told["corrects_charge_id"], money))
            return
        charge = self.charges.get(told["charge_id"])
        if charge is None:
            period = _period(told["period"]) if "period" in told else None
            charge = Charge(invoice, told.get("kind", "recurring"), period, money, told.get("line_id"))
            self.charges[told["charge_id"]] = charge
        if event.type == "invoice-issued":
            charge.billed = money

    def account(self, charge_id: str, end: date | None, decimals: int) -> Account:
        charge = self.charges[charge_id]
        owed = kept(charge, end, decimals)
        if charge.voided:
            return Account(charge.invoice_id, "voided", charge.full, NOTHING, NOTHING, NOTHING)
        if charge.billed is None:
            return Account(charge.invoice_id, "planned", charge.full, NOTHING, owed, NOTHING)
        elsewhere = NOTHING
        for corrected, money in itertools.chain.from_iterable(self.credit_notes.values()):
            elsewhere = elsewhere.plus(money) if corrected == charge_id else elsewhere
        over = charge.billed.less(owed)
        due = over.at_least_nothing().less(elsewhere).at_least_nothing().plus(over.at_most_nothing())
        return Account(charge.invoice_id, "issued", charge.full, charge.billed, owed, due)

    def known_periods(self) -> set[Period]:
        """The periods that the invoicing side or a renewal has spoken of."""
        live = {c.period for c in self.charges.values() if c.kind == "recurring" and not c.voided and c.period}
        return live | self.renewed


def keep(life: Life) -> Books:
    """The books of a life, from its first event to its last."""
    activated = life.lifecycle[0].data
    commands, ledger = register(activated), Ledger()
    for event in life.lifecycle:
        ledger.write(event)
    firsts = set()
    for command in life.commands:
        verdict = commands.take(command)
        if verdict is not None and verdict.end is not None:
            firsts |= set(_next_renewals(commands, verdict.end.end_date))
    end = commands.end.end_date if commands.end is not None else None
    decimals = DECIMALS[activated["currency"]]
    return Books(
        verdicts=commands.verdicts,
        end=commands.end,
        aliases=frozenset(commands.aliases),
        charges=ledger.charges,
        accounts={charge_id: ledger.account(charge_id, end, decimals) for charge_id in ledger.charges},
        cut=_cut(commands, ledger, end),
        renewals=_cancelled(commands, ledger, end),
        conceivable=frozenset(
            firsts | {c.period.start for c in ledger.charges.values() if c.period} | {p.start for p in ledger.renewed}
        ),
    )


def _cut(commands: Register, ledger: Ledger, end: date | None) -> Period | None:
    """The period known of that the end falls inside."""
    inside = [p for p in ledger.known_periods() if end is not None and p.start < end < p.end]
    return inside[0] if inside and end != commands.start else None


def _cancelled(commands: Register, ledger: Ledger, end: date | None) -> frozenset[date]:
    """The renewals that must stand cancelled: the first on or after the end, and each one known of."""
    if end is None:
        return frozenset()
    known = {p.start for p in ledger.known_periods() if end <= p.start}
    if end == commands.start:  # whether the first period is a "renewal" then is a matter of words
        return frozenset(known - {commands.start})
    return frozenset(known | {_next_renewals(commands, end)[0]})


def _next_renewals(commands: Register, end: date) -> list[date]:
    starts = (p.start for p in periods(commands.start, commands.anchor) if p.start >= end)
    return list(itertools.islice(starts, 2 if end == commands.start else 1))


def _period(told: Data) -> Period:
    return Period(date.fromisoformat(told["start"]), date.fromisoformat(told["end"]))


# --- The outcomes beside the books -------------------------------------------------------------------------------

TIMELINE = "subscription-timeline"
ACCEPTED = {"cancellation-scheduled", "cancellation-rescheduled"}
STATUSES = ACCEPTED | {"cancellation-withdrawn", "cancellation-rejected"}
CHAINED = {"period-shortened", "period-restored", "renewal-cancelled", "renewal-reinstated"}


@dataclass(frozen=True)
class Published:
    """The outcomes of one life with repeats dropped, in the order read and in the order numbered."""

    life: Life
    books: Books
    read: list[Data]
    numbered: list[Data]

    @property
    def decimals(self) -> int:
        return DECIMALS[self.life.lifecycle[0].data["currency"]]

    def consequences(self) -> Iterator[tuple[Data, str | None, str | None]]:
        """What follows from the commands, each with the end_date and the cancellation_id last published before it."""
        end_date = cancellation_id = None
        for outcome in self.numbered:
            if outcome["type"] in ACCEPTED | {"cancellation-withdrawn"}:
                end_date, cancellation_id = outcome["data"].get("end_date"), outcome["data"]["cancellation_id"]
            elif outcome["type"] not in STATUSES:
                yield outcome, end_date, cancellation_id

    def of(self, *types: str) -> list[Data]:
        return [outcome["data"] for outcome in self.numbered if outcome["type"] in types]


def check(life: Life, outcomes: Iterable[Data]) -> list[str]:
    """Every way in which the outcomes read from Kafka differ from the books, each with the seed that replays it."""
    first: dict[str, Data] = {}
    for outcome in outcomes:
        first.setdefault(outcome["id"], outcome)
    read = list(first.values())
    numbered = [o for o in read if o["type"] != TIMELINE and isinstance(o["data"].get("sequence"), int)]
    published = Published(life, keep(life), read, sorted(numbered, key=lambda o: int(o["data"]["sequence"])))
    found: list[str] = []
    for look in LOOKS:
        try:
            found.extend(look(published))
        except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as unreadable:
            name = look.__name__.strip("_")
            found.append(f"{name}: an outcome lacks a field or holds an unreadable one ({unreadable!r})")
    return [f"seed {life.seed} ({life.subscription_id}): {complaint}" for complaint in found]


def _envelopes(published: Published) -> Iterator[str]:
    life = published.life
    expected = {"tenant_id": life.tenant_id, "subscription_id": life.subscription_id, "customer_id": life.customer_id}
    for outcome in published.read:
        data, name = outcome["data"], f"{outcome['type']} #{outcome['data'].get('sequence')}"
        for key, value in expected.items():
            if data.get(key) != value:
                yield f"{name}: {key} is {data.get(key)!r}, expected {value!r}"
        if "cancellation_id" not in data or (data["cancellation_id"] is None and not _may_be_nameless(outcome)):
            yield f"{name}: it has no cancellation_id"
        if not isinstance(data.get("sequence"), int):
            yield f"{name}: it has no sequence number"


def _may_be_nameless(outcome: Data) -> bool:
    """With nothing cancelled there is no cancellation to name, unless the command refused named one."""
    return outcome["type"] == TIMELINE or bool(outcome["data"].get("code") == "not-cancelled")


def _sequences(published: Published) -> Iterator[str]:
    numbers = [o["data"]["sequence"] for o in published.numbered]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"sequence numbers are {numbers}, expected 1 to {len(numbers)} without gap or repeat"
    last: dict[str, int] = {}
    for outcome in published.read:
        topic, number = outcome["topic"], outcome["data"]["sequence"]
        if number < last.get(topic, 0) or (number == last.get(topic) and outcome["type"] != TIMELINE):
            yield f"topic {topic}: number {number} comes after {last[topic]}"
        last[topic] = number


def _verdicts(published: Published) -> Iterator[str]:
    told = published.of(*STATUSES)
    types = [o["type"] for o in published.numbered if o["type"] in STATUSES]
    seen = [f"{kind}:{data['code']}" if "code" in data else kind for kind, data in zip(types, told, strict=True)]
    wanted = [f"{v.type}:{v.code}" if v.code else v.type for v in published.books.verdicts]
    if seen != wanted:
        yield f"cancellation-status is {seen}, expected {wanted}"
        return
    for verdict, data in zip(published.books.verdicts, told, strict=True):
        yield from (f"{verdict.type} for {verdict.command.id}: {c}" for c in _verdict(verdict, data))


def _verdict(verdict: Verdict, data: Data) -> Iterator[str]:
    if verdict.code is not None:
        if data["rejected_type"] != verdict.command.type:
            yield f"rejected_type is {data['rejected_type']}, expected {verdict.command.type}"
        if not data["message"]:
            yield "it has no message"
        default = verdict.command.id if verdict.command.type == "cancellation-requested" else data["cancellation_id"]
        named = verdict.command.data.get("cancellation_id", default)
        if data["cancellation_id"] != named:
            yield f"cancellation_id is {data['cancellation_id']}, expected {named}"
        return
    assert verdict.end is not None
    newest = (verdict.end.names[0], *verdict.end.aliases)
    if data["cancellation_id"] not in newest:
        yield f"cancellation_id is {data['cancellation_id']}, expected {' or '.join(newest)}"
    if verdict.type in ACCEPTED:
        yield from _end(verdict.end, data)
        if data["settlement"] != "prorate":
            yield f"settlement is {data['settlement']}"
        if data["mode"] != verdict.command.data["end"]["mode"]:
            yield f"mode is {data['mode']}, expected {verdict.command.data['end']['mode']}"


def _end(end: End, data: Data) -> Iterator[str]:
    if data["end_date"] != end.end_date.isoformat():
        yield f"end_date is {data['end_date']}, expected {end.end_date}"
    if data["last_active_day"] != end.last_active_day.isoformat():
        yield f"last_active_day is {data['last_active_day']}, expected {end.last_active_day}"
    if "access_ends_at" in data and datetime.fromisoformat(data["access_ends_at"]) not in end.access:
        wanted = " or ".join(at.isoformat() for at in end.access)
        yield f"access_ends_at is {data['access_ends_at']}, expected {wanted}"


def _endings(published: Published) -> Iterator[str]:
    """An end is said once; these lives are told too fast for it to be said at all, but a slow machine may."""
    told = published.of("subscription-ended")
    if len(told) > 1 or (told and published.books.end is None):
        yield f"subscription-ended came {len(told)} times, the end being {published.books.end}"
    for data in told[: 1 if published.books.end else 0]:
        assert published.books.end is not None
        yield from (f"subscription-ended: {complaint}" for complaint in _end(published.books.end, data))


def _chains(published: Published) -> Iterator[str]:
    links = [
        _Link(
            outcome["data"]["sequence"],
            told,
            date.fromisoformat(end_date) if end_date and outcome["type"] != "renewal-reinstated" else None,
        )
        for outcome, end_date, _ in published.consequences()
        for told in (outcome["data"]["charges"] if outcome["type"] in CHAINED else ())
    ]
    for charge_id in sorted({link.told["charge_id"] for link in links} - published.books.accounts.keys()):
        yield f"charge {charge_id}: nobody has planned or issued it"
    for charge_id, account in published.books.accounts.items():
        chain = [link for link in links if link.told["charge_id"] == charge_id]
        taxed = [link for link in chain if "tax_after" in link.told]
        complaints = itertools.chain(
            _chain(account, "amount", chain),
            _chain(account, "tax", taxed),
            _links(published, account, published.books.charges[charge_id], chain),
        )
        yield from (f"charge {charge_id}: {complaint}" for complaint in complaints)


class _Link(NamedTuple):
    """One mention of a charge, and the end that bears on it: a renewal comes back whole and is shortened after that."""

    number: int
    told: Data
    end: date | None


def _links(published: Published, account: Account, charge: Charge, chain: list[_Link]) -> Iterator[str]:
    for link in chain:
        if (link.told["invoice_id"], link.told["state"] in {"planned", "issued"}) != (charge.invoice_id, True):
            yield f"#{link.number} has it {link.told['state']} on {link.told['invoice_id']}"
        if account.state == "voided" or (account.state == "issued" and account.billed.amount < account.full.amount):
            continue  # what is left of it on the way depends on what had been read by then
        owed = kept(charge, link.end, published.decimals)
        if (
            Decimal(link.told["amount_after"]) != owed.amount
            or Decimal(link.told.get("tax_after", owed.tax)) != owed.tax
        ):
            yield f"#{link.number} leaves {link.told['amount_after']} of it, expected {owed.amount} (tax {owed.tax})"


def _chain(account: Account, key: str, chain: list[_Link]) -> Iterator[str]:
    """Link by link from the charge's full value to what is kept of it."""
    whole, billed, owed = (getattr(money, key) for money in (account.full, account.billed, account.kept))
    # An invoice that obeyed a shortening may be read before the command that asked for it: the chain then starts lower,
    # or, where another end was in force until then, begins anew.
    obeyed = account.state == "issued" and billed < whole
    stands: Decimal | None = None
    for number, told, _ in chain:
        before = Decimal(told[f"{key}_before"])
        if stands is not None and before != stands and not (obeyed and before in {billed, whole}):
            yield f"{key}_before in #{number} is {before}, but it stood at {stands}"
        if stands is None and before != whole and not obeyed and account.state != "voided":
            yield f"the first {key}_before, in #{number}, is {before}, expected {whole}"
        stands = Decimal(told[f"{key}_after"])
    unsaid = stands is None and (key == "tax" or owed == whole or (obeyed and owed == billed))
    if stands != owed and not unsaid and account.state != "voided":
        yield f"its {key} is left at {whole if stands is None else stands}, expected {owed}"


def _adjustments(published: Published) -> Iterator[str]:
    net = dict.fromkeys(published.books.accounts, NOTHING)
    given: dict[str, str] = {}
    for data in published.of("credit-adjustment"):
        charge_id, name = data["charge_id"], data["adjustment_id"]
        money = Money(Decimal(data["amount"]), Decimal(data["tax_amount"]))
        yield from (f"adjustment {name}: {complaint}" for complaint in _adjustment(published, data, given))
        before = net.get(charge_id, NOTHING)
        net[charge_id] = before.plus(money) if data["direction"] == "credit" else before.less(money)
        given[name] = charge_id
    for charge_id, money in net.items():
        account = published.books.accounts.get(charge_id)
        wanted = account.credited if account is not None else NOTHING
        if money != wanted:
            yield (
                f"charge {charge_id}: credited {money.amount} (tax {money.tax}) in all, "
                f"expected {wanted.amount} (tax {wanted.tax})"
            )


def _adjustment(published: Published, data: Data, given: dict[str, str]) -> Iterator[str]:
    if data["adjustment_id"] in given:
        yield "the id has been used before"
    charge = published.books.charges.get(data["charge_id"])
    if charge is not None and (data["invoice_id"], data["line_id"]) != (charge.invoice_id, charge.line_id):
        yield f"it is on {data['invoice_id']} for {data['line_id']}, not {charge.invoice_id} for {charge.line_id}"
    if data["currency"] != published.life.lifecycle[0].data["currency"]:
        yield f"currency is {data['currency']}"
    for key in ("amount", "tax_amount"):
        yield from _written(key, data[key], published.decimals)
        if Decimal(data[key]) < 0:
            yield f"{key} is negative: {data[key]}"
    if data["direction"] == "credit":
        yield from _settled(published.life, data)
    elif data["direction"] != "debit":
        yield f"direction is {data['direction']}"
    reversed_id = data.get("reverses_adjustment_id")
    if reversed_id is not None and given.get(reversed_id) != data["charge_id"]:
        yield f"it reverses {reversed_id}, which is no earlier adjustment of charge {data['charge_id']}"
    if not data["calculation"]["text"]:
        yield "its calculation has no text"


def _settled(life: Life, data: Data) -> Iterator[str]:
    offset, refundable = (Decimal(data["settlement"][key]) for key in ("offset", "refundable"))
    if offset + refundable != Decimal(data["amount"]) or min(offset, refundable) < 0:
        yield f"offset {offset} and refundable {refundable} do not make {data['amount']}"
    if refundable > _paid(life, data["invoice_id"]):
        yield f"refundable is {refundable}, more than was ever paid"


def _paid(life: Life, invoice_id: str) -> Decimal:
    paid = [e.data for e in life.lifecycle if e.type == "invoice-paid"]
    return max((Decimal(p["paid_amount"]) for p in paid if p["invoice_id"] == invoice_id), default=Decimal(0))


def _written(key: str, text: object, decimals: int) -> Iterator[str]:
    """Money is written with all of its currency's decimals, so that it compares as text too."""
    if not isinstance(text, str) or text != f"{Decimal(text):.{decimals}f}":
        yield f"{key} is written {text!r}, expected a string with {decimals} decimals"


def _ties(published: Published) -> Iterator[str]:
    """Each consequence names the cancellation and the end that it follows from."""
    for outcome, end_date, cancellation_id in published.consequences():
        data, name = outcome["data"], f"{outcome['type']} #{outcome['data']['sequence']}"
        allowed = {cancellation_id, *published.books.aliases}
        if data["cancellation_id"] not in allowed:
            yield f"{name}: cancellation_id is {data['cancellation_id']}, expected {cancellation_id}"
        if outcome["type"] in {"period-shortened", "period-restored"}:
            last = str(date.fromisoformat(end_date) - DAY) if end_date else None
            if (data.get("end_date"), data.get("last_active_day")) != (end_date, last):
                yield f"{name}: it ends {data.get('end_date')} after {data.get('last_active_day')}, not {end_date}"
        if outcome["type"] in {"renewal-cancelled", "renewal-reinstated"}:
            invoices = {told["invoice_id"] for told in data["charges"]}
            if invoices and {data.get("invoice_id")} != invoices:
                yield f"{name}: invoice_id is {data.get('invoice_id')}, its charges are on {sorted(invoices)}"


def _renewals(published: Published) -> Iterator[str]:
    activated = published.life.lifecycle[0].data
    terms = register(activated)
    standing: set[date] = set()
    for outcome in published.numbered:
        if outcome["type"] not in {"renewal-cancelled", "renewal-reinstated"}:
            continue
        renewal = _period(outcome["data"]["renewal"])
        real = next(p for p in periods(terms.start, terms.anchor) if p.start >= renewal.start)
        if renewal != real:
            yield f"{outcome['type']} names {renewal.start} to {renewal.end}, which is no period of the subscription"
        (standing.add if outcome["type"] == "renewal-cancelled" else standing.discard)(renewal.start)
    books = published.books
    if missing := sorted(books.renewals - standing):
        yield f"renewals from {', '.join(map(str, missing))} should stand cancelled"
    unwanted = {d for d in standing if books.end is None or d < books.end.end_date or d not in books.conceivable}
    if unwanted:
        yield f"renewals from {', '.join(map(str, sorted(unwanted)))} should not stand cancelled"
    if books.end is not None and not standing:
        yield "no renewal stands cancelled"


def _shortenings(published: Published) -> Iterator[str]:
    standing: dict[Period, date] = {}
    for outcome in published.numbered:
        if outcome["type"] == "renewal-reinstated":  # whole, unless told otherwise after it
            standing.pop(_period(outcome["data"]["renewal"]), None)
        if outcome["type"] not in {"period-shortened", "period-restored"}:
            continue
        data, shortened = outcome["data"], outcome["type"] == "period-shortened"
        period, left = _period(data["period"]), _period(data["shortened_to" if shortened else "restored_to"])
        standing[period] = left.end
        if left.start != period.start or not period.start <= left.end <= period.end:
            yield f"#{data['sequence']} leaves {left.start} to {left.end} of {period.start} to {period.end}"
        share = (data["active"]["numerator"], data["active"]["denominator"], data["active"]["unit"])
        wanted = ((left.end - left.start).days, (period.end - period.start).days, "day")
        if share != wanted:
            yield f"#{data['sequence']}: active is {share}, expected {wanted}"
        if shortened and data["end_date"] != left.end.isoformat():
            yield f"#{data['sequence']}: it shortens to {left.end}, but names {data['end_date']} as end_date"
    end = published.books.end.end_date if published.books.end is not None else None
    for period, left_until in standing.items():
        until = period.end if end is None or end > period.end else end
        if (end is None or period.start < end) and left_until != until:
            yield f"the period from {period.start} is left ending {left_until}, expected {until}"
    if published.books.cut is not None and published.books.cut not in standing:
        yield f"the period from {published.books.cut.start} should be shortened to {end}"


def _timeline(published: Published) -> Iterator[str]:
    snapshots = [o["data"] for o in published.read if o["type"] == TIMELINE]
    if not snapshots:
        yield "timeline: none has come"
        return
    last, books = snapshots[-1], published.books
    if last["sequence"] != len(published.numbered):
        yield f"timeline: the last one reflects #{last['sequence']} of {len(published.numbered)} outcomes"
    if books.end is not None:
        yield from (f"timeline: {complaint}" for complaint in _end(books.end, last))
    elif last.get("end_date") is not None or last.get("last_active_day") is not None:
        yield f"timeline: end_date is {last.get('end_date')}, though nothing is cancelled"
    shown = {charge["charge_id"]: charge for charge in last["charges"]}
    for charge_id, account in books.accounts.items():
        if charge_id not in shown:
            yield f"timeline: charge {charge_id} is missing"
            continue
        complaints = _shown(account, shown[charge_id], published.decimals)
        yield from (f"timeline: charge {charge_id}: {complaint}" for complaint in complaints)


def _shown(account: Account, shown: Data, decimals: int) -> Iterator[str]:
    states = {"issued", "paid"} if account.state == "issued" else {account.state}
    if shown["state"] not in states:
        yield f"state is {shown['state']}, expected {account.state}"
    if shown["invoice_id"] != account.invoice_id:
        yield f"invoice_id is {shown['invoice_id']}, expected {account.invoice_id}"
    wanted = {"billed": account.billed, "kept": account.kept, "credited": account.credited}
    if account.state == "planned":
        del wanted["billed"]  # nothing is billed yet: what to show then is the timeline's own choice
    for key, money in wanted.items():
        yield from _written(key, shown[key], decimals)
        if Decimal(shown[key]) != money.amount:
            yield f"{key} is {shown[key]}, expected {money.amount}"


LOOKS: tuple[Callable[[Published], Iterator[str]], ...] = (
    _envelopes,
    _sequences,
    _verdicts,
    _endings,
    _chains,
    _adjustments,
    _ties,
    _renewals,
    _shortenings,
    _timeline,
)
