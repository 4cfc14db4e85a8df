"""One batch of decisions in memory: what the transaction has read goes in, what it is to write comes out.

Each arrival has exactly one of five fates: decided (a refusal is a decision too), a repeat, parked
until its subscription is activated, or set aside as a dead letter with the reason. Nothing here
touches Kafka or Postgres.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from service.domain.decide import (
    ContradictingFactError,
    Decision,
    activate,
    conflicting,
    decide,
    due_at,
    tick,
    unheard_of,
)
from service.domain.facts import Activated, Command, Fact, Received
from service.domain.policy import Rules
from service.domain.subscription import Subscription
from service.messages.envelope import Envelope, UnreadableError, decode
from service.messages.inputs import CancellationCommand, CancellationPolicySet, Input, SubscriptionActivated
from service.outgoing import Origin, clock_origin, digest, drawn, event_origin, outcomes, refusal
from service.settings import Settings, Topics
from service.store.inbox import event_key
from service.store.policies import Policies, StoredPolicy
from service.store.records import Incoming, Outgoing
from service.store.subscriptions import Key, Parked, StoredFact

log = structlog.get_logger(__name__)

CLOCK = "clock"
"""The type under which what the clock brought about stands among the facts."""

_PUT_OFF = timedelta(minutes=10)
"""How long a subscription whose tick fails is left alone."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record as it was read: an event, or the reason why it is none."""

    record: Incoming
    recorded_at: datetime
    event: Envelope | UnreadableError

    @property
    def key(self) -> Key | None:
        """The subscription it is about; a policy is about none."""
        if isinstance(self.event, Envelope) and isinstance(self.event.data, Input):
            return self.event.data.tenant_id, self.event.data.subscription_id
        return None

    @property
    def tenant(self) -> str | None:
        """The tenant it is about."""
        return self.event.data.tenant_id if isinstance(self.event, Envelope) else None

    @property
    def claim(self) -> tuple[bytes, bytes] | None:
        """Who it is and what it says, for the inbox."""
        return (
            (event_key(self.event.source, self.event.id), self.event.content)
            if isinstance(self.event, Envelope)
            else None
        )

    @property
    def activates(self) -> bool:
        """Whether a subscription begins with it."""
        return isinstance(self.event, Envelope) and isinstance(self.event.data, SubscriptionActivated)


def read(record: Incoming, now: datetime) -> Arrival:
    """Reads a record; never fails."""
    try:
        return Arrival(record, now, decode(record))
    except UnreadableError as error:
        return Arrival(record, now, error)


