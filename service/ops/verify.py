"""Whether all is as the facts say: every subscription recomputed and compared with what is stored and published.

Batch by batch in the order of the keys, each batch in one snapshot of the database, so that a check of
everything holds neither locks nor memory nor old rows, and workers go on meanwhile.

What is compared: each fact with its own digest; the state field by field; the digest of all that was
published; what waits in the outbox byte for byte, but for the trace headers, which no fact holds. The
laws are checked by the deciding itself. The judge is this release's rule: a fact that an earlier release
decided otherwise is a difference too. Dead letters, those being replayed, and answers about subscriptions
that were never activated, follow from no facts and are passed over.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

import asyncpg

from service.messages.envelope import CARRIED
from service.ops.replay import Judge, Replay
from service.settings import Settings, Topics
from service.store import policies
from service.store.records import Outgoing, unflatten
from service.store.subscriptions import Key, StoredFact, ends_at, open_since, read_state, state_json
from service.turns import Turns

Waiting: TypeAlias = list[tuple[int, Outgoing]]

_NAMED = 5
"""How many fields of one document are named; the rest is counted."""
_SHOWN = 80
"""How much of a value is shown, in characters."""
_FACTS_AT_ONCE = 200
"""How many facts are decided before the event loop has its turn."""
_NOTHING = object()
_TRACE = {*CARRIED, *(f"ce_{name}" for name in CARRIED)}

_COUNT = """
select count(*)
from subscription
where ($1::text is null or tenant_id = $1) and ($2::text is null or subscription_id = $2)
"""
_PAGE = """
with page as (
    (
        select tenant_id, subscription_id
        from subscription
        where
            (tenant_id, subscription_id) > ($1, $2)
            and ($3::text is null or tenant_id = $3) and ($4::text is null or subscription_id = $4)
        order by tenant_id, subscription_id
        limit $5
    )
    union
    (
        select distinct tenant_id, subscription_id
        from fact
        where
            (tenant_id, subscription_id) > ($1, $2)
            and ($3::text is null or tenant_id = $3) and ($4::text is null or subscription_id = $4)
        order by tenant_id, subscription_id
        limit $5
    )
    order by tenant_id, subscription_id
    limit $5
)

select tenant_id, subscription_id
from page
order by tenant_id, subscription_id
"""
_ROWS = """
select
    k.tenant_id, k.subscription_id,
    s.customer_id, s.sequence, s.due_at, s.open_since, s.ends_at, s.state, s.published
from unnest($1::text [], $2::text []) as k (tenant_id, subscription_id)
left join subscription s using (tenant_id, subscription_id)
order by k.tenant_id, k.subscription_id
"""
_FACTS = """
select f.*
from fact f
inner join unnest($1::text [], $2::text []) as k (tenant_id, subscription_id) using (tenant_id, subscription_id)
order by f.tenant_id, f.subscription_id, f.position
"""
_WAITING = """
select id, topic, key, value, headers, created_at
from outbox
where key = any($1::bytea []) and topic <> all($2::text [])
order by id
"""
_OUTBOX = """
select id, topic, key, value, headers, created_at
from outbox
where id > $1 and topic <> all($2::text [])
order by id
limit $3
"""


@dataclass(frozen=True, slots=True)
class Scope:
    """What is to be verified; nothing named is everything."""

    tenant: str | None = None
    subscription: str | None = None

    def holds(self, key: Key) -> bool:
        """Whether a subscription is part of it."""
        return self.tenant in {None, key[0]} and self.subscription in {None, key[1]}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as the facts say: of which subscription, where, and what, in words."""

    key: Key
    field: str
    words: str

    def __str__(self) -> str:
        return f"{self.key[0]} {self.key[1]}: {self.field}: {self.words}"


@dataclass(frozen=True, slots=True)
class Verified:
    """What one batch came to."""

    subscriptions: int
    findings: tuple[Finding, ...] = ()


async def count(connection: asyncpg.Connection, scope: Scope) -> int:
    """How many subscriptions there are to verify."""
    number: int = await connection.fetchval(_COUNT, scope.tenant, scope.subscription)
    return number


async def verify(
    connection: asyncpg.Connection, settings: Settings, topics: Topics, scope: Scope, *, size: int = 500
) -> AsyncIterator[Verified]:
    """Verifies the subscriptions in scope, `size` at a time, and then that nothing waits in the outbox under no name.

    Changes nothing and locks nothing.
    """
    after: Key | None = ("", "")
    while after is not None:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            keys = await page(connection, scope, after, size)
            verified = await verify_these(connection, settings, topics, keys)
        yield verified
        after = keys[-1] if len(keys) == size else None
    last: int | None = 0
    while last is not None:
        rows = await connection.fetch(_OUTBOX, last, _passed_over(topics), size)
        strays = (_stray(row["id"], _outgoing(row)) for row in rows)
        yield Verified(0, tuple(finding for finding in strays if finding is not None and scope.holds(finding.key)))
        last = rows[-1]["id"] if len(rows) == size else None


