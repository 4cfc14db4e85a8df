"""Decisions: an input and a subscription in, the subscription and its outcomes out.

A lifecycle fact is always taken in; a command is judged first, at its own time. Either way the
rule is run on what is then known and the difference published. A repeat has no outcomes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime

from service.domain.course import Cancellation, Course, Lines, Ordered
from service.domain.difference import difference
from service.domain.ends import End, earlier
from service.domain.facts import (
    FORGOTTEN,
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
from service.domain.settlement import Settlement, settle
from service.domain.subscription import Cause, Entry, Subscription, accept, evolve


@dataclass(frozen=True, slots=True)
class Decision:
    """What an input led to, and what the rule said, where it was run."""

    subscription: Subscription
    outcomes: tuple[Outcome, ...] = ()
    settlement: Settlement | None = None


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
    return Decision(replace(subscription, told=told), (*decision.outcomes, ended), decision.settlement)


def forget(subscription: Subscription, erasure_id: str, now: datetime) -> Decision:
    """The customer's personal data has been taken out of the facts: the history says so, and nothing else changes."""
    entry = Entry(FORGOTTEN, erasure_id, now, now)
    return Decision(replace(subscription, entries=(*subscription.entries, entry)))


def due_at(subscription: Subscription, rules: Rules) -> datetime | None:
    """When `tick` has something to do next; None while nothing is planned. Past instants are due at once.

    That is when a last period begins, of the whole or of a line, and with it a charge that nobody
    reports, and when the end of the whole is sealed.
    """
    told, time_zone = subscription.told, subscription.agreement.time_zone
    if told.ended:
        return None
    said = {stretch for stretch, _ in told.cuts}
    instants = [] if told.end is None else [_sealed_at(subscription, rules)]
    for line in subscription.line_ids if told.end is not None or told.line_ends else ():
        end = earlier(told.end, told.line_ends.get(line))
        if end is not None:
            last = subscription.calendar(end.end_date).containing(end.end_date)
            cut = last.start < end.end_date and end.paid_until < start_of_day(last.end, time_zone)
            if cut and (last, line) not in said:
                instants.append(start_of_day(last.start, time_zone))
    return min([*instants, *_unpaid(subscription, rules)], default=None)


def _unpaid(subscription: Subscription, rules: Rules) -> list[datetime]:
    """When charges that nobody reports begin of which something is still to be credited, up to the last end."""
    told = subscription.told
    ends = [end.access_ends_at for end in (told.end, *told.line_ends.values()) if end is not None]
    if not rules.ever_implied or not ends:
        return []
    reached = settle(subscription, max(ends), rules).reached.values()
    return [s.charge.statements[0].time for s in reached if s.credit != told.given(s.charge.charge_id)]


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
    course = subscription.course
    if _already_done(subscription, course, command):
        return Decision(subscription)
    meant = course.meant_by(command)
    lines = tuple(sorted(command.lines)) if command.action == "request" or meant is None else meant.lines
    ordered = Ordered(command, lines, received.time, received.recorded_at)
    refusal = _refusal(subscription, meant, ordered, rules)
    end = None
    if refusal is None and command.end is not None:
        made = course.after(ordered).meant_by(command)
        assert made is not None, "an accepted end is in force"  # noqa: S101  a bug, not input
        end = subscription.resolve(made, rules)
        refusal = _too_early(subscription, end, ordered, rules)
    if refusal is not None:
        return _refused(subscription, received, command, refusal)
    after = accept(subscription, ordered, _entry(received, None if end is None else end.end_date))
    cause: Cause = "revoked" if command.action == "revoke" else "cancelled" if meant is None else "moved"
    return _publish(after, _key(received), cause, received.recorded_at, rules)


def _publish(subscription: Subscription, key: str, cause: Cause, now: datetime, rules: Rules) -> Decision:
    """Runs the rule and publishes the difference; before any command there is none."""
    if not subscription.commands:
        return Decision(subscription)
    target = settle(subscription, now, rules)
    bodies, told = difference(subscription, target, key=key, cause=cause, now=now, policy=rules.at(now))
    after = replace(subscription, told=told)
    outcomes = _numbered(subscription, bodies, now)
    check(subscription, after, target, outcomes)
    return Decision(after, outcomes, target)


def _numbered(subscription: Subscription, bodies: tuple[Body, ...], now: datetime) -> tuple[Outcome, ...]:
    first = subscription.told.sequence + 1
    return tuple(
        Outcome(sequence, subscription.cancellation_id, now, body) for sequence, body in enumerate(bodies, first)
    )


def _refusal(
    subscription: Subscription, meant: Cancellation | None, ordered: Ordered, rules: Rules
) -> tuple[RefusalCode, str] | None:
    """Why a command cannot be accepted, whatever end it asks for: the first reason that holds."""
    command = ordered.command
    if ordered.time > ordered.recorded_at + rules.ahead:
        return "time-in-future", f"The request's time {ordered.time.isoformat()} has not come yet."
    end = earlier(subscription.told.end, None if meant is None else subscription.resolve(meant, rules))
    if end is not None and (subscription.told.ended or end.access_ends_at <= ordered.time):
        return "already-ended", f"The subscription ended at {end.access_ends_at.isoformat()}."
    latest = [other.time for other in subscription.commands if _overlap(other.lines, ordered.lines)]
    if latest and ordered.time < latest[-1]:
        return "superseded", f"A request made later, at {latest[-1].isoformat()}, is in force."
    if command.action == "request" and subscription.course.with_id(command.cancellation_id) is not None:
        return "conflicting-content", f"Cancellation {command.cancellation_id} was requested with other content."
    if command.action != "request" and meant is None:
        named = command.cancellation_id
        return "not-cancelled", f"Cancellation {named} is not in force." if named else "No cancellation is in force."
    unknown = sorted(set(ordered.lines) - set(subscription.line_ids))
    if unknown:
        return "unknown-line", f"The subscription has no line {', '.join(unknown)}."
    return None


def _overlap(lines: Lines, others: Lines) -> bool:
    """Whether two commands are about the same thing: both the whole, or a line in common."""
    return lines == others or not set(lines).isdisjoint(others)


def _too_early(subscription: Subscription, end: End, ordered: Ordered, rules: Rules) -> tuple[RefusalCode, str] | None:
    """Why the end that a command comes to cannot be accepted."""
    start = subscription.agreement.start_date
    if end.end_date < start:
        return "end-before-start", f"The end {end.end_date} lies before the start {start}."
    floor = rules.at(ordered.time).earliest_backdate_days
    if (local_date(ordered.time, subscription.agreement.time_zone) - end.end_date).days > floor:
        return "end-too-far-back", f"The end {end.end_date} lies more than {floor} days back."
    if end.end_date < end.earliest_permitted_end_date and ordered.command.override is None:
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


def _already_done(subscription: Subscription, course: Course, command: Command) -> bool:
    """The same request once more, under a new event id."""
    known = course.with_id(command.cancellation_id)
    return known is not None and command in known.requests and not subscription.told.ended


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
