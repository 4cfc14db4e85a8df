"""Plays a story through the service's batches, one event at a time, each at its own time."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from service.batch import Batch, read
from service.domain.subscription import Subscription
from service.settings import Settings, Topics
from service.store.policies import Policies
from service.store.records import Incoming
from service.store.subscriptions import Key, Parked
from tests.stories.story import Clock, Event, Story

KEY: Key = ("default", "S1")
STRUCTURED = [("content-type", b"application/cloudevents+json")]


@dataclass
class Played:
    """The service's memory between its batches, and all that it has published."""

    story: Story
    subscription: Subscription | None = None
    due: datetime | None = None
    policies: Policies = field(default_factory=dict)
    claimed: dict[bytes, set[bytes]] = field(default_factory=dict)
    waiting: list[Parked] = field(default_factory=list)
    outcomes: list[dict[str, Any]] = field(default_factory=list)
    timeline: dict[str, Any] | None = None
    dead: int = 0

    def __post_init__(self) -> None:
        for number, step in enumerate(self.story.events):
            if isinstance(step, Clock):
                self._look_at_the_clock(self._instant(step.at))
            else:
                self._receive(step, number)

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        return [outcome for outcome in self.outcomes if outcome["type"] == kind]

    def _receive(self, event: Event, number: int) -> None:
        now = self._instant(event.seen or event.at)
        arrival = read(self._record(event, number), now)
        known = {} if arrival.key is None else {arrival.key: self.subscription}
        waiting = {KEY: self.waiting} if arrival.activates and self.subscription is None else {}
        batch = Batch(Settings(), Topics(), now, self.policies, known, deepcopy(self.claimed), waiting)
        batch.take(arrival)
        if arrival.claim is not None:
            self.claimed.setdefault(arrival.claim[0], set()).add(arrival.claim[1])
        self.waiting = [*([] if waiting else self.waiting), *batch.parked]
        for stored in batch.policies:
            known_before = self.policies.get(stored.tenant_id, ())
            self.policies[stored.tenant_id] = tuple(
                sorted((*known_before, (stored.time, stored.policy)), key=lambda timed: timed[0])
            )
            if stored.tenant_id == KEY[0] and self.due is not None:
                self.due = min(self.due, now)
        self._close(batch)

    def _look_at_the_clock(self, now: datetime) -> None:
        if self.subscription is not None and self.due is not None and self.due <= now:
            batch = Batch(Settings(), Topics(), now, self.policies)
            batch.tick(self.subscription)
            self._close(batch)
        late = [each for each in self.waiting if each.expires_at is not None and each.expires_at <= now]
        if late:
            batch = Batch(Settings(), Topics(), now, {}, {KEY: None})
            batch.expire(late)
            self.waiting = [parked for parked in self.waiting if parked not in late]
            self._close(batch)

    def _close(self, batch: Batch) -> None:
        for key in batch.undrawn:
            batch.draw(key)
        for self.subscription, self.due in batch.changed:
            pass
        for published in batch.published:
            headers = {name: (value or b"").decode() for name, value in published.headers}
            body = json.loads(published.value or b"null")
            if "dlq_reason" in headers:
                self.dead += 1
            elif headers["ce_type"] == "subscription-timeline":
                self.timeline = body
            else:
                self.outcomes.append({"type": headers["ce_type"], **body})

    def _record(self, event: Event, number: int) -> Incoming:
        lifecycle = not event.type.startswith("cancellation-")
        envelope = {
            "specversion": "1.0",
            "id": event.id or f"event-{number}",
            "source": "/billing" if lifecycle else "/self-service",
            "type": event.type,
            "time": self._instant(event.at).isoformat(),
            "data": event.data,
        }
        text = json.dumps(envelope)
        for place, adjustment in enumerate(self.of_type("credit-adjustment"), 1):
            text = text.replace(f'"adjustment {place}"', json.dumps(adjustment["adjustment_id"]))
        topic = {"cancellation-policy-set": "cancellation-policy"}.get(event.type, "cancellation-requested")
        topic = "subscription-lifecycle" if lifecycle else topic
        return Incoming(topic, 0, number, 0, b"S1", text.encode(), STRUCTURED)

    def _instant(self, at: str) -> datetime:
        instant = datetime.fromisoformat(at)
        return (instant if instant.tzinfo else instant.replace(tzinfo=ZoneInfo(self.story.zone))).astimezone(UTC)


def named(charge: dict[str, Any]) -> str:
    """A charge by its id or, where invoicing reports none, by its line and the day its period begins."""
    return str(charge["charge_id"] or f"{charge['line_id']} from {charge['period']['start']}")


def charges(played: Played) -> dict[str, str]:
    """Every charge but credits in one sentence each, by the timeline and by what was published."""
    shown = [] if played.timeline is None else played.timeline["charges"]
    return {named(each): _sentence(played, each) for each in shown if each["kind"] != "credit"}


def cancelled_renewals(played: Played) -> tuple[str, ...]:
    """The starts of the renewals that are cancelled as things stand."""
    stopped: set[str] = set()
    for outcome in played.outcomes:
        if outcome["type"] == "renewal-cancelled":
            stopped.add(outcome["renewal"]["start"])
        elif outcome["type"] == "renewal-reinstated":
            stopped.discard(outcome["renewal"]["start"])
    return tuple(sorted(stopped))


def last_told(played: Played, charge_id: str) -> str | None:
    """The amount a charge was last published to be from now on."""
    changes = [change for outcome in played.outcomes for change in outcome.get("charges", ())]
    return next((c["amount_after"] for c in reversed(changes) if c["charge_id"] == charge_id), None)


def adjusted(played: Played, charge_id: str, *path: str) -> Decimal:
    """Credits less debits of a charge: an amount, or a part of it."""
    total = Decimal()
    for outcome in played.of_type("credit-adjustment"):
        if named(outcome) == charge_id:
            value: Any = outcome
            for name in path:
                value = value[name]
            total += Decimal(value) if outcome["direction"] == "credit" else -Decimal(value)
    return total


def _sentence(played: Played, shown: dict[str, Any]) -> str:
    charge_id, state = named(shown), shown["state"]
    parts = {"planned": f"planned {shown['kept']}", "voided": "voided"}.get(state, f"{shown['kept']} kept")
    back, tax = adjusted(played, charge_id, "amount"), adjusted(played, charge_id, "tax_amount")
    if back:
        parts += f", {abs(back)} {'back' if back > 0 else 'charged on top'}"
        parts += f", {abs(tax)} of it tax" if tax else ""
        split = {name: adjusted(played, charge_id, "settlement", name) for name in ("offset", "refundable")}
        told = ", ".join(f"{amount} {name}" for name, amount in split.items() if amount)
        parts += f" ({told})" if told else ""
    if Decimal(shown["credited_by_others"]):
        parts += f", {shown['credited_by_others']} given by others"
    return parts