async def page(connection: asyncpg.Connection, scope: Scope, after: Key, size: int) -> list[Key]:
    """The next few subscriptions in scope that have a row or facts, in the order of their keys."""
    return [_key(row) for row in await connection.fetch(_PAGE, *after, scope.tenant, scope.subscription, size)]


async def verify_these(
    connection: asyncpg.Connection, settings: Settings, topics: Topics, keys: Sequence[Key]
) -> Verified:
    """Verifies subscriptions, within a transaction that reads one snapshot.

    Their facts are decided as they come, and only what they come to is held.
    """
    columns = [tenant for tenant, _ in keys], [subscription for _, subscription in keys]
    rows = await connection.fetch(_ROWS, *columns)
    waiting = await waiting_of(connection, topics, keys)
    recorded = await policies.recorded(connection, {tenant for tenant, _ in keys})
    replays = {
        key: Replay(
            key,
            Judge(settings, topics, recorded.get(key[0], ())),
            frozenset(record.event_id for _, record in waiting[key]),
        )
        for key in keys
    }
    findings: dict[Key, list[Finding]] = {key: [] for key in keys}
    turns = Turns()
    async for row in connection.cursor(_FACTS, *columns, prefetch=_FACTS_AT_ONCE):
        await turns.give()
        fact, replay = _fact(row), replays[_key(row)]
        replay.take(fact)
        if row["digest"] is not None and row["digest"] != fact.digest:
            changed = Finding(fact.key, replay.named(fact), "is not as it was written")
            findings[fact.key].append(changed)
    for row in rows:
        key = _key(row)
        findings[key] += _compared(row, replays[key], waiting[key])
    return Verified(len(rows), tuple(finding for found in findings.values() for finding in found))


async def facts_of(connection: asyncpg.Connection, key: Key) -> list[tuple[int, StoredFact]]:
    """The facts of a subscription in order, each with its position."""
    rows = await connection.fetch(_FACTS, [key[0]], [key[1]])
    return [(row["position"], _fact(row)) for row in rows]


def _passed_over(topics: Topics) -> list[str]:
    """Topics whose records in the outbox follow from no facts: dead letters, and those being replayed."""
    return [topics.cancellation_dead_letter, *topics.inputs]


async def waiting_of(connection: asyncpg.Connection, topics: Topics, keys: Iterable[Key]) -> dict[Key, Waiting]:
    """What waits in the outbox for these subscriptions, in order."""
    named = {":".join(key).encode(): key for key in keys}
    waiting: dict[Key, Waiting] = {key: [] for key in named.values()}
    for row in await connection.fetch(_WAITING, list(named), _passed_over(topics)):
        waiting[named[row["key"]]].append((row["id"], _outgoing(row)))
    return waiting


def _compared(row: asyncpg.Record, replay: Replay, waiting: Waiting) -> Iterator[Finding]:
    """A subscription's row and its records in the outbox, compared with what the facts come to."""
    if replay.broken is not None:
        yield Finding(replay.key, *replay.broken)
        return
    for where, words in _row(row, replay):
        yield Finding(replay.key, where, words)
    for where, words in _outbox(replay, waiting):
        yield Finding(replay.key, where, words)


def _row(row: asyncpg.Record, replay: Replay) -> Iterator[tuple[str, str]]:
    state, text = replay.state, row["state"]
    if state is None or text is None:
        if state is not None or text is not None:
            yield "state", _words(*((_NOTHING, "a subscription") if text is None else ("a subscription", _NOTHING)))
        return
    recomputed = state_json(state)
    if text != recomputed:
        yield from _named(_differences(_document(text), json.loads(recomputed)))
    columns: dict[str, tuple[object, object]] = {
        "row.sequence": (row["sequence"], state.told.sequence),
        "row.customer_id": (row["customer_id"], state.agreement.customer_id),
        "row.due_at": ("set" if row["due_at"] else "not set", "set" if replay.is_due else "not set"),
        "row.open_since": (_instant(row["open_since"]), _instant(open_since(state))),
        "row.ends_at": (_instant(row["ends_at"]), _instant(ends_at(state))),
        "published": ((row["published"] or b"").hex(), replay.published.hex()),
    }
    for name, (stored, said) in columns.items():
        if stored != said:
            yield name, _words(stored, said)


def _document(text: str) -> object:
    """The stored state as this release writes it, or as it stands where it is no state at all."""
    try:
        return json.loads(state_json(read_state(text)))
    except ValueError:
        return json.loads(text)


