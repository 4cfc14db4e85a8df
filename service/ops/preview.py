"""What each end mode would come to for one subscription, read and laid side by side; nothing is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from service import clients
from service.domain.facts import Activated, EndWish
from service.domain.money import decimal
from service.domain.periods import Period
from service.domain.policy import Rules
from service.domain.preview import Preview, PreviewedCharge, modes, preview
from service.domain.subscription import Subscription
from service.settings import Settings
from service.store import policies, subscriptions
from service.store.subscriptions import Key


@dataclass(frozen=True, slots=True)
class Previewed:
    """The previews of one subscription, each with its wish, and the agreement whose money and zone they are in."""

    key: Key
    agreement: Activated
    previews: Mapping[str, Preview]
    wishes: Mapping[str, EndWish]


async def read(settings: Settings, key: Key, day: date | None, now: datetime) -> Previewed | None:
    """Previews every end mode of a subscription, and an end on `day`; None when there is no such subscription."""
    async with (
        clients.connected(settings) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        found = await subscriptions.read(connection, key)
        rules = settings.rules((await policies.read(connection, [key[0]])).get(key[0], ()))
    return None if found is None else previewed(found, day, now, rules)


def previewed(subscription: Subscription, day: date | None, now: datetime, rules: Rules) -> Previewed:
    """Every end mode of a subscription, and an end on `day`."""
    commands = modes(day)
    return Previewed(
        key=(subscription.tenant_id, subscription.subscription_id),
        agreement=subscription.agreement,
        previews=preview(subscription, commands, now, rules),
        wishes={name: command.end for name, command in commands.items() if command.end is not None},
    )


def draw(previewed: Previewed) -> RenderableType:
    """A column for each end mode, a row for each thing that follows from it."""
    writer = _Writer(previewed.agreement)
    title = f"{previewed.key[1]} · amounts in {previewed.agreement.currency}, nothing has been asked for"
    table = Table(box=SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", header_style="bold")
    table.add_column("")
    columns = [writer.column(each) for each in previewed.previews.values()]
    for name, each in previewed.previews.items():
        table.add_column(name, justify="left" if each.refusal else "right", overflow="fold")
    for row in dict.fromkeys(name for column in columns for name in column):
        table.add_row(row, *(column.get(row, "") for column in columns))
    return table


def document(previewed: Previewed) -> dict[str, Any]:
    """The same for programs."""
    writer = _Writer(previewed.agreement)
    return {
        "tenant_id": previewed.key[0],
        "subscription_id": previewed.key[1],
        "currency": previewed.agreement.currency,
        "modes": {name: writer.fields(each) for name, each in previewed.previews.items()},
    }


class _Writer:
    """Writes previews in the money and the zone of one agreement."""

    def __init__(self, agreement: Activated) -> None:
        self._currency = agreement.currency
        self._zone = ZoneInfo(agreement.time_zone)

    def column(self, previewed: Preview) -> dict[str, str | Text]:
        """The cells of one end mode by the name of their row."""
        end = previewed.end
        if previewed.refusal is not None:
            code, message = previewed.refusal
            return {"refused": Text(code, "red"), "because": Text(message, "dim")}
        dates: dict[str, str | Text] = {}
        if end is not None:
            dates = {
                "asked for": str(end.requested_end_date),
                "earliest permitted": str(end.earliest_permitted_end_date),
                "ends": Text(str(end.end_date), "bold"),
                "last active day": str(end.last_active_day),
                "access until": f"{end.access_ends_at.astimezone(self._zone):%Y-%m-%d %H:%M:%S}",
            }
        amounts: dict[str, str | Text] = {}
        for charge in previewed.charges:
            amounts[f"{_name(charge)} kept"] = f"{self._money(charge.kept.gross)} of {self._money(charge.full.gross)}"
            amounts[f"{_name(charge)} credited"] = self._given(charge.credited.gross, charge.offset, charge.refundable)
        return {
            **dates,
            **amounts,
            "kept in all": self._money(previewed.kept.gross),
            "credited in all": Text(self._money(previewed.credited.gross), "bold"),
            "refundable in all": self._money(previewed.refundable),
            "renewals stopped": "\n".join(str(period.start) for period in previewed.renewals_stopped),
        }

    def fields(self, previewed: Preview) -> dict[str, Any]:
        """One end mode as a document."""
        end = previewed.end
        if previewed.refusal is not None:
            code, message = previewed.refusal
            return {"refusal": {"code": code, "message": message}}
        dates: dict[str, Any] = {}
        if end is not None:
            dates = {
                "requested_end_date": str(end.requested_end_date),
                "earliest_permitted_end_date": str(end.earliest_permitted_end_date),
                "end_date": str(end.end_date),
                "last_active_day": str(end.last_active_day),
                "access_ends_at": end.access_ends_at.astimezone(self._zone).isoformat(),
                "settlement": end.settlement,
            }
        return {
            **dates,
            "charges": [self._charge(charge) for charge in previewed.charges],
            "kept": self._money(previewed.kept.gross),
            "credited": self._money(previewed.credited.gross),
            "offset": self._money(previewed.offset),
            "refundable": self._money(previewed.refundable),
            "renewals_stopped": [_period(period) for period in previewed.renewals_stopped],
        }

    def _charge(self, charge: PreviewedCharge) -> dict[str, Any]:
        return {
            "charge_id": charge.charge_id,
            "invoice_id": charge.invoice_id,
            "period": None if charge.period is None else _period(charge.period),
            "amount": self._money(charge.full.gross),
            "kept": self._money(charge.kept.gross),
            "credited": self._money(charge.credited.gross),
            "offset": self._money(charge.offset),
            "refundable": self._money(charge.refundable),
        }

    def _given(self, credited: int, offset: int, refundable: int) -> str:
        if not credited:
            return "-"
        parts = ((offset, "offset"), (refundable, "refundable"))
        return "\n".join([self._money(credited), *(f"{self._money(units)} {what}" for units, what in parts if units)])

    def _money(self, units: int) -> str:
        return decimal(units, self._currency)


def _name(charge: PreviewedCharge) -> str:
    return charge.charge_id if charge.period is None else f"{charge.charge_id}, {charge.period.start}"


def _period(period: Period) -> dict[str, str]:
    return {"start": str(period.start), "end": str(period.end)}
