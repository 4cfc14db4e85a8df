"""What must hold of a world that has come to rest."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from service.ops.verify import Scope, verify
from service.outgoing import digest
from service.store.records import Outgoing, unflatten
from tests.books import TIMELINE, check
from tests.simulation.inputs import scrap, small_life, stranger
from tests.simulation.kafka import Published
from tests.simulation.postgres import Row
from tests.simulation.schedule import Chance, Schedule
from tests.simulation.world import DAWN, TOPICS, World

Data = dict[str, Any]


def complaints(world: World) -> list[str]:
    """Everything that is not as promised."""
    return [f"{look.__name__.strip('_')}: {what}" for look in LOOKS for what in look(world)]


def _repeats(world: World) -> Iterator[str]:
    first: dict[str, Published] = {}
    for record in _written(world):
        if record.event_id and first.setdefault(record.event_id, record) != record:
            yield f"{record.event_id} was published with two contents"
    world.counted["records published"] += len(_written(world))
    world.counted["repeats published"] += len(_written(world)) - len(first)


def _order(world: World) -> Iterator[str]:
    """Numbered 1, 2, 3 … over all topics, and ascending in each."""
    numbers: dict[bytes, list[int]] = defaultdict(list)
    for (topic, _), records in world.log.written.items():
        last: dict[bytes, int] = {}
        for record in _once(records):
            if topic == TOPICS.cancellation_dead_letter or record.key is None:
                continue
            number = json.loads(record.value or b"")["sequence"]
            before = last.get(record.key, 0)
            if number < before or (number == before and number and topic != TIMELINE):
                yield f"{record.key!r} on {topic}: number {number} comes after {before}"
            last[record.key] = number
            if number and topic != TIMELINE:
                numbers[record.key].append(number)
    for key, found in numbers.items():
        if sorted(found) != list(range(1, len(found) + 1)):
            yield f"{key!r} has the numbers {sorted(found)}"


def _lost(world: World) -> Iterator[str]:
    """What was decided is what was published: the digests say so."""
    published: dict[str, list[Outgoing]] = defaultdict(list)
    for record in _once(_written(world)):
        if record.topic not in {TOPICS.cancellation_dead_letter, TIMELINE} and record.key is not None:
            published[record.key.decode()].append(
                Outgoing(record.topic, record.key, record.value, record.headers, DAWN)
            )
    for row in world.database.tables["subscription"].values():
        name = f"{row['tenant_id']}:{row['subscription_id']}"
        numbered = sorted(
            (number, place, record)
            for place, record in enumerate(published[name])
            if (number := json.loads(record.value or b"")["sequence"])
        )
        if digest(b"", [record for _, _, record in numbered]) != (row["published"] or b""):
            yield f"{name} has decided other outcomes than were published"


def _left(world: World) -> Iterator[str]:
    for table in ("outbox", "parked"):
        if world.database.tables[table]:
            yield f"{len(world.database.tables[table])} rows are left in {table}"
    for row in world.database.tables["subscription"].values():
        if row["held_since"] is not None:
            yield f"{row['subscription_id']} is held: {row['held_because']}"
        if row["state"] is None:
            yield f"{row['subscription_id']} is a place where nothing waits"
        if row["due_at"] is not None and row["due_at"] <= world.now:
            yield f"{row['subscription_id']} is due since {row['due_at']}"


def _decided_once(world: World) -> Iterator[str]:
    taken = Counter((row["source"], row["event_id"]) for row in world.database.tables["fact"].values())
    twice = [name for (source, name), times in taken.items() if times > 1 and source != "clock"]
    if twice:
        yield f"decided more than once: {twice}"
    strangers = {name for n in range(world.scenario.strangers) for name in stranger(n).event_ids}
    told = {name for number in world.scenario.lives for name in _event_ids(number)}
    if strange := {name for source, name in taken if source != "clock"} - told - strangers:
        yield f"decided, though nobody sent it: {sorted(strange)}"
    facts_expected = {name for number in world.scenario.lives for name in _fact_ids(number)}
    if missing := facts_expected - {name for source, name in taken if source == "/billing"}:
        yield f"sent, and never decided: {sorted(missing)}"


def _strangers(world: World) -> Iterator[str]:
    """Each request is either refused as unheard of or decided, never both."""
    refused = Counter(
        record.key.decode().partition(":")[2]
        for record in _once(_written(world))
        if record.key is not None
        and record.topic == TOPICS.cancellation_status
        and b'"sequence":0' in (record.value or b"")
    )
    decided = {row["event_id"] for row in world.database.tables["fact"].values()}
    for number in range(world.scenario.strangers):
        name = stranger(number).subscription_id
        fates = refused[name] + (f"{name}-request" in decided)
        if fates != 1:
            yield f"{name} was answered {fates} times"
        if number % 2 and f"{name}-activation" not in decided:
            yield f"{name} was activated, and nobody knows"


def _told_once(world: World) -> Iterator[str]:
    """Whatever was decided went into the outbox once: each outcome, each snapshot, each dead letter."""
    told = Counter(_named(row) for row in world.database.appended)
    for (name, kind), times in told.items():
        if times > 1:
            yield f"{kind} {name} was told {times} times"


def _dead_letters(world: World) -> Iterator[str]:
    """Scrap, and nothing else."""
    found = {_named(row) for row in world.database.appended if row["topic"] == TOPICS.cancellation_dead_letter}
    values = {record.value for record in _written(world) if record.topic == TOPICS.cancellation_dead_letter}
    scraps = {scrap(number).value for number in range(world.scenario.scraps)}
    if values != scraps or len(found) < len(scraps):
        yield f"{values ^ scraps} should not have been set aside, or should have been and was not"


def _named(row: Row) -> tuple[str, str]:
    headers = dict(unflatten(row["headers"]))
    if row["topic"] == TOPICS.cancellation_dead_letter:
        place = (headers[name] or b"" for name in ("dlq_topic", "dlq_partition", "dlq_offset"))
        return b" ".join(place).decode(), "dead letter"
    return (headers["ce_id"] or b"").decode(), (headers["ce_type"] or b"").decode()


def _books(world: World) -> Iterator[str]:
    outcomes: dict[str, list[Data]] = defaultdict(list)
    for record in _written(world):
        if record.topic != TOPICS.cancellation_dead_letter:
            headers, data = dict(record.headers), json.loads(record.value or b"")
            kind = (headers["ce_type"] or b"").decode()
            told = {"topic": record.topic, "type": kind, "id": record.event_id, "data": data}
            outcomes[data["subscription_id"]].append(told)
    for number in world.scenario.lives:
        life = small_life(number)
        assert life is not None, "only small lives are told"
        yield from check(life, outcomes[life.subscription_id])
        world.counted["lives checked"] += 1


def _verified(world: World) -> Iterator[str]:
    """The operator's own check, on the database in memory: a replay of the facts gives the same state."""
    chance = Chance(0)
    chance.calm = True
    schedule, found = Schedule(chance), list[str]()

    async def run() -> None:
        connection = world.database.connect(world.workers[0])
        async for verified in verify(connection, world.settings, TOPICS, Scope()):
            found.extend(str(finding) for finding in verified.findings)

    schedule.start("verify", None, run())
    while schedule.step() is not None:
        pass
    yield from found


LOOKS = (_told_once, _repeats, _order, _lost, _left, _decided_once, _strangers, _dead_letters, _books, _verified)


def _written(world: World) -> list[Published]:
    return [record for records in world.log.written.values() for record in records]


def _once(records: list[Published]) -> list[Published]:
    first: dict[object, Published] = {}
    for record in records:
        first.setdefault(record.event_id or id(record), record)
    return list(first.values())


def _event_ids(number: int) -> set[str]:
    life = small_life(number)
    return set() if life is None else {event.id for event in (*life.lifecycle, *life.commands)}


def _fact_ids(number: int) -> set[str]:
    life = small_life(number)
    return set() if life is None else {event.id for event in life.lifecycle}