def _outbox(replay: Replay, waiting: Waiting) -> Iterator[tuple[str, str]]:
    numbers = []
    for number, record in waiting:
        name = f"outbox {number} ({_type(record)})"
        if record.event_id in replay.recomputed:
            sequence, said = replay.recomputed[record.event_id]
            numbers.append(sequence)
            yield from _record(name, record, said)
        elif record.event_id in replay.shown:
            may_say = replay.snapshots(record.event_id, record.created_at)
            if not any(_same(record, said) for said in may_say):
                yield from _record(name, record, may_say[0])
        elif not _is_answer_to_nobody(record):
            yield name, f"waits under the id {record.event_id}, facts say nothing of it"
    total = 0 if replay.state is None else replay.state.told.sequence
    if numbers != list(range(total - len(numbers) + 1, total + 1)):
        yield "outbox", f"outcomes {numbers} wait, facts say that the last of {total} do, in order"


def _same(record: Outgoing, said: Outgoing) -> bool:
    return not any(_record("", record, said))


def _record(name: str, record: Outgoing, said: Outgoing) -> Iterator[tuple[str, str]]:
    """Where a record in the outbox is not what was decided."""
    if record.value != said.value:
        stored, recomputed = _json(record.value), _json(said.value)
        found = list(_named(_differences(stored, recomputed, f"{name} value")))
        yield from found or [(f"{name} value", "is laid out otherwise")]
    parts = (
        ("topic", record.topic, said.topic),
        ("key", _text(record.key), _text(said.key)),
        ("headers", _headers(record), _headers(said)),
    )
    for part, stored, recomputed in parts:
        if stored != recomputed:
            yield from _named(_differences(stored, recomputed, f"{name} {part}"))


def _stray(number: int, record: Outgoing) -> Finding | None:
    """A record in the outbox that waits under another key than its own."""
    value = _json(record.value)
    fields = value if isinstance(value, dict) else {}
    key = (str(fields.get("tenant_id")), str(fields.get("subscription_id")))
    if record.key == ":".join(key).encode():
        return None
    words = _words(_text(record.key), ":".join(key))
    return Finding(key, f"outbox {number} ({_type(record)}) key", words)


def _is_answer_to_nobody(record: Outgoing) -> bool:
    """Whether it is the refusal of a command that came, and was answered, before its subscription was ever heard of."""
    value = _json(record.value)
    return isinstance(value, dict) and (value.get("code"), value.get("sequence")) == ("unknown-subscription", 0)


def _differences(stored: object, said: object, path: str = "") -> Iterator[tuple[str, object, object]]:
    """The paths at which two documents differ, in order, with what each says there."""
    if isinstance(stored, dict) and isinstance(said, dict):
        for name in dict.fromkeys((*said, *stored)):
            inner = f"{path}.{name}" if path else str(name)
            yield from _differences(stored.get(name, _NOTHING), said.get(name, _NOTHING), inner)
    elif isinstance(stored, list) and isinstance(said, list):
        for index in range(max(len(stored), len(said))):
            one, other = (side[index] if index < len(side) else _NOTHING for side in (stored, said))
            yield from _differences(one, other, f"{path}[{index}]")
    elif stored is _NOTHING or said is _NOTHING or stored != said:
        yield path, stored, said


def _named(differences: Iterable[tuple[str, object, object]]) -> Iterator[tuple[str, str]]:
    """The first few differences in words, and how many more there are."""
    found = list(differences)
    for path, stored, said in found[:_NAMED]:
        yield path, _words(stored, said)
    if len(found) > _NAMED:
        yield "and more", f"{len(found) - _NAMED} further fields differ"


def _words(stored: object, said: object) -> str:
    return f"stored {_shown(stored)}, facts say {_shown(said)}"


def _shown(value: object) -> str:
    text = "nothing" if value is _NOTHING else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _headers(record: Outgoing) -> Mapping[str, str]:
    return {name: _text(value) for name, value in record.headers if name not in _TRACE}


def _type(record: Outgoing) -> str:
    return _headers(record).get("ce_type", record.topic)


def _text(value: bytes | None) -> str:
    return (value or b"").decode(errors="replace")


def _instant(value: datetime | None) -> str | None:
    return None if value is None else value.astimezone(UTC).isoformat()


def _json(value: bytes | None) -> Any:  # noqa: ANN401  whatever the document is
    try:
        return json.loads(value or b"null")
    except ValueError:
        return _text(value)


def _key(row: asyncpg.Record) -> Key:
    return row["tenant_id"], row["subscription_id"]


def _outgoing(row: asyncpg.Record) -> Outgoing:
    return Outgoing(row["topic"], row["key"], row["value"], unflatten(row["headers"]), row["created_at"])


def _fact(row: asyncpg.Record) -> StoredFact:
    return StoredFact(
        key=_key(row),
        source=row["source"],
        event_id=row["event_id"],
        type=row["type"],
        time=row["time"],
        recorded_at=row["recorded_at"],
        data=row["data"],
        policies=row["policies"],
        conflicting=row["conflicting"],
        content=row["content"],
    )
