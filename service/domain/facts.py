"""What others tell us: facts of a subscription's life, and the commands that end it.

A command is a fact once it has been accepted. Each carries two times: `time`, when it happened
or was asked for at its source, and (in `Received`) when it reached us.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, TypeAlias

from service.domain.money import Amount
from service.domain.periods import Duration
from service.domain.policy import Language, Settlement

Kind: TypeAlias = Literal["recurring", "one-off", "usage", "credit"]
FORGOTTEN = "customer-forgotten"
"""The type under which it stands among the facts that the customer's personal data was taken out of them."""

Mode: TypeAlias = Literal["immediately", "end-of-period", "end-of-invoiced", "end-of-term", "earliest", "on-date"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the price list; `amount` is minor units per full billing period."""

    line_id: str
    amount: int
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed about ending: kept with the subscription."""

    minimum_term: Duration | None = None
    notice: Duration | None = None
    notice_to: Literal["day", "month-end", "period-end"] = "day"
    settlement: Settlement | None = None


@dataclass(frozen=True, slots=True)
class Activated:
    """The subscription exists. Dates are local to `time_zone`."""

    customer_id: str
    currency: str
    time_zone: str
    start_date: date
    interval: Duration
    anchor_day: int
    billing: Literal["in-advance", "in-arrears"]
    lines: tuple[Line, ...]
    trial_end_date: date | None = None
    terms: Terms | None = None
    language: Language | None = None


@dataclass(frozen=True, slots=True)
class Renewed:
    """A billing period has begun or been agreed."""

    start: date | datetime
    end: date | datetime


@dataclass(frozen=True, slots=True)
class PriceChanged:
    """A new price list from a date on."""

    effective_date: date
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Paused:
    """The subscription rests from a date on, until it is resumed."""

    pause_id: str
    effective_date: date
    resume_date: date | None
    effect: Literal["not-charged", "charged", "extends-period"]


@dataclass(frozen=True, slots=True)
class Resumed:
    """A pause is over from a date on."""

    pause_id: str
    effective_date: date


@dataclass(frozen=True, slots=True)
class ChargeLine:
    """One charge of an invoice, as the invoicing side states it. `start` and `end` are None for one-off charges."""

    charge_id: str
    line_id: str | None
    kind: Kind
    start: date | datetime | None
    end: date | datetime | None
    amount: Amount
    taxed: bool
    corrects_charge_id: str | None = None
    settles_adjustment_id: str | None = None


@dataclass(frozen=True, slots=True)
class InvoiceStated:
    """An invoice was planned or issued; issuing repeats the planned charges under the same ids."""

    invoice_id: str
    state: Literal["planned", "issued"]
    charges: tuple[ChargeLine, ...]


@dataclass(frozen=True, slots=True)
class InvoicePaid:
    """How much of an invoice has been paid so far, in total, in minor units."""

    invoice_id: str
    paid: int


@dataclass(frozen=True, slots=True)
class InvoiceVoided:
    """An invoice counts for nothing any more."""

    invoice_id: str


Fact: TypeAlias = Activated | Renewed | PriceChanged | Paused | Resumed | InvoiceStated | InvoicePaid | InvoiceVoided


@dataclass(frozen=True, slots=True)
class EndWish:
    """When the customer wants the subscription to end; `on-date` comes with one of the last three."""

    mode: Mode
    end_date: date | None = None
    last_active_day: date | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Override:
    """Who set the agreement's terms aside for a request, and why."""

    by: str
    why: str


@dataclass(frozen=True, slots=True)
class Command:
    """What the customer asks for; it becomes a fact when it is accepted.

    `request` sets the end (or moves it, when one is in force), `move` moves it, `revoke` takes it
    back. A request always has an id; the other two may name the one they mean, and mean the
    cancellation in force when they do not. Only `revoke` is without an `end`. A request that names
    lines ends those only.
    """

    action: Literal["request", "move", "revoke"]
    cancellation_id: str | None
    end: EndWish | None
    lines: tuple[str, ...] = ()
    settlement: Settlement | None = None
    override: Override | None = None
    requested_by: str | None = None
    reason_code: str | None = None
    reason_comment: str | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """An input as it reached us.

    `(source, event_id)` names it for ever, `type` is its name on the wire, `time` is when it
    happened at its source and `recorded_at` when we took it in; both aware.
    """

    source: str
    event_id: str
    type: str
    time: datetime
    recorded_at: datetime
    body: Fact | Command
