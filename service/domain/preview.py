"""What cancellations would come to that nobody has asked for: the same rule on today's facts, wish by wish.

Each wish is decided as if it were received now, and its outcomes are read off. Values only: the
subscription stays as it is, and nothing of it is published.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from service.domain.decide import Decision, decide
from service.domain.difference import calculation
from service.domain.ends import End
from service.domain.facts import Command, EndWish, Mode, Received
from service.domain.money import ZERO, Amount
from service.domain.outcomes import Adjusted, RefusalCode, Rejected, RenewalChanged, StatusChanged
from service.domain.periods import Period, local_date
from service.domain.policy import Language, Rules
from service.domain.settlement import Settled, Settlement, divisible, settle
from service.domain.subscription import Calculation, Subscription

DATELESS: tuple[Mode, ...] = ("immediately", "end-of-period", "end-of-invoiced", "end-of-term", "earliest")
"""The end modes that need no date."""

_NOBODY = "\0"
"""No id on the wire holds this character, so that no request can have the id of a wish."""


@dataclass(frozen=True, slots=True)
class PreviewedCharge:
    """What would become of a charge: `credited` is what the request would give back of it, negative takes back.

    Offset and refundable are the parts of the credited gross amount, with its sign. The calculation says how it
    would come to what is kept.
    """

    charge_id: str
    invoice_id: str
    period: Period | None
    full: Amount
    kept: Amount
    credited: Amount
    offset: int
    refundable: int
    calculation: Calculation


@dataclass(frozen=True, slots=True)
class Preview:
    """What a wish would come to: a refusal with its code and reason, or an end and what follows from it."""

    refusal: tuple[RefusalCode, str] | None = None
    end: End | None = None
    charges: tuple[PreviewedCharge, ...] = ()
    renewals_stopped: tuple[Period, ...] = ()

    @property
    def kept(self) -> Amount:
        """What is kept of the charges shown, in all."""
        return sum((charge.kept for charge in self.charges), ZERO)

    @property
    def credited(self) -> Amount:
        """What is given back, in all; negative takes back."""
        return sum((charge.credited for charge in self.charges), ZERO)

    @property
    def offset(self) -> int:
        """How much of it comes off an open balance."""
        return sum(charge.offset for charge in self.charges)

    @property
    def refundable(self) -> int:
        """How much of it can be refunded."""
        return sum(charge.refundable for charge in self.charges)


def modes(day: date | None = None) -> dict[str, Command]:
    """A plain request for every end mode, by its name; with a day also one for that end date."""
    wishes = {mode: EndWish(mode) for mode in DATELESS}
    if day is not None:
        wishes["on-date"] = EndWish("on-date", end_date=day)
    return {name: Command("request", f"{_NOBODY}{name}", wish) for name, wish in wishes.items()}


def preview(
    subscription: Subscription, wishes: Mapping[str, Command], now: datetime, rules: Rules
) -> dict[str, Preview]:
    """What each wish would come to, by its name.

    All show the same charges, so that they can be laid side by side: those for time from now on, and
    those that any of the wishes would change.
    """
    decisions = {name: decide(subscription, _asked(name, wish, now), rules) for name, wish in wishes.items()}
    targets = {name: settle(decision.subscription, now, rules) for name, decision in decisions.items()}
    shown = {
        charge_id
        for name, decision in decisions.items()
        for charge_id, settled in targets[name].charges.items()
        if _concerned(settled, _adjusted(decision, charge_id), local_date(now, subscription.agreement.time_zone))
    }
    language = subscription.agreement.language or rules.at(now).language
    return {name: _preview(decision, targets[name], shown, language) for name, decision in decisions.items()}


def _asked(name: str, wish: Command, now: datetime) -> Received:
    return Received("preview", f"{_NOBODY}{name}", "cancellation-requested", now, now, wish)


def _concerned(settled: Settled, adjusted: list[Adjusted], today: date) -> bool:
    """Whether a charge has to do with an end from today on, or is changed by this one."""
    window = settled.charge.window
    ahead = divisible(settled.charge) and window is not None and window.end > today
    return ahead or settled.kept != settled.full or bool(adjusted)


def _preview(decision: Decision, target: Settlement, shown: Iterable[str], language: Language) -> Preview:
    bodies = [outcome.body for outcome in decision.outcomes]
    refused = next((body for body in bodies if isinstance(body, Rejected)), None)
    if refused is not None:
        return Preview(refusal=(refused.code, refused.message))
    charges = [settled for charge_id, settled in target.charges.items() if charge_id in shown]
    return Preview(
        end=next((body.end for body in bodies if isinstance(body, StatusChanged)), target.end),
        charges=tuple(_charge(settled, _adjusted(decision, settled.charge.charge_id), language) for settled in charges),
        renewals_stopped=_stopped(decision),
    )


def _charge(settled: Settled, adjusted: list[Adjusted], language: Language) -> PreviewedCharge:
    return PreviewedCharge(
        charge_id=settled.charge.charge_id,
        invoice_id=settled.charge.invoice_id,
        period=settled.charge.window,
        full=settled.full,
        kept=settled.kept,
        credited=sum((body.adjustment.amount for body in adjusted), ZERO),
        offset=sum(body.adjustment.offset for body in adjusted),
        refundable=sum(body.adjustment.refundable for body in adjusted),
        calculation=calculation(settled, 0, language),
    )


def _adjusted(decision: Decision, charge_id: str) -> list[Adjusted]:
    """The adjustments of a charge that the decision would publish."""
    bodies = (outcome.body for outcome in decision.outcomes)
    return [body for body in bodies if isinstance(body, Adjusted) and body.adjustment.charge_id == charge_id]


def _stopped(decision: Decision) -> tuple[Period, ...]:
    """The renewals that the decision would cancel, those without an invoice too, each once."""
    bodies = (outcome.body for outcome in decision.outcomes)
    stopped = {body.renewal for body in bodies if isinstance(body, RenewalChanged) and body.type == "renewal-cancelled"}
    return tuple(sorted(stopped))
