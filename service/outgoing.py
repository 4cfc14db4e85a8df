"""Outcomes as the records that go out, and the digest that remembers what went.

The same decision always makes the same records, byte for byte: that is why a repeat has the same id,
and how what was published can be recomputed long after it has left the outbox.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from uuid import NAMESPACE_URL, uuid5

from pydantic_core import to_json

from service.domain.decide import Decision
from service.domain.outcomes import Outcome
from service.domain.policy import Rules
from service.domain.settlement import Settlement
from service.domain.subscription import Subscription
from service.domain.timeline import timeline
from service.messages.envelope import headers
from service.messages.outcomes import OUTCOMES, Written, message, rejection, snapshot
from service.settings import Topics
from service.store.records import Outgoing
from service.store.subscriptions import Key

SNAPSHOT = "subscription-timeline"


@dataclass(frozen=True, slots=True)
class Origin:
    """What caused an outcome: `name` makes the outcome's id, the rest goes into its headers."""

    name: str
    event_id: str
    trace: tuple[tuple[str, str], ...] = ()


def event_origin(source: str, event_id: str, content: bytes, trace: tuple[tuple[str, str], ...] = ()) -> Origin:
    """An event as the cause of what was decided on it; `content` is the digest of what it says."""
    return Origin(f"{source}\n{event_id}\n{content.hex()}", event_id, trace)


def clock_origin(subscription: Subscription) -> Origin:
    """The clock as the cause of what it brought about for a subscription."""
    return Origin(f"clock\n{_key(subscription)}\n{subscription.told.sequence}", "clock")


def outcomes(topics: Topics, origin: Origin, decision: Decision, rules: Rules) -> list[Outgoing]:
    """The numbered outcomes of a decision, in order."""
    subscription = decision.subscription
    return [
        _record(
            topics,
            origin,
            _key(subscription),
            (outcome.body.type, index, outcome.time),
            message(subscription, outcome, rules),
        )
        for index, outcome in enumerate(decision.outcomes)
    ]


def refusal(topics: Topics, origin: Origin, key: Key, outcome: Outcome, rules: Rules) -> Outgoing:
    """The answer about a subscription nobody has told us of."""
    return _record(topics, origin, key, (outcome.body.type, 0, outcome.time), rejection(*key, outcome, rules))


def drawn(
    topics: Topics, subscription: Subscription, now: datetime, rules: Rules, target: Settlement | None = None
) -> Outgoing:
    """The snapshot of a subscription's timeline; `target` as for `timeline`."""
    told = snapshot(timeline(subscription, now, rules, target))
    return _record(topics, _state_origin(subscription), _key(subscription), (SNAPSHOT, 0, now), told)


def drawn_as(subscription: Subscription) -> str:
    """The id of the snapshot that shows this state."""
    return _event_id(_state_origin(subscription), SNAPSHOT, 0)


def digest(before: bytes, records: Iterable[Outgoing]) -> bytes:
    """The digest of all numbered outcomes of a subscription, from that of all before these."""
    for record in records:
        before = blake2b(before + (record.value or b"") + record.event_id.encode(), digest_size=16).digest()
    return before


def _state_origin(subscription: Subscription) -> Origin:
    """A state as the cause of its snapshot."""
    sequence, last = subscription.told.sequence, subscription.entries[-1]
    name = f"{_key(subscription)}\n{len(subscription.entries)}\n{sequence}\n{last.event_id}"
    return Origin(name, last.event_id)


def _event_id(origin: Origin, name: str, index: int) -> str:
    return str(uuid5(NAMESPACE_URL, f"{origin.name}\n{name}\n{index}"))


def _record(topics: Topics, origin: Origin, key: Key, place: tuple[str, int, datetime], written: Written) -> Outgoing:
    name, index, time = place
    attributes = headers(
        event_id=_event_id(origin, name, index),
        event_type=name,
        subject=key[1],
        time=time,
        caused_by=origin.event_id,
        trace=origin.trace,
    )
    value = to_json(written)
    return Outgoing(topics.named(OUTCOMES[name][0]), ":".join(key).encode(), value, attributes, time)


def _key(subscription: Subscription) -> Key:
    return subscription.tenant_id, subscription.subscription_id
