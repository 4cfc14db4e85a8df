"""A subscription decided once more: from its facts, in order, each by what was known when it was decided first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from service.batch import CLOCK, received
from service.domain.decide import Decision, activate, conflicting, decide, due_at, forget, tick
from service.domain.facts import FORGOTTEN, Activated, Command
from service.domain.laws import LawBrokenError
from service.domain.policy import Policy, Rules
from service.domain.subscription import Subscription
from service.messages.envelope import content_digest
from service.messages.inputs import INPUTS, Input
from service.outgoing import Origin, clock_origin, digest, drawn, drawn_as, event_origin, outcomes
from service.settings import Settings, Topics
from service.store.policies import known_then
from service.store.records import Outgoing
from service.store.subscriptions import Key, StoredFact


class ReplayError(Exception):
    """The facts are no life of a subscription; the message says why."""


@dataclass(frozen=True, slots=True)
class Judge:
    """What decisions are taken by besides the facts; `policies` of the tenant in the order they were recorded."""

    settings: Settings
    topics: Topics
    policies: Sequence[tuple[datetime, Policy]] = ()

    def rules(self, known: int) -> Rules:
        """The rules as they were when this many policies had been recorded."""
        return self.settings.rules(known_then(self.policies, known))


@dataclass(slots=True)
class Replay:
    """What the facts taken so far come to.

    `waiting` are the ids of the records that are still in the outbox; only those are kept: outcomes
    in `recomputed` with their numbers, the states that snapshots show in `shown`. `broken` says which
    fact could not be decided once more, and why.
    """

    key: Key
    judge: Judge
    waiting: frozenset[str] = frozenset()
    state: Subscription | None = None
    published: bytes = b""
    facts: int = 0
    policies: int = 0
    recomputed: dict[str, tuple[int, Outgoing]] = field(default_factory=dict)
    shown: dict[str, tuple[Subscription, int]] = field(default_factory=dict)
    broken: tuple[str, str] | None = None

    def take(self, fact: StoredFact) -> None:
        """Decides one more fact; one that cannot be decided stops the replay."""
        self.facts += 1
        if self.broken is not None:
            return
        try:
            origin, decision = self._decide(fact)
            rules = self.judge.rules(fact.policies)
            self._adopt(decision, outcomes(self.judge.topics, origin, decision, rules), fact.policies)
        except LawBrokenError as error:
            self.broken = (self.named(fact), str(error))
        except Exception as error:  # noqa: BLE001  whatever it is, it is a finding
            self.broken = (self.named(fact), f"cannot be decided once more: {type(error).__name__}: {error}")

    def named(self, fact: StoredFact) -> str:
        """What a person finds the fact by that was taken last."""
        return f"fact {self.facts} ({fact.type} {fact.event_id})"

    @property
    def is_due(self) -> bool:
        """Whether the clock has something to bring about, sooner or later."""
        return self.state is not None and due_at(self.state, self.judge.rules(self.policies)) is not None

    def snapshots(self, event_id: str, now: datetime) -> list[Outgoing]:
        """What a snapshot of this id may say: later policies may have been recorded before it was drawn."""
        state, known = self.shown[event_id]
        recorded = len(self.judge.policies)
        counts = range(min(known, recorded), recorded + 1)
        return [drawn(self.judge.topics, state, now, self.judge.rules(count)) for count in counts]

    def _decide(self, fact: StoredFact) -> tuple[Origin, Decision]:
        rules = self.judge.rules(fact.policies)
        if fact.type == CLOCK:
            if self.state is None:
                raise ReplayError("the clock comes before the activation")
            grace = timedelta(seconds=json.loads(fact.data)["grace"])
            return clock_origin(self.state), tick(self.state, fact.recorded_at, replace(rules, grace=grace))
        content = fact.content or content_digest(fact.type, fact.data)
        origin = event_origin(fact.source, fact.event_id, content)
        if fact.type == FORGOTTEN:
            if self.state is None:
                raise ReplayError("the customer is forgotten before the activation")
            return origin, forget(self.state, fact.event_id, fact.recorded_at)
        return origin, self._decide_event(fact, rules)

    def _decide_event(self, fact: StoredFact, rules: Rules) -> Decision:
        model = INPUTS.get(fact.type)
        if model is None or not issubclass(model, Input):
            raise ReplayError(f"{fact.type!r} is no fact of a subscription")
        data = model.model_validate_json(fact.data)
        state = self.state
        body = data.body("" if state is None else state.agreement.currency, fact.event_id)
        taken = received((fact.source, fact.event_id, fact.type), fact.time, fact.recorded_at, body)
        if state is None:
            if not isinstance(body, Activated):
                raise ReplayError(f"{fact.type} comes before the activation")
            return Decision(activate(*self.key, taken, body))
        if fact.conflicting and isinstance(body, Command):
            return conflicting(state, taken, body)
        return decide(state, taken, rules)

    def _adopt(self, decision: Decision, records: list[Outgoing], policies: int) -> None:
        after = 0 if self.state is None else self.state.told.sequence
        numbers = [outcome.sequence for outcome in decision.outcomes]
        if numbers != list(range(after + 1, after + 1 + len(numbers))):
            raise LawBrokenError(f"the law of sequence is broken: {numbers} after {after}")
        self.state, self.policies = decision.subscription, policies
        self.published = digest(self.published, records)
        numbered = zip(numbers, records, strict=True)
        self.recomputed.update(
            {record.event_id: (n, record) for n, record in numbered if record.event_id in self.waiting}
        )
        if self.waiting and (event_id := drawn_as(self.state)) in self.waiting:
            self.shown[event_id] = (self.state, policies)