class Batch:
    """Decisions in the order of arrival, and all that is to be written for them.

    `known` are the locked subscriptions, `claimed` the contents under which each event was taken in
    before, `waiting` the records that a subscription activated in this batch has been waited for with,
    `digests` what remembers all that has been published.
    """

    def __init__(  # noqa: PLR0913, PLR0917  what the transaction has read
        self,
        settings: Settings,
        topics: Topics,
        now: datetime,
        policies: Policies,
        known: Mapping[Key, Subscription | None] | None = None,
        claimed: Mapping[bytes, set[bytes]] | None = None,
        waiting: Mapping[Key, list[Parked]] | None = None,
        digests: Mapping[Key, bytes] | None = None,
    ) -> None:
        self.now = now
        self.published: list[Outgoing] = []
        self.facts: list[StoredFact] = []
        self.policies: list[StoredPolicy] = []
        self.digests = dict(digests or {})
        self._policies = dict(policies)
        self._settings, self._topics = settings, topics
        self._known = dict(known or {})
        self._seen = dict(claimed or {})
        self._waiting = {key: list(records) for key, records in (waiting or {}).items()}
        self._changed: dict[Key, tuple[Subscription, datetime | None]] = {}

    @property
    def changed(self) -> list[tuple[Subscription, datetime | None]]:
        """The subscriptions to write back, each with the instant it is next due."""
        return list(self._changed.values())

    @property
    def parked(self) -> list[Parked]:
        """The records that go on waiting."""
        return [parked for records in self._waiting.values() for parked in records]

    def take(self, arrival: Arrival) -> None:
        """Takes one arrival to its fate."""
        event, key = arrival.event, arrival.key
        if isinstance(event, UnreadableError):
            self._set_aside(arrival.record, event)
            return
        contents = self._seen.setdefault(event_key(event.source, event.id), set())
        if event.content in contents:
            return
        conflict = bool(contents)
        contents.add(event.content)
        answered = key is not None and self._known[key] is not None and isinstance(event.data, CancellationCommand)
        if conflict and not answered:
            known_as = f"event {event.id} of {event.source} was received before with other content"
            self._set_aside(arrival.record, UnreadableError("conflicting-content", known_as))
        elif isinstance(event.data, CancellationPolicySet) or key is None:
            self._set_policy(event)
        elif self._known[key] is None and not arrival.activates:
            self._park(arrival.record, key)
        else:
            self._decide(arrival.record, event, event.data, key, conflict=conflict)
            for parked in self._waiting.pop(key, []) if self._known[key] is not None else []:
                self._unpark(parked)

    def tick(self, subscription: Subscription) -> None:
        """What the clock brings about for a subscription that is due."""
        key = (subscription.tenant_id, subscription.subscription_id)
        try:
            decision = tick(subscription, self.now, self._rules(key))
            self._keep(key, clock_origin(subscription), decision)
        except Exception:  # whatever it is, its neighbours go on
            log.exception("tick-failed", tenant_id=key[0], subscription_id=key[1])
            self._changed[key] = (subscription, self.now + _PUT_OFF)
        else:
            if decision.subscription != subscription:
                data = clock_data(self._settings.seal_grace)
                self.facts.append(self._fact(key, (CLOCK, CLOCK, CLOCK), self.now, data))

    def expire(self, parked: Sequence[Parked]) -> None:
        """Answers what has waited too long: a command is refused, a fact set aside."""
        for waited in parked:
            event = read(waited.record, self.now).event
            if isinstance(event, Envelope) and isinstance(event.data, CancellationCommand):
                command = event.data.body("", event.id)
                outcome = unheard_of(_received(event, self.now, command), command)
                self.published.append(refusal(self._topics, _origin(event), waited.key, outcome))
            else:
                reason = UnreadableError("unknown-subscription", "nobody has activated this subscription in time")
                self._set_aside(waited.record, reason)

    def close(self) -> None:
        """Adds the snapshots: one per subscription, whatever happened to it in this batch."""
        for key, (subscription, _) in self._changed.items():
            self.published.append(drawn(self._topics, subscription, self.now, self._rules(key)))

    def _decide(self, record: Incoming, event: Envelope, data: Input, key: Key, *, conflict: bool = False) -> None:
        subscription, rules = self._known[key], self._rules(key)
        try:
            body = data.body(subscription.agreement.currency if subscription is not None else "", event.id)
            received = _received(event, self.now, body)
            if subscription is None:
                assert isinstance(body, Activated), "what comes before the activation is parked"  # noqa: S101
                decision = Decision(activate(*key, received, body))
            elif conflict and isinstance(body, Command):
                decision = conflicting(subscription, received, body)
            else:
                decision = decide(subscription, received, rules)
            if decision.subscription is subscription:
                return
            self._keep(key, _origin(event), decision)
        except (ContradictingFactError, ValueError) as error:
            reason = "contradicting" if isinstance(error, ContradictingFactError) else "malformed"
            self._set_aside(record, UnreadableError(reason, str(error)))
        except Exception as error:  # a bug of ours: its neighbours go on, and it is kept to be replayed
            log.exception("decision-failed", tenant_id=key[0], subscription_id=key[1], event_id=event.id)
            self._set_aside(record, UnreadableError("decision-failed", f"{type(error).__name__}: {error}"))
        else:
            named = (event.source, event.id, event.type)
            self.facts.append(self._fact(key, named, event.time, event.raw, conflicting=conflict))

    def _keep(self, key: Key, origin: Origin, decision: Decision) -> None:
        """Adopts a decision, all of it or, when something in it cannot be written, nothing."""
        subscription = decision.subscription
        due = due_at(subscription, self._rules(key))
        records = outcomes(self._topics, origin, decision)
        self.published += records
        if records:
            self.digests[key] = digest(self.digests.get(key, b""), records)
        self._known[key] = subscription
        self._changed[key] = (subscription, due)

    def _fact(
        self, key: Key, named: tuple[str, str, str], time: datetime, data: bytes, *, conflicting: bool = False
    ) -> StoredFact:
        """What was decided on, to be decided on again; `named` is its source, id and type."""
        count = len(self._policies.get(key[0], ()))
        return StoredFact(key, *named, time, self.now, data, count, conflicting)

    def _set_aside(self, record: Incoming, why: UnreadableError | Envelope) -> None:
        """A dead letter: the original bytes, and why."""
        assert isinstance(why, UnreadableError), "an event that can be read is not a dead letter"  # noqa: S101
        log.warning("dead-letter", reason=why.reason, error=str(why), topic=record.topic, offset=record.offset)
        added = {
            "dlq_reason": why.reason,
            "dlq_topic": record.topic,
            "dlq_partition": str(record.partition),
            "dlq_offset": str(record.offset),
            "dlq_error": str(why),
        }
        attributes = [*record.headers, *((name, value.encode(errors="replace")) for name, value in added.items())]
        topic = self._topics.cancellation_dead_letter
        self.published.append(Outgoing(topic, record.key, record.value, attributes, self.now))

    def _set_policy(self, event: Envelope) -> None:
        assert isinstance(event.data, CancellationPolicySet), "all else is about a subscription"  # noqa: S101
        tenant, policy = event.data.tenant_id, event.data.policy()
        stored = StoredPolicy(tenant, event.time, self.now, event.source, event.id, policy)
        self.policies.append(stored)
        known = [*self._policies.get(tenant, ()), (event.time, policy)]
        self._policies[tenant] = tuple(sorted(known, key=lambda timed: timed[0]))

    def _rules(self, key: Key) -> Rules:
        return self._settings.rules(self._policies.get(key[0], ()))

    def _park(self, record: Incoming, key: Key) -> None:
        expires_at = self.now + self._settings.await_subscription
        self._waiting.setdefault(key, []).append(Parked(key, record, self.now, expires_at))

    def _unpark(self, parked: Parked) -> None:
        event = read(parked.record, self.now).event
        assert isinstance(event, Envelope), "only events that could be read are parked"  # noqa: S101
        assert isinstance(event.data, Input), "only what is about a subscription is parked"  # noqa: S101
        self._decide(parked.record, event, event.data, parked.key)


def clock_data(grace: timedelta) -> bytes:
    """What the clock decided by, besides the time: the setting may have changed when it is decided once more."""
    return f'{{"grace":{grace.total_seconds()}}}'.encode()


def received(named: tuple[str, str, str], time: datetime, now: datetime, body: Fact | Command) -> Received:
    """An input as it is decided on, with its time in UTC: how it was written is not kept, and decides nothing."""
    return Received(*named, time.astimezone(UTC), now, body)


def _origin(event: Envelope) -> Origin:
    return event_origin(event.source, event.id, event.content, event.trace)


def _received(event: Envelope, now: datetime, body: Fact | Command) -> Received:
    return received((event.source, event.id, event.type), event.time, now, body)
