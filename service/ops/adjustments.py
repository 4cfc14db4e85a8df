"""Adjustments that invoicing has not carried out yet, the oldest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table

from service import clients
from service.domain.money import decimal
from service.domain.subscription import Adjustment, Subscription
from service.settings import Settings
from service.store import subscriptions
from service.store.subscriptions import Key

_HOURS, _MINUTES = timedelta(hours=1), timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class OpenAdjustment:
    """One of them, with whose it is and how long it has been waiting."""

    key: Key
    customer_id: str
    currency: str
    adjustment: Adjustment
    age: timedelta

    @property
    def direction(self) -> str:
        """Whether it gives back or takes back; one that moves nothing but tax goes by its tax."""
        amount = self.adjustment.amount
        return "credit" if (amount.gross, amount.tax) > (0, 0) else "debit"

    @property
    def amount(self) -> str:
        """The gross amount, without a sign."""
        return decimal(abs(self.adjustment.amount.gross), self.currency)


async def read(
    settings: Settings, tenant: str | None, older_than: timedelta, limit: int, now: datetime
) -> list[OpenAdjustment]:
    """The oldest open adjustments of at least that age, of one tenant or of all."""
    async with clients.connected(settings) as connection:
        found = await subscriptions.with_open_adjustments(connection, now - older_than, tenant, limit)
    waiting = [each for subscription in found for each in _of(subscription, now) if each.age >= older_than]
    return sorted(waiting, key=lambda each: (-each.age, each.key, each.adjustment.sequence))[:limit]


def draw(waiting: Sequence[OpenAdjustment], limit: int) -> RenderableType:
    """A row for each."""
    if not waiting:
        return "No adjustment is open."
    table = Table(box=SIMPLE_HEAD, header_style="bold")
    for name in ("age", "tenant", "subscription", "customer", "", "amount", "invoice", "charge", "adjustment"):
        table.add_column(name, justify="right" if name in {"age", "amount"} else "left", overflow="fold")
    for each in waiting:
        given = each.adjustment
        charged = (given.invoice_id or "-", given.charge_id)
        amount = f"{each.amount} {each.currency}"
        row = (_age(each.age), *each.key, each.customer_id, each.direction, amount, *charged, given.adjustment_id)
        table.add_row(*row)
    if len(waiting) == limit:
        table.caption = f"the oldest {limit}; --limit shows more"
    return table


def document(waiting: Sequence[OpenAdjustment]) -> list[dict[str, Any]]:
    """The same for programs."""
    return [
        {
            "tenant_id": each.key[0],
            "subscription_id": each.key[1],
            "customer_id": each.customer_id,
            "adjustment_id": each.adjustment.adjustment_id,
            "direction": each.direction,
            "amount": each.amount,
            "tax_amount": decimal(abs(each.adjustment.amount.tax), each.currency),
            "currency": each.currency,
            "invoice_id": each.adjustment.invoice_id or None,
            "charge_id": each.adjustment.charge_id if each.adjustment.invoice_id else None,
            "decided_at": each.adjustment.decided_at.isoformat(),
            "age_seconds": int(each.age.total_seconds()),
        }
        for each in waiting
    ]


def _of(subscription: Subscription, now: datetime) -> Iterator[OpenAdjustment]:
    key, agreement = (subscription.tenant_id, subscription.subscription_id), subscription.agreement
    for adjustment in subscription.open_adjustments:
        yield OpenAdjustment(key, agreement.customer_id, agreement.currency, adjustment, now - adjustment.decided_at)


def _age(age: timedelta) -> str:
    """How long, in the largest unit that says something."""
    if age.days:
        return f"{age.days} d"
    return f"{age // _HOURS} h" if age >= _HOURS else f"{age // _MINUTES} min"
