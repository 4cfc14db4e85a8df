"""Random lives of subscriptions, as the events that a billing side and a customer would send of them.

A seed always gives the same life. The invoicing side is a fair one: it plans, issues in full or obeys what has been
shortened by then, is paid or not, voids, credits on its own, and hears of an end late. What it sends never depends
on how the two topics interleave, so that every order of arrival must end in the same books.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from tests.books import DECIMALS, Charge, End, Money, Period, Register, half_up, kept, periods, register

LIFECYCLE = "subscription-lifecycle"
REQUESTED = "cancellation-requested"
ZONES = ("Europe/Copenhagen", "America/New_York", "Asia/Tokyo", "Pacific/Apia", "America/Santiago")
TAXES = (None, None, Fraction(1, 4), Fraction(1, 5), Fraction(1, 10))
HORIZON = datetime(2026, 10, 20, tzinfo=UTC)
Data = dict[str, Any]
_Command = tuple[str, datetime, Data]


@dataclass(frozen=True)
class Event:
    """One CloudEvent before it is put on the wire."""

    topic: str
    type: str
    id: str
    source: str
    time: str
    data: Data


@dataclass(frozen=True)
class Life:
    """All that happens to one subscription; each list is in the order in which its topic is written."""

    seed: int
    tenant_id: str
    subscription_id: str
    customer_id: str
    lifecycle: list[Event]
    commands: list[Event]


def life(seed: int) -> Life:
    """The life that the seed stands for."""
    return _Author(seed).write()


@dataclass(frozen=True)
class _Line:
    line_id: str
    price: Decimal


class _Author:
    """Draws a life from one seed: first the commands, then what the invoicing side does knowing them."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)  # noqa: S311 - a life is to be repeatable, not secret
        self.zone = ZoneInfo(self.random.choice(ZONES))
        self.currency = self.random.choice(list(DECIMALS))
        self.decimals = DECIMALS[self.currency]
        self.tax = self.random.choice(TAXES)
        self.tenant = self.random.choice((None, None, "acme", "nordlys"))
        self.subscription_id = f"life-{seed}"
        self.customer_id = f"customer-{seed % 97}"
        self.lines = [_Line(f"line-{n}", self._price()) for n in range(1, self.random.choice((1, 1, 2, 3)) + 1)]
        self.start, self.anchor = self._first_day()
        self.billed = self._billed_periods()
        self.numbers = {kind: itertools.count(1) for kind in ("invoice", "charge", "cancellation", REQUESTED)}
        self.past: list[tuple[datetime, int, str, Data]] = []
        self.commands: list[Event] = []
        self.ends: list[tuple[datetime, End | None]] = []
        self.more = False

    def write(self) -> Life:
        """The whole life, both topics."""
        activated = self._activated()
        terms = register(activated)
        moments = self._moments()
        for at in moments:
            self.more = at != moments[-1]
            command = self._command(terms, at)
            verdict = terms.take(command)
            self.commands.append(command)
            if verdict is not None and verdict.code is None:
                self.ends.append((at, terms.end))
            if terms.end is not None and len(terms.end.access) > 1:
                break  # which instant access ended at is open, so nothing may depend on it
        self._bill()
        told = sorted(self.past, key=lambda fact: fact[:2])
        lifecycle = [self._event(LIFECYCLE, "subscription-activated", 1, self._activation(), activated)]
        lifecycle += [self._event(LIFECYCLE, kind, n, at, data) for n, (at, _, kind, data) in enumerate(told, 2)]
        tenant = self.tenant or "default"
        return Life(self.seed, tenant, self.subscription_id, self.customer_id, lifecycle, self.commands)

    # What the subscription is.

    def _price(self) -> Decimal:
        units = self.random.choice((0, *([None] * 40)))
        if units is None:
            units = self.random.randint(300, 90_000) if self.decimals == 0 else self.random.randint(1_000, 900_000)
        return Decimal(units).scaleb(-self.decimals)

    def _first_day(self) -> tuple[date, int]:
        start = date(2024, 9, 1) + timedelta(days=self.random.randint(0, 710))
        return start, self.random.choice((start.day, self.random.randint(1, 31), self.random.choice((28, 29, 30, 31))))

    def _billed_periods(self) -> list[Period]:
        """The months that the invoicing side bills; the earlier months of an old subscription go untold."""
        untold = 0 if self.random.random() < 0.8 else self.random.choice((1, 2, 5, 12, 13, 14, 15, 18))
        if self.start + timedelta(days=31 * untold) > HORIZON.date() - timedelta(days=60):
            untold = 0
        count = self.random.choice((1, 2, 3, 3, 4, 5, 6))
        return list(itertools.islice(periods(self.start, self.anchor), untold, untold + count))

    def _activated(self) -> Data:
        data: Data = {
            "subscription_id": self.subscription_id,
            "customer_id": self.customer_id,
            "currency": self.currency,
            "time_zone": self.zone.key,
            "start_date": self.start.isoformat(),
            "interval": "P1M",
            "billing": "in-advance",
            "lines": [{"line_id": line.line_id, "amount": str(line.price)} for line in self.lines],
        }
        if self.anchor != self.start.day or self.random.random() < 0.5:
            data["anchor_day"] = self.anchor
        return self._of_tenant(data)

    def _of_tenant(self, data: Data) -> Data:
        return {"tenant_id": self.tenant, **data} if self.tenant is not None else data

    def _event(self, topic: str, kind: str, number: int, at: datetime, data: Data) -> Event:
        """The two sources number their events alike, for only source and id together name an event."""
        source = "/billing" if topic == LIFECYCLE else "/self-service"
        return Event(topic, kind, f"{self.subscription_id}-{number}", source, at.isoformat(), data)

    def _at(self, day: date, *, seconds: int | None = None) -> datetime:
        """An instant of that day in the subscription's zone, by chance unless told."""
        wall = datetime.combine(day, time(), self.zone).astimezone(UTC)
        chosen = self.random.randrange(79_200) if seconds is None else seconds
        return (wall + timedelta(seconds=chosen)).astimezone(self.zone)

    def _activation(self) -> datetime:
        return self._at(self.start - timedelta(days=25), seconds=0)

    # What the customer asks for.

    def _moments(self) -> list[datetime]:
        first, last = self.start - timedelta(days=8), self.billed[-1].start + timedelta(days=45)
        wanted = self.random.choices(range(5), weights=(1, 4, 4, 3, 2))[0]
        if self.random.random() < 0.6:  # one conversation rather than a lifetime's
            first += timedelta(days=self.random.randrange((last - first).days - 10))
            last = min(last, first + timedelta(days=self.random.choice((4, 20, 50))))
        days = [first + timedelta(days=self.random.randrange((last - first).days)) for _ in range(wanted)]
        moments = {self._at(day) for day in days}
        if self.random.random() < 0.2:
            moments = {at + timedelta(milliseconds=self.random.randrange(1000)) for at in moments}
        return sorted(at for at in moments if at < HORIZON)

    def _command(self, terms: Register, at: datetime) -> Event:
        if terms.end is None:
            draws = {self._requested: 84, self._revoked: 6, self._moved: 4, self._belated: 6}
        else:
            draws = {
                self._moved: 34,
                self._revoked: 20,
                self._requested: 14,
                self._again: 8,
                self._conflicting: 8,
                self._belated: 7,
                self._misnamed: 5,
                self._confirmed: 4,
            }
        draw = self.random.choices(list(draws), list(draws.values()))[0]
        kind, at, data = draw(terms, at)
        whole = self._of_tenant({"subscription_id": self.subscription_id, **data})
        return self._event(REQUESTED, kind, next(self.numbers[REQUESTED]), at, whole)

    def _requested(self, _: Register, at: datetime) -> _Command:
        data: Data = {"end": self._end(at)}
        if self.random.random() < 0.6:
            data["cancellation_id"] = f"CAN-{next(self.numbers['cancellation'])}"
        if self.random.random() < 0.3:
            data |= {"requested_by": "customer", "reason": {"code": "too-expensive"}}
        if self.random.random() < 0.1:
            data["settlement"] = "prorate"
        return "cancellation-requested", at, data

    def _moved(self, terms: Register, at: datetime) -> _Command:
        return "cancellation-moved", at, {"end": self._end(at), **self._named(terms)}

    def _revoked(self, terms: Register, at: datetime) -> _Command:
        return "cancellation-revoked", at, self._named(terms)

    def _named(self, terms: Register) -> Data:
        """A move or revoke may name any cancellation that led to the end in force, or none."""
        if terms.end is None or self.random.random() < 0.4:
            return {}
        return {"cancellation_id": self.random.choice(terms.end.names)}

    def _again(self, terms: Register, at: datetime) -> _Command:
        """The same request once more, as a customer's second click."""
        if terms.asked is None or "cancellation_id" not in terms.asked:
            return self._moved(terms, at)
        return "cancellation-requested", at, terms.asked

    def _conflicting(self, terms: Register, at: datetime) -> _Command:
        """Another end under an id already taken."""
        if terms.end is None or terms.asked is None:
            return self._moved(terms, at)
        other = terms.end.end_date + timedelta(days=self.random.randint(1, 40))
        end = {"mode": "on-date", "date": other.isoformat()}
        return "cancellation-requested", at, {"cancellation_id": terms.end.names[0], "end": end}

    def _belated(self, terms: Register, at: datetime) -> _Command:
        """What was asked before the last thing asked, and arrives after it."""
        if terms.latest is None:
            return self._requested(terms, at)
        earlier = terms.latest - timedelta(seconds=self.random.choice((1, 3_600, 90_000, 900_000)))
        return self.random.choice((self._requested, self._moved, self._revoked))(terms, earlier)

    def _misnamed(self, terms: Register, at: datetime) -> _Command:
        kind, at, data = self.random.choice((self._moved, self._revoked))(terms, at)
        return kind, at, {**data, "cancellation_id": "CAN-of-another"}

    def _confirmed(self, terms: Register, at: datetime) -> _Command:
        """The end already in force, asked for in other words."""
        kind, at, data = self.random.choice((self._moved, self._requested))(terms, at)
        if terms.end is not None:
            data["end"] = {"mode": "on-date", "last_active_day": terms.end.last_active_day.isoformat()}
        return kind, at, data

    def _end(self, at: datetime) -> Data:
        weights = (2, 25, 73) if self.more else (12, 22, 66)  # an end at once leaves nothing more to say
        mode = self.random.choices(("immediately", "end-of-period", "on-date"), weights)[0]
        if mode == "immediately" and at.date() < self.start and self.ends:
            mode = "end-of-period"  # at once and not begun: whether that moves an end is a matter of taste
        if mode != "on-date":
            return {"mode": mode}
        day = self._day(at.date())
        if self.random.random() < 0.5:
            return {"mode": mode, "date": day.isoformat()}
        return {"mode": mode, "last_active_day": (day - timedelta(days=1)).isoformat()}

    def _day(self, today: date) -> date:
        """Any day a customer may name, the edges more often than chance would."""
        old = 60 if today - self.start > timedelta(days=366) else 1
        weights = (50, 18, 20, 4, 2, 3, old) if self.more else (36, 14, 12, 22, 6, 5, old)
        pick = self.random.choices(range(7), weights)[0]
        if pick == 1:  # as a period begins
            later = (p.start for p in periods(self.start, self.anchor) if p.start > today)
            return next(itertools.islice(later, self.random.randrange(3), None))
        edges = {4: (0, 1), 5: ((self.start - today).days, (self.start - today).days - 1), 6: (-366, -367, -420)}
        spans = {0: (1, 60), 2: (61, 400), 3: (-60, -1)}
        days = self.random.choice(edges[pick]) if pick in edges else self.random.randint(*spans[pick])
        return today + timedelta(days=days)

    # What the invoicing side does about it.

    def _bill(self) -> None:
        for period in self.billed:
            self._bill_period(period)
        if self.random.random() < 0.6:
            following = next(p for p in periods(self.start, self.anchor) if p.start >= self.billed[-1].end)
            for period in [*self.billed[1:], following]:
                self._renew(period)
        if self.random.random() < 0.08:
            fee = self._charge({"kind": "one-off"}, self._price())
            self._tell("invoice-issued", self._at(self.billed[0].start), self._number("INV"), charges=[fee])

    def _renew(self, period: Period) -> None:
        late = self.random.choice((0, 0, 0, 0, 1, 9, 30))
        at = self._at(period.start + timedelta(days=late), seconds=self.random.randrange(3_600))
        if not self._is_over(period, at) or self.random.random() < 0.35:
            self._tell("subscription-renewed", at, period=_told(period))

    def _bill_period(self, period: Period) -> None:
        charges, invoice = self._drawn_up(period), self._number("INV")
        earliest = self._activation() + timedelta(minutes=1)
        planned_at = max(self._at(period.start - timedelta(days=self.random.randint(2, 24))), earliest)
        planned = self.random.random() < 0.75 and self._heedless(period, planned_at)
        if planned:
            self._tell("invoice-planned", planned_at, invoice, charges=charges)
        late = self.random.choice((-1, 0, 0, 1, 3, 3, 12, 40))
        issued_at = max(self._at(period.start + timedelta(days=late)), planned_at + timedelta(minutes=1))
        if self.random.random() < 0.15 or not (planned or self._heedless(period, issued_at)):
            return
        if planned and self.random.random() < 0.6:
            charges = [self._obeyed(charge, issued_at) for charge in charges]
        if not any(Decimal(charge["amount"]) for charge in charges) and self.random.random() < 0.8:
            if self.random.random() < 0.2:
                self._tell("invoice-voided", issued_at, invoice)
            return
        if self._tell("invoice-issued", issued_at, invoice, charges=charges):
            self._follow_up(invoice, charges, issued_at, period)

    def _drawn_up(self, period: Period) -> list[Data]:
        whole = (period.end - period.start).days
        part = Fraction(whole, 31) if whole < 28 else Fraction(1)
        charges = []
        for line in self.lines:
            told = {"line_id": line.line_id, "period": _told(period)}
            told |= {"kind": "recurring"} if self.random.random() < 0.5 else {}
            charges.append(self._charge(told, half_up(line.price, part, self.decimals)))
        if self.random.random() < 0.1:
            charges.append(self._charge({"kind": "one-off"}, self._price()))
        if self.random.random() < 0.1:
            used = self.random.choice((period, Period(period.start - timedelta(days=30), period.start)))
            charges.append(self._charge({"kind": "usage", "period": _told(used)}, self._price()))
        return charges

    def _charge(self, told: Data, amount: Decimal) -> Data:
        charge = {"charge_id": self._number("C"), **told, "amount": str(amount)}
        if self.tax is not None:
            charge["tax_amount"] = str(half_up(amount, self.tax / (1 + self.tax), self.decimals))
        return charge

    def _obeyed(self, charge: Data, at: datetime) -> Data:
        """The charge as the shortening published by then leaves it."""
        if charge.get("kind", "recurring") != "recurring":
            return charge
        period = Period(*(date.fromisoformat(charge["period"][key]) for key in ("start", "end")))
        full = Money(Decimal(charge["amount"]), Decimal(charge.get("tax_amount", 0)))
        owed = kept(Charge("", "recurring", period, full), self._end_at(at), self.decimals)
        tax = {"tax_amount": str(owed.tax)} if "tax_amount" in charge else {}
        return {**charge, "amount": str(owed.amount), **tax}

    def _end_at(self, at: datetime) -> date | None:
        known = [end for asked, end in self.ends if asked < at]
        return known[-1].end_date if known and known[-1] is not None else None

    def _is_over(self, period: Period, at: datetime) -> bool:
        end = self._end_at(at)
        return end is not None and end <= period.start

    def _heedless(self, period: Period, at: datetime) -> bool:
        """Whether the invoicing side goes on with the period, which it may even when the end has passed it by."""
        return not self._is_over(period, at) or self.random.random() < 0.45

    def _follow_up(self, invoice: str, charges: list[Data], issued_at: datetime, period: Period) -> None:
        paid_at = self._pay(invoice, charges, issued_at)
        if self.random.random() < 0.12:
            self._credit(self.random.choice(charges), paid_at)
        if self.random.random() < 0.07:
            voided_at = self._later(paid_at)
            if self._tell("invoice-voided", voided_at, invoice) and self.random.random() < 0.5:
                anew = self._drawn_up(period)
                self._tell("invoice-issued", voided_at + timedelta(minutes=5), self._number("INV"), charges=anew)

    def _pay(self, invoice: str, charges: list[Data], issued_at: datetime) -> datetime:
        """Pays the whole, some or nothing; the instant of the last payment."""
        total = sum((Decimal(charge["amount"]) for charge in charges), Decimal(0))
        some = half_up(total, Fraction(self.random.randint(1, 9), 10), self.decimals)
        at = issued_at
        for paid in self.random.choice(((total,), (total,), (total,), (some,), (some, total), (), ())):
            at = self._later(at)
            self._tell("invoice-paid", at, invoice, paid_amount=str(paid))
        return at

    def _credit(self, charge: Data, after: datetime) -> None:
        """Others give something back of their own accord, and now and then think better of it."""
        part = self.random.choice((Fraction(1), *(Fraction(tenths, 10) for tenths in range(1, 6))))
        money = Money(Decimal(charge["amount"]), Decimal(charge.get("tax_amount", 0))).share(part, self.decimals)
        if not money.amount:
            return
        told = {"charge_id": self._number("C"), "kind": "credit", "corrects_charge_id": charge["charge_id"]}
        told |= {key: charge[key] for key in ("line_id", "period") if key in charge}
        told |= {"amount": str(money.amount)} | ({"tax_amount": str(money.tax)} if "tax_amount" in charge else {})
        note, at = self._number("CN"), self._later(after)
        if self._tell("invoice-issued", at, note, charges=[told]) and self.random.random() < 0.1:
            self._tell("invoice-voided", self._later(at), note)

    def _number(self, prefix: str) -> str:
        """Numbers of one subscription's own, so that others have the same."""
        return f"{prefix}-{next(self.numbers['charge' if prefix == 'C' else 'invoice'])}"

    def _later(self, at: datetime) -> datetime:
        later = at.astimezone(UTC) + timedelta(minutes=self.random.randint(10, 30_000))
        return later.astimezone(self.zone)

    def _tell(self, kind: str, at: datetime, invoice: str | None = None, **data: object) -> bool:
        """Writes the event down, unless it lies past the time that lives are told until."""
        if at >= HORIZON:
            return False
        named = {"invoice_id": invoice} if invoice is not None else {}
        whole = self._of_tenant({"subscription_id": self.subscription_id, **named, **data})
        self.past.append((at, len(self.past), kind, whole))
        return True


def _told(period: Period) -> Data:
    return {"start": period.start.isoformat(), "end": period.end.isoformat()}
