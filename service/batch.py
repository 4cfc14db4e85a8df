"""One batch of decisions in memory: what the transaction has read goes in, what it is to write comes out.

Each arrival has exactly one of four fates: decided (a refusal is a decision too), a repeat, set aside as
a dead letter with the reason, or waiting. What comes for a subscription waits until it is activated, and
while it is held: a decision that fails is a bug of ours, so the subscription is left as it was, and all
that comes for it waits behind what failed, until an operator resumes it. Nothing here touches Kafka or
Postgres.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from service import metrics
from service.arrivals import Arrival, claim_of, dead_letter, origin, read, read_again, received
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
from service.domain.facts import Activated, Command, Fact, InvoiceStated
from service.domain.outcomes import Outcome, Rejected
from service.domain.policy import Rules
from service.domain.settlement import Settlement
from service.domain.subscription import Subscription
from service.messages.envelope import Envelope, UnreadableError
from service.messages.inputs import MOST_EVER, CancellationCommand, CancellationPolicySet, Input
from service.outgoing import Origin, clock_origin, digest, drawn, outcomes, refusal
from service.settings import Settings, Topics
from service.store.policies import Policies, StoredPolicy
from service.store.records import Outgoing
from service.store.subscriptions import Held, Key, Parked, StoredFact

__all__ = ["CLOCK", "Batch", "clock_data", "read", "received"]

log = structlog.get_logger(__name__)

CLOCK = "clock"
"""The type under which what the clock brought about stands among the facts."""

_LONGEST_REASON = 1_000


class TooLargeError(Exception):
    """An outcome that no topic would take."""


class Batch:
    """Decisions in the order of arrival, and all that is to be written for them.

    `known` are the locked subscriptions, `claimed` the contents under which each event was taken in
    before, `waiting` what has waited for a subscription that is activated or resumed in this batch,
    `digests` what remembers all that has been published, `held` the subscriptions that are left alone.
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
        held: Mapping[Key, Held] | None = None,
    ) -> None:
        self.now = now
        self.published: list[Outgoing] = []
        self.facts: list[StoredFact] = []
        self.policies: list[StoredPolicy] = []
        self.digests = dict(digests or {})
        self.held: dict[Key, Held | None] = {}
        self.released: set[tuple[bytes, bytes]] = set()
        self._refused, self._letters, self._repeats = Counter[str](), Counter[str](), 0
        self._policies = dict(policies)
        self._settings, self._topics = settings, topics
        self._known = dict(known or {})
        self._seen = dict(claimed or {})
        self._waiting = {key: deque(map(read_again, parked)) for key, parked in (waiting or {}).items()}
        self._settled: dict[Key, Settlement | None] = {}
        self._changed: dict[Key, tuple[Subscription, datetime | None]] = {}
        self._held = dict(held or {})
        self._resumed: dict[Key, datetime] = {}
        self._as_drawn: set[Key] = set()

    @property
    def changed(self) -> list[tuple[Subscription, datetime | None]]:
        """The subscriptions to write back, each with the instant it is next due."""
        return list(self._changed.values())

    @property
    def parked(self) -> list[Parked]:
        """The records that go on waiting, in order; those of a held subscription for as long as it takes."""
        span = self._settings.await_subscription
        return [
            Parked(key, w.record, w.recorded_at, None if key in self._held else w.recorded_at + span, w.conflicting)
            for key, waiting in self._waiting.items()
            for w in waiting
        ]

    def take(self, arrival: Arrival) -> None:
        """Takes one arrival to its fate."""
        event, key = arrival.event, arrival.key
        if isinstance(event, UnreadableError):
            self._set_aside(arrival, event)
            return
        claim = claim_of(event)
        contents = self._seen.setdefault(claim[0], set())
        if event.content in contents:
            self._repeats += 1
            return
        conflict = bool(contents)
        contents.add(event.content)
        self.released.discard(claim)
        answered = key is not None and self._known[key] is not None and isinstance(event.data, CancellationCommand)
        if conflict and not answered:
            known_as = f"event {event.id} of {event.source} was received before with other content"
            self._set_aside(arrival, UnreadableError("conflicting-content", known_as))
        elif isinstance(event.data, CancellationPolicySet) or key is None:
            self._set_policy(event)
        else:
            self._waiting.setdefault(key, deque()).append(replace(arrival, conflicting=True) if conflict else arrival)
            self._go_on(key)

    def leave(self, arrivals: Sequence[Arrival]) -> None:
        """Lets go of arrivals that another transaction will take."""
        for claim in (arrival.claim for arrival in arrivals):
            if claim is not None and claim[1] not in self._seen.get(claim[0], ()):
                self.released.add(claim)

    def tick(self, subscription: Subscription) -> None:
        """What the clock brings about for a subscription that is due."""
        key = (subscription.tenant_id, subscription.subscription_id)
        try:
            decision = tick(subscription, self.now, self._rules(key))
            self._keep(key, clock_origin(subscription), decision)
        except Exception as error:  # noqa: BLE001  whatever it is, its neighbours go on
            self.hold(key, error)
        else:
            if decision.subscription != subscription:
                data = clock_data(self._settings.seal_grace)
                self.facts.append(self._fact(key, (CLOCK, CLOCK, CLOCK), self.now, data))
            elif key not in self._resumed:
                self._as_drawn.add(key)

    def expire(self, parked: Sequence[Parked]) -> None:
        """Answers what has waited too long: a command is refused, a fact set aside."""
        for key, waited in ((each.key, read_again(each)) for each in parked):
            event = waited.event
            if not (isinstance(event, Envelope) and isinstance(event.data, CancellationCommand)):
                reason = UnreadableError("unknown-subscription", "nobody has activated this subscription in time")
                self._set_aside(waited, reason)
                continue
            try:
                command = event.data.body("", event.id)
                outcome = unheard_of(received(event.named, event.time, self.now, command), command)
                self.published.append(refusal(self._topics, origin(event), key, outcome, self._rules(key)))
                self._count_refusals([outcome])
            except Exception as error:  # noqa: BLE001  whatever it is, its neighbours go on
                self._waiting.setdefault(key, deque()).append(waited)
                self.hold(key, error)

    def hold(self, key: Key, error: Exception) -> None:
        """Leaves a subscription alone until it is resumed: what has failed for it, and all that comes after, waits."""
        if key not in self._held:
            because = f"{type(error).__name__}: {error}"[:_LONGEST_REASON].replace("\0", "?")
            log.error("subscription-held", tenant_id=key[0], subscription_id=key[1], because=because, exc_info=error)
            self._held[key] = self.held[key] = Held(self._resumed.get(key, self.now), because)

    def resume(self, key: Key) -> None:
        """Goes on with a held subscription: what has waited for it, in order, then the clock. It may be held again."""
        self._resumed[key] = self._held.pop(key).since
        self.held[key] = None
        self._waiting.setdefault(key, deque())
        self._go_on(key)
        subscription = self._known[key]
        if subscription is not None and key not in self._held:
            self.tick(subscription)

    @property
    def undrawn(self) -> list[Key]:
        """The subscriptions that need a snapshot once all is decided: one each, whatever happened to it in this batch.

        None where the clock came by in vain: a snapshot goes by the name of its state, and a name has one content.
        """
        return [key for key in self._changed if key not in self._as_drawn]

    def draw(self, key: Key) -> None:
        """Adds the snapshot of a subscription."""
        try:
            self.published += self._that_fit([self._drawn(key, self._changed[key][0])])
        except Exception as error:  # noqa: BLE001  what was decided stands; it is drawn when it is resumed
            self.hold(key, error)

    def count(self) -> None:
        """Counts what became of it all, once that is committed."""
        metrics.REPEATS.inc(self._repeats)
        metrics.FAILED.inc(sum(held is not None for held in self.held.values()))
        for counter, counts in (
            (metrics.DECIDED, Counter(fact.type for fact in self.facts)),
            (metrics.REFUSED, self._refused),
            (metrics.DEAD_LETTERS, self._letters),
        ):
            for label, number in counts.items():
                counter.labels(label).inc(number)

    def _count_refusals(self, told: Sequence[Outcome]) -> None:
        self._refused.update(outcome.body.code for outcome in told if isinstance(outcome.body, Rejected))

    def _go_on(self, key: Key) -> None:
        """Decides what waits for a subscription, for as long as that is possible: in order, its activation first."""
        waiting = self._waiting[key]
        while waiting and key not in self._held:
            if self._known[key] is not None:
                following = waiting[0]
            elif (found := next((arrival for arrival in waiting if arrival.activates), None)) is not None:
                following = found
            else:
                return
            waiting.remove(following)
            self._decide(following, key)

    def _decide(self, arrival: Arrival, key: Key) -> None:
        """Decides one event, wholly or not at all."""
        event, subscription = arrival.event, self._known[key]
        if isinstance(event, UnreadableError):  # an earlier release could read it, and let it wait
            self._set_aside(arrival, event)
            return
        try:
            decision = self._decision(event, key, subscription, conflict=arrival.conflicting)
            if decision.subscription is subscription:
                return
            self._keep(key, origin(event), decision)
        except UnreadableError as error:
            self._set_aside(arrival, error)
        except ContradictingFactError as error:
            self._set_aside(arrival, UnreadableError("contradicting", str(error)))
        except Exception as error:  # noqa: BLE001  a bug of ours: its neighbours go on, and it is decided after the fix
            self._waiting[key].appendleft(arrival)
            self.hold(key, error)
        else:
            fact = self._fact(key, event.named, event.time, event.raw, conflicting=arrival.conflicting)
            self.facts.append(fact)

    def _decision(self, event: Envelope, key: Key, subscription: Subscription | None, *, conflict: bool) -> Decision:
        assert isinstance(event.data, Input), "a policy is about no subscription"  # noqa: S101
        try:
            body = event.data.body(subscription.agreement.currency if subscription is not None else "", event.id)
        except ValueError as error:
            raise UnreadableError("malformed", str(error)) from error
        taken = received(event.named, event.time, self.now, body)
        if subscription is None:
            assert isinstance(body, Activated), "what comes before the activation waits"  # noqa: S101
            return Decision(activate(*key, taken, body))
        _check_room(subscription, body)
        if conflict and isinstance(body, Command):
            return conflicting(subscription, taken, body)
        return decide(subscription, taken, self._rules(key))

    def _keep(self, key: Key, origin: Origin, decision: Decision) -> None:
        """Adopts a decision, all of it or, when something in it cannot be written, nothing."""
        subscription = decision.subscription
        rules = self._rules(key)
        due = due_at(subscription, rules)
        records = outcomes(self._topics, origin, decision, rules)
        self.published += records
        self._count_refusals(decision.outcomes)
        if records:
            self.digests[key] = digest(self.digests.get(key, b""), records)
        self._known[key] = subscription
        self._changed[key] = (subscription, due)
        self._settled[key] = decision.settlement

    def _drawn(self, key: Key, subscription: Subscription) -> Outgoing:
        return drawn(self._topics, subscription, self.now, self._rules(key), self._settled.get(key))

    def _that_fit(self, records: list[Outgoing]) -> list[Outgoing]:
        """The records, if Kafka takes them: one that it never takes would keep all behind it from going out."""
        largest = max((len(record.value or b"") for record in records), default=0)
        if largest > self._settings.topic_max_message_bytes:
            raise TooLargeError(f"an outcome of {largest} bytes is larger than TOPIC_MAX_MESSAGE_BYTES")
        return records

    def _fact(
        self, key: Key, named: tuple[str, str, str], time: datetime, data: bytes, *, conflicting: bool = False
    ) -> StoredFact:
        """What was decided on, to be decided on again; `named` is its source, id and type."""
        count = len(self._policies.get(key[0], ()))
        return StoredFact(key, *named, time, self.now, data, count, conflicting)

    def _set_aside(self, arrival: Arrival, why: UnreadableError) -> None:
        """A dead letter. Its event counts as never taken in, so that it can be sent again."""
        record = arrival.record
        log.warning(
            "dead-letter",
            reason=why.reason,
            error=str(why),
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
        )
        topic, largest = self._topics.cancellation_dead_letter, self._settings.topic_max_message_bytes
        self.published.append(dead_letter(topic, record, why, self.now, largest))
        self._letters[why.reason] += 1
        if isinstance(arrival.event, Envelope):
            event, content = claim_of(arrival.event)
            self._seen.get(event, set()).discard(content)
            self.released.add((event, content))

    def _set_policy(self, event: Envelope) -> None:
        assert isinstance(event.data, CancellationPolicySet), "all else is about a subscription"  # noqa: S101
        tenant, policy = event.data.tenant_id, event.data.policy()
        stored = StoredPolicy(tenant, event.time, self.now, event.source, event.id, policy)
        self.policies.append(stored)
        known = [*self._policies.get(tenant, ()), (event.time, policy)]
        self._policies[tenant] = tuple(sorted(known, key=lambda timed: timed[0]))
        self._settled.clear()  # what the rule said before may not be what it says by this policy

    def _rules(self, key: Key) -> Rules:
        return self._settings.rules(self._policies.get(key[0], ()))


def _check_room(subscription: Subscription, body: Fact | Command) -> None:
    """Refuses what would make a subscription larger than can be decided on in good time."""
    new = (
        {line.charge_id for line in body.charges} - set(subscription.charges) if isinstance(body, InvoiceStated) else ()
    )
    if len(subscription.charges) + len(new) > MOST_EVER:
        raise UnreadableError("too-many", f"a subscription has at most {MOST_EVER} charges")
    if len(subscription.entries) >= MOST_EVER:
        raise UnreadableError("too-many", f"a subscription has at most {MOST_EVER} events")


def clock_data(grace: timedelta) -> bytes:
    """What the clock decided by, besides the time: the setting may have changed when it is decided once more."""
    return f'{{"grace":{grace.total_seconds()}}}'.encode()
