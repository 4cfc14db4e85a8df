"""Decisions: an input and a subscription in, the subscription and its outcomes out.

A lifecycle fact is always taken in; a command is judged first, at its own time. Either way the
rule is run on what is then known and the difference published. A repeat has no outcomes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime

from service.domain.difference import difference
from service.domain.facts import (
    Activated,
    Command,
    Fact,
    InvoiceStated,
    Paused,
    PriceChanged,
    Received,
    Renewed,
    Resumed,
)
from service.domain.laws import check
from service.domain.outcomes import Body, Ended, Outcome, RefusalCode, Rejected
from service.domain.periods import local_date, start_of_day
from service.domain.policy import Rules
from service.domain.settlement import settle
from service.domain.subscription import Cause, Entry, Subscription, accept, evolve


@dataclass(frozen=True, slots=True)
class Decision:
    """What an input led to."""

    subscription: Subscription
    outcomes: tuple[Outcome, ...] = ()


class ContradictingFactError(Exception):
    """A fact that contradicts one that others already rely on; the message is for its sender."""


def activate(tenant_id: str, subscription_id: str, received: Received, agreement: Activated) -> Subscription:
    """A subscription begins with the fact that it was activated."""
    entry = _entry(received, agreement.start_date)
    return Subscription(tenant_id, subscription_id, agreement, entries=(entry,))


def decide(subscription: Subscription, received: Received, rules: Rules) -> Decision:
    """Takes one input in.

    Raises:
        ContradictingFactError: the subscription is activated a second time, differently.
        LawBrokenError: a bug; nothing may be published of it.
    """
    if isinstance(received.body, Command):
        return _command(subscription, received, received.body, rules)
    return _fact(subscription, received, received.body, rules)


def tick(subscription: Subscription, now: datetime, rules: Rules) -> Decision:
    """What is due by the clock: a last period that has begun, and the sealing of the end."""
    decision = _publish(subscription, f"clock {subscription.told.sequence}", "correction", now, rules)
    subscription, told = decision.subscription, decision.subscription.told
    if told.end is None or told.ended or now < _sealed_at(subscription, rules):
        return decision
    ended = Outcome(told.sequence + 1, subscription.cancellation_id, now, Ended(told.end))
    told = replace(told, sequence=ended.sequence, ended=True)
    return Decision(replace(subscription, told=told), (*decision.outcomes, ended))


def due_at(subscription: Subscription, rules: Rules) -> datetime | None:
    """When `tick` has something to do next; None while nothing is planned. Past instants are due at once."""
    told = subscription.told
    if told.end is None or told.ended:
        return None
    sealed_at = _sealed_at(subscription, rules)
    begins = settle(subscription, sealed_at, rules).cuts
    waiting = [period.start for period in begins if period not in dict(told.cuts)]
    if not waiting:
        return sealed_at
    return min(sealed_at, start_of_day(min(waiting), subscription.agreement.time_zone))


def unheard_of(received: Received, command: Command) -> Outcome:
    """The answer to a command whose subscription nobody activates in time; nothing counts it, so it is number 0."""
    message = "No subscription with this id has been activated."
    body = Rejected("unknown-subscription", message, received.type, command.cancellation_id)
    return Outcome(0, command.cancellation_id, received.recorded_at, body)


def conflicting(subscription: Subscription, received: Received, command: Command) -> Decision:
    """The answer to an event id that was used before with other content."""
    message = f"Event {received.event_id} of {received.source} was received before with other content."
    return _refused(subscription, received, command, ("conflicting-content", message))


def _fact(subscription: Subscription, received: Received, fact: Fact, rules: Rules) -> Decision:
    if isinstance(fact, Activated):
        if fact != subscription.agreement:
            raise ContradictingFactError("the subscription is active already, with another agreement")
        return Decision(subscription)
    entry = _entry(received, _effective(fact))
    known = replace(evolve(subscription, fact, received.time), entries=(*subscription.entries, entry))
    match fact:
        case InvoiceStated(state="issued") if any(line.kind == "recurring" for line in fact.charges):
            cause: Cause = "late-invoice"
        case _:
            cause = "correction"
    return _publish(known, _key(received), cause, received.recorded_at, rules)


def _command(subscription: Subscription, received: Received, command: Command, rules: Rules) -> Decision:
    if _already_done(subscription, command):
        return Decision(subscription)
    refusal = _refusal(subscription, received, command, rules)
    if refusal is not None:
        return _refused(subscription, received, command, refusal)
    ordered = accept(subscription, command, received)
    effective = None if command.end is None else ordered.resolve(command, received.time, rules).end_date
    ordered = replace(ordered, entries=(*subscription.entries, _entry(received, effective)))
    cause: Cause = "revoked" if command.action == "revoke" else "moved" if subscription.in_force else "cancelled"
    return _publish(ordered, _key(received), cause, received.recorded_at, rules)


def _publish(subscription: Subscription, key: str, cause: Cause, now: datetime, rules: Rules) -> Decision:
    """Runs the rule and publishes the difference; before any command there is none."""
    if not subscription.commands:
        return Decision(subscription)
    target = settle(subscription, now, rules)
    bodies, told = difference(subscription, target, key=key, cause=cause, now=now)
    after = replace(subscription, told=told)
    outcomes = _numbered(subscription, bodies, now)
    check(subscription, after, target, outcomes)
    return Decision(after, outcomes)


def _numbered(subscription: Subscription, bodies: tuple[Body, ...], now: datetime) -> tuple[Outcome, ...]:
    first = subscription.told.sequence + 1
    return tuple(
        Outcome(sequence, subscription.cancellation_id, now, body) for sequence, body in enumerate(bodies, first)
    )


def _refusal(
    subscription: Subscription, received: Received, command: Command, rules: Rules
) -> tuple[RefusalCode, str] | None:
    """Why a command cannot be accepted: the first reason that holds."""
    if received.time > received.recorded_at + rules.ahead:
        return "time-in-future", f"The request's time {received.time.isoformat()} has not come yet."
    end = subscription.told.end
    if end is not None and (subscription.told.ended or end.access_ends_at <= received.time):
        return "already-ended", f"The subscription ended at {end.access_ends_at.isoformat()}."
    if subscription.commands and received.time < subscription.commands[-1].time:
        latest = subscription.commands[-1].time.isoformat()
        return "superseded", f"A request made later, at {latest}, is in force."
    ids = {request.cancellation_id for request in _requests(subscription)}
    if command.action == "request" and command.cancellation_id in ids:
        return "conflicting-content", f"Cancellation {command.cancellation_id} was requested with other content."
    if command.action != "request" and not subscription.in_force:
        return "not-cancelled", "No cancellation is in force."
    if command.action != "request" and command.cancellation_id not in {None, *ids}:
        return "not-cancelled", f"Cancellation {command.cancellation_id} is not the one in force."
    return None if command.end is None else _too_early(subscription, received, command, rules)


def _too_early(
    subscription: Subscription, received: Received, command: Command, rules: Rules
) -> tuple[RefusalCode, str] | None:
    end = subscription.resolve(command, received.time, rules)
    start = subscription.agreement.start_date
    if end.end_date < start:
        return "end-before-start", f"The end {end.end_date} lies before the start {start}."
    floor = rules.at(received.time).earliest_backdate_days
    if (local_date(received.time, subscription.agreement.time_zone) - end.end_date).days > floor:
        return "end-too-far-back", f"The end {end.end_date} lies more than {floor} days back."
    if end.end_date < end.earliest_permitted_end_date and command.override is None:
        return "end-before-permitted", f"The earliest end permitted is {end.earliest_permitted_end_date}."
    return None


def _refused(
    subscription: Subscription, received: Received, command: Command, refusal: tuple[RefusalCode, str]
) -> Decision:
    code, message = refusal
    told = replace(subscription.told, sequence=subscription.told.sequence + 1)
    named = command.cancellation_id or subscription.cancellation_id
    body = Rejected(code, message, received.type, named)
    entries = (*subscription.entries, replace(_entry(received, None), refused=code))
    outcome = Outcome(told.sequence, named, received.recorded_at, body)
    return Decision(replace(subscription, told=told, entries=entries), (outcome,))


def _requests(subscription: Subscription) -> list[Command]:
    """The requests that make up the cancellation in force: those since the last revoke."""
    requests: list[Command] = []
    for ordered in subscription.commands:
        if ordered.command.action == "revoke":
            requests.clear()
        elif ordered.command.action == "request":
            requests.append(ordered.command)
    return requests


def _already_done(subscription: Subscription, command: Command) -> bool:
    """The same request once more, under a new event id."""
    return command in _requests(subscription) and not subscription.told.ended


def _sealed_at(subscription: Subscription, rules: Rules) -> datetime:
    """When the end in force can no longer change: a grace after it was reached and the last command arrived."""
    end = subscription.told.end
    assert end is not None, "only an end can be sealed"  # noqa: S101  a bug, not input
    return max(end.access_ends_at, subscription.commands[-1].recorded_at) + rules.grace


def _key(received: Received) -> str:
    return f"{received.source} {received.event_id}"


def _entry(received: Received, effective: date | None) -> Entry:
    return Entry(received.type, received.event_id, received.time, received.recorded_at, effective)


def _effective(fact: Fact) -> date | None:
    """The local date a fact takes effect, where it names one."""
    match fact:
        case Renewed(start=datetime() as start):
            return start.date()
        case Renewed(start=start):
            return start
        case PriceChanged() | Paused() | Resumed():
            return fact.effective_date
        case _:
            return None
