"""A customer is forgotten: out of the tables, out of the timelines, out of the dead letters; the books stay.

Subscription by subscription, each in one transaction under its own lock, so that workers go on meanwhile. What is
rewritten are the facts; the state is folded from them anew, and all is verified before and after. A subscription that
does not come out with the same books is left as it was and named. The outcomes keep their ids and numbers, so that a
repeat is still known as one.

Then the workers publish all that was decided before and a new snapshot of each timeline, which takes the place of the
older ones; and the customer's dead letters are taken off their topic. The topics of events keep what they hold until
their retention is over: they are the logs of others too, and nothing in them can be rewritten. When that is, is told.

The same command goes on where it was interrupted; once it is done, it finds nothing.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from secrets import token_bytes
from time import monotonic
from typing import Any, TypeAlias

import asyncpg

from service import clients
from service.batch import CLOCK
from service.domain.facts import FORGOTTEN
from service.domain.subscription import Subscription
from service.flow import Clock, utc_now
from service.messages import personal
from service.messages.envelope import content_digest
from service.ops.dead_letters import Letter, take_off
from service.ops.replay import Judge, Replay
from service.ops.verify import facts_of, verify_these, waiting_of
from service.outgoing import SNAPSHOT, drawn
from service.settings import Settings, Topics
from service.store import erasures, lookup, outbox, policies, subscriptions
from service.store.erasures import Erasure
from service.store.subscriptions import Key, StoredFact
from service.topics import kept_for

Shown: TypeAlias = Callable[[str], None]

_SOURCE = "forget"
_PATIENCE_SECONDS = 60.0
"""How long nothing may move before it is given up."""
_GLANCE_SECONDS = 0.2


class ForgettingError(Exception):
    """It cannot be done now; the message says why."""


class LeftError(Exception):
    """A subscription that is left as it was; the message says why."""


@dataclass(frozen=True, slots=True)
class Customer:
    """Who is to be forgotten; `also` are further words by which dead letters are known to be about them."""

    tenant: str
    customer: str
    also: tuple[str, ...] = ()


@dataclass(slots=True)
class Forgotten:
    """What came of it.

    `left` are subscriptions that were left as they were, with why; `references` are ids of others that still name the
    customer; `expires` says for each topic of events when nothing from before is on it any more (None: never).
    """

    pseudonym: str | None = None
    subscriptions: list[Key] = field(default_factory=list)
    facts: int = 0
    dead_letters: list[str] = field(default_factory=list)
    left: dict[Key, str] = field(default_factory=dict)
    references: list[str] = field(default_factory=list)
    expires: dict[str, datetime | None] = field(default_factory=dict)

    @property
    def document(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "pseudonym": self.pseudonym,
            "subscriptions": [{"tenant_id": tenant, "subscription_id": name} for tenant, name in self.subscriptions],
            "facts": self.facts,
            "dead_letters": self.dead_letters,
            "left": [{"tenant_id": t, "subscription_id": name, "because": why} for (t, name), why in self.left.items()],
            "references": self.references,
            "topics_clean_by": {topic: None if at is None else at.isoformat() for topic, at in self.expires.items()},
        }


async def find(settings: Settings, topics: Topics, customer: Customer, clock: Clock = utc_now) -> Forgotten:
    """What would be forgotten; changes nothing."""
    async with clients.connected(settings) as connection:
        act = await erasures.under_way(connection, customer.tenant, customer.customer)
        found = Forgotten(None if act is None else act.pseudonym)
        names = [customer.customer, *([] if act is None else [act.pseudonym])]
        found.subscriptions = await erasures.of_customer(connection, customer.tenant, names)
        for key in found.subscriptions:
            facts = await facts_of(connection, key)
            found.facts += len(facts)
            found.references += _references(customer, key, [fact for _, fact in facts])
            known = await lookup.one(connection, key)
            if known is not None and known.held is not None:
                found.left[key] = _held(known.held.because)
    mine = about(customer, found.subscriptions)
    found.dead_letters = await take_off(settings, topics.cancellation_dead_letter, mine, dry_run=True)
    found.expires = await kept_for(settings, _logs(topics), clock())
    return found


async def forget(
    settings: Settings, topics: Topics, customer: Customer, asked_by: str, shown: Shown, clock: Clock = utc_now
) -> Forgotten:
    """Forgets a customer, or goes on with it.

    Raises:
        ForgettingError: it is being done already, or what was decided before does not reach Kafka.
        KafkaError: Kafka cannot be used; the same command goes on.
    """
    async with clients.connected(settings) as connection:
        if not await erasures.lock(connection, customer.tenant, customer.customer):
            raise ForgettingError("This customer is being forgotten already.")
        again = personal.is_pseudonym(customer.customer)
        pseudonym = customer.customer if again else personal.new_pseudonym()
        named = customer.tenant, customer.customer
        act = await erasures.begin(connection, *named, pseudonym, asked_by, clock())
        found = Forgotten(act.pseudonym)
        await _rewrite(connection, settings, topics, customer, act, found, shown, clock)
        await _published(connection, shown)
        mine = about(customer, found.subscriptions)
        found.dead_letters = await take_off(settings, topics.cancellation_dead_letter, mine, dry_run=False)
        shown(f"{len(found.dead_letters)} dead letters taken off their topic")
        found.expires = await kept_for(settings, _logs(topics), clock())
        if not (found.subscriptions or found.dead_letters):
            await erasures.drop(connection, act)
            found.pseudonym = None
        elif not found.left:
            counts = len(found.subscriptions), len(found.dead_letters)
            await erasures.done(connection, act, clock(), *counts)
    return found


async def _rewrite(  # noqa: PLR0913, PLR0917  all that the act consists of
    connection: asyncpg.Connection,
    settings: Settings,
    topics: Topics,
    customer: Customer,
    act: Erasure,
    found: Forgotten,
    shown: Shown,
    clock: Clock,
) -> None:
    """Every subscription of the customer, and those that are activated meanwhile."""
    names = [customer.customer, act.pseudonym]
    seen = set[Key]()
    while fresh := [k for k in await erasures.of_customer(connection, customer.tenant, names) if k not in seen]:
        for key in fresh:
            seen.add(key)
            try:
                facts = await _alone(connection, settings, topics, key, act, clock())
                found.facts += len(facts)
                found.references += _references(customer, key, facts)
            except LeftError as why:
                found.left[key] = str(why)
            shown(f"{len(seen)} of {len(seen) + len(fresh) - fresh.index(key) - 1} subscriptions")
    found.subscriptions = sorted(seen)


async def _alone(
    connection: asyncpg.Connection, settings: Settings, topics: Topics, key: Key, act: Erasure, now: datetime
) -> list[StoredFact]:
    """One subscription in a transaction of its own; again where a relay was about to delete what it rewrites."""
    while True:
        try:
            async with connection.transaction():
                return await rewrite_one(connection, settings, topics, key, act, now)
        except asyncpg.DeadlockDetectedError:
            await asyncio.sleep(0)


async def rewrite_one(
    connection: asyncpg.Connection, settings: Settings, topics: Topics, key: Key, act: Erasure, now: datetime
) -> list[StoredFact]:
    """One subscription, in the transaction of its caller; returns its facts as they are now.

    Raises:
        LeftError: it cannot be forgotten as it is.
    """
    locked = await subscriptions.lock(connection, [key], now)
    before = locked.known[key]
    if key in locked.held:
        raise LeftError(_held(locked.held[key].because))
    if before is None:
        raise LeftError("its state cannot be read")
    facts = await facts_of(connection, key)
    if any((entry.type, entry.event_id) == (FORGOTTEN, str(act.erasure_id)) for entry in before.entries):
        return [fact for _, fact in facts]
    await _verified(connection, settings, topics, key, "does not come to what its facts say")
    recorded = (await policies.recorded(connection, [key[0]])).get(key[0], ())
    waiting = (await waiting_of(connection, topics, [key]))[key]
    judge = Judge(settings, topics, recorded)
    replay = Replay(key, judge, frozenset(record.event_id for _, record in waiting))
    words = personal.worded(token_bytes(16))
    rewritten = [(position, _impersonal(fact, act.pseudonym, words)) for position, fact in facts]
    noted = StoredFact(key, _SOURCE, str(act.erasure_id), FORGOTTEN, now, now, b"{}", len(recorded))
    for fact in (*(fact for _, fact in rewritten), noted):
        replay.take(fact)
    after = replay.state
    if after is None or _books(after) != _books(before):
        raise LeftError(f"would have other books: {replay.broken or 'its facts come to something else'}")
    await erasures.rewrite_facts(connection, key, rewritten)
    await subscriptions.keep_facts(connection, [noted])
    await erasures.rewrite_subscription(connection, after, replay.published, now)
    outcomes = [
        (number, replay.recomputed[record.event_id][1])
        for number, record in waiting
        if record.event_id in replay.recomputed
    ]
    snapshots = [number for number, record in waiting if record.topic == topics.named(SNAPSHOT)]
    await erasures.rewrite_outbox(connection, outcomes)
    await outbox.delete(connection, snapshots)
    snapshot = drawn(topics, after, now, judge.rules(len(recorded)))
    await outbox.append(connection, [snapshot], settings.relay_shards)
    await _verified(connection, settings, topics, key, "would not come to what its facts say")
    return [fact for _, fact in rewritten]


async def _verified(connection: asyncpg.Connection, settings: Settings, topics: Topics, key: Key, what: str) -> None:
    if findings := (await verify_these(connection, settings, topics, [key])).findings:
        raise LeftError(f"{what}: {findings[0].field}, see `python -m service verify --subscription {key[1]}`")


def _impersonal(fact: StoredFact, pseudonym: str, words: personal.Replacement) -> StoredFact:
    if fact.type in {CLOCK, FORGOTTEN}:
        return fact
    content = fact.content or content_digest(fact.type, fact.data)
    return replace(fact, data=personal.impersonal(fact.type, fact.data, pseudonym, words), content=content)


def _books(subscription: Subscription) -> tuple[object, ...]:
    """All of a subscription that money or time depends on, and its history but for who is forgotten in it."""
    entries = [entry for entry in subscription.entries if entry.type != FORGOTTEN]
    settled = subscription.told, subscription.charges, subscription.paid
    return (*settled, subscription.renewals, subscription.pauses, subscription.line_ids, entries)


async def _published(connection: asyncpg.Connection, shown: Shown) -> None:
    """Waits until the workers have published all that was decided by now."""
    last, before = await erasures.outbox_end(connection), 0
    until = monotonic() + _PATIENCE_SECONDS
    while count := await erasures.waiting(connection, last):
        if count != before:
            shown(f"{count} records wait to be published")
            before, until = count, monotonic() + _PATIENCE_SECONDS
        if monotonic() > until:
            raise ForgettingError(
                f"{count} records still wait to be published: see that the workers run and reach Kafka, then give the "
                "command again; it goes on from here."
            )
        await asyncio.sleep(_GLANCE_SECONDS)


def _logs(topics: Topics) -> list[str]:
    """The topics of events: all but the compacted ones and the dead letters."""
    apart = {topics.subscription_timeline, topics.cancellation_policy, topics.cancellation_dead_letter}
    return [name for name in topics.model_dump().values() if name not in apart]


def _held(because: str) -> str:
    return f"is held ({because}): resume it first"


def _references(customer: Customer, key: Key, facts: Sequence[StoredFact]) -> list[str]:
    """Ids that name the customer and that others have in their books too: where, and which."""
    names = _pattern([customer.customer])
    ids = {fact.event_id for fact in facts} | {key[1]}
    for fact in facts:
        if fact.type not in {CLOCK, FORGOTTEN}:
            ids |= set(_ids(json.loads(fact.data)))
    return [f"{key[0]} {key[1]}: {each}" for each in sorted(ids) if names.search(each.encode())]


def _ids(said: object) -> list[str]:
    """Every reference in the data of an event."""
    if isinstance(said, list):
        return [found for each in said for found in _ids(each)]
    if not isinstance(said, Mapping):
        return []
    own = [v for name, v in said.items() if name in personal.REFERENCES and isinstance(v, str)]
    return own + [found for each in said.values() for found in _ids(each)]


def _pattern(names: Sequence[str]) -> re.Pattern[bytes]:
    """Finds any of these names as a word of its own, also as JSON may write it."""
    written = {form for name in names for form in (name.encode(), json.dumps(name)[1:-1].encode())}
    return re.compile(rb"(?<![\w-])(?:" + b"|".join(map(re.escape, sorted(written))) + rb")(?![\w-])")


def about(customer: Customer, keys: Sequence[Key]) -> Callable[[Letter], bool]:
    """Whether a dead letter is about the customer: it names them, one of their subscriptions, or what is given also.

    An id is the whole of a key, a header or a text in JSON; in what is no JSON it is a word, as further words are ever.
    """
    ids = {customer.customer, *(name for _, name in keys)}
    words = _pattern(customer.also) if customer.also else None
    anywhere = _pattern([*ids, *customer.also])

    def is_about(letter: Letter) -> bool:
        if _tenant(letter) not in {None, customer.tenant}:
            return False
        original = letter.original
        parts = [part for part in (original.key, *(value for _, value in original.headers)) if part]
        try:
            said = set(_texts(json.loads(original.value or b"")))
        except (ValueError, RecursionError):
            said = set()
            if anywhere.search(original.value or b""):
                return True
        said |= {part.decode(errors="replace") for part in parts}
        said |= {text.partition(":")[2] for text in said if text.startswith(f"{customer.tenant}:")}
        return not ids.isdisjoint(said) or (
            words is not None and any(words.search(text.encode(errors="replace")) for text in said)
        )

    return is_about


def _texts(said: object) -> Iterator[str]:
    """Every text in a document."""
    if isinstance(said, str):
        yield said
    elif isinstance(said, Mapping):
        for value in said.values():
            yield from _texts(value)
    elif isinstance(said, list):
        for value in said:
            yield from _texts(value)


def _tenant(letter: Letter) -> str | None:
    """The tenant that a letter names; None where it cannot be read."""
    try:
        said = json.loads(letter.value or b"")
    except (ValueError, RecursionError):
        return None
    data = said.get("data", said) if isinstance(said, Mapping) else None
    return str(data.get("tenant_id", "default")) if isinstance(data, Mapping) else None
