"""Dead letters: found on their topic, shown, replayed, discarded; each of the last two once at most.

A letter's name is its place: topic, partition and offset. Replaying writes its fate and puts the original
record into the outbox in one transaction, so that it goes out exactly as any outcome does, in order for
each key, however often the command is given.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import asyncpg
import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import RecordsToDelete
from pydantic_core import from_json

from service import clients, lenient
from service.messages.dead_letters import MOVED, Origin, is_cut, origin, original
from service.messages.envelope import STRUCTURED, Envelope, Headers, UnreadableError, decode
from service.ops.sending import producing
from service.settings import Settings
from service.store import dead_letters, outbox
from service.store.dead_letters import Fate, Place
from service.store.records import Incoming, Outgoing

log = structlog.get_logger(__name__)

_AT_ONCE = 500
_QUIET_SECONDS = 5.0
_FETCH_BYTES = 64_000_000


class LetterError(Exception):
    """A letter cannot be found or replayed; the message says why."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as it lies on its topic, where it came from, and what has become of it."""

    place: Place
    written_at: datetime
    key: bytes | None
    value: bytes | None
    headers: Headers
    origin: Origin
    fate: Fate | None = None

    @property
    def name(self) -> str:
        """What the commands know it by."""
        return "{}-{}-{}".format(*self.place)

    @property
    def original(self) -> Incoming:
        """The record it was."""
        of, timestamp = self.origin, int(self.written_at.timestamp() * 1000)
        headers = original(self.headers)
        return Incoming(of.topic or "", of.partition or 0, of.offset or 0, timestamp, self.key, self.value, headers)

    def read(self) -> Envelope | UnreadableError:
        """What this release makes of it."""
        try:
            return decode(self.original)
        except UnreadableError as error:
            return error


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which letters are meant; nothing named is all of them."""

    reason: str | None = None
    topic: str | None = None
    since: datetime | None = None
    settled: bool = False

    def holds(self, letter: Letter) -> bool:
        """Whether a letter is meant, by what it says of itself."""
        if self.since is not None and letter.written_at < self.since:
            return False
        return self.reason in {None, letter.origin.reason} and self.topic in {None, letter.origin.topic}


@dataclass(slots=True)
class Found:
    """The newest letters that were meant, and how many there are, by reason."""

    letters: list[Letter] = field(default_factory=list)
    by_reason: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Done:
    """How many letters were given a fate, had one before, or cannot be replayed, with why."""

    done: int = 0
    before: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)


def place(name: str) -> Place:
    """The place that a name says.

    Raises:
        LetterError: it is no name of a letter.
    """
    topic, partition, offset = ["", "", "", *name.rsplit("-", 2)][-3:]
    if not (topic and partition.isdecimal() and offset.isdecimal()):
        raise LetterError(f"{name!r} is no name of a dead letter; `dead-letters list` shows them.")
    return topic, int(partition), int(offset)


async def find(settings: Settings, topic: str, wanted: Wanted, limit: int) -> Found:
    """The newest letters that are meant, the newest first; those with a fate only if asked for."""
    found = Found()
    async with clients.connected(settings) as connection:
        async for letters in _pages(settings, connection, topic, wanted):
            found.by_reason.update(letter.origin.reason for letter in letters)
            newest = sorted([*found.letters, *letters], key=lambda each: (each.written_at, each.place), reverse=True)
            found.letters = newest[:limit]
    return found


async def one(settings: Settings, name: str) -> Letter:
    """The letter of that name.

    Raises:
        LetterError: there is none.
    """
    topic, partition, offset = at = place(name)
    async with clients.connected(settings) as connection, _consumer(settings) as consumer:
        tp = TopicPartition(topic, partition)
        if tp not in await _partitions(settings, topic):
            raise LetterError(f"There is no partition {partition} of a topic {topic}.")
        consumer.assign([tp])
        (first,), (end,) = (
            (await consumer.beginning_offsets([tp])).values(),
            (await consumer.end_offsets([tp])).values(),
        )
        if not first <= offset < end:
            raise LetterError(f"{topic} holds offsets {first} to {end - 1} in partition {partition}, not {offset}.")
        consumer.seek(tp, offset)
        records = (await consumer.getmany(tp, timeout_ms=int(_QUIET_SECONDS * 1000), max_records=1)).get(tp, [])
        if not records or records[0].offset != offset:
            raise LetterError(f"There is no record at offset {offset} of partition {partition} of {topic}.")
        return replace(_letter(records[0]), fate=(await dead_letters.fates(connection, [at])).get(at))


async def replay(
    settings: Settings, inputs: Sequence[str], letters: AsyncIterator[Sequence[Letter]], *, to: str | None = None
) -> Done:
    """Sends letters once more as the records they were, to the topics they came from, or all to one.

    Only to topics that the service reads: what a header says is not to be trusted with more.
    """
    done = Done()
    async with clients.connected(settings) as connection:
        async for page in letters:
            refused = {letter.place: _why_not(letter, to, inputs) for letter in page}
            can = [letter for letter in page if refused[letter.place] is None]
            done.refused += [(letter.name, why) for letter in page if (why := refused[letter.place]) is not None]
            async with connection.transaction():
                now = datetime.now(UTC)
                fresh = await dead_letters.settle(connection, (x.place for x in can), Fate("replayed", None, now))
                records = [_again(letter, to or letter.original.topic, now) for letter in can if letter.place in fresh]
                await outbox.append(connection, records, settings.relay_shards)
            done.done += len(fresh)
            done.before += len(can) - len(fresh)
    return done


def _why_not(letter: Letter, to: str | None, inputs: Sequence[str]) -> str | None:
    """Why a letter cannot be replayed, if it cannot."""
    target = to or letter.origin.topic
    if is_cut(letter.headers):
        return "holds only the beginning of a value that was too large"
    if target in inputs:
        return None
    where = "does not say where it came from" if target is None else f"came from {target}"
    return f"{where}, and the service reads {', '.join(inputs)}; name one with --to"


async def discard(settings: Settings, letters: AsyncIterator[Sequence[Letter]], because: str) -> Done:
    """Notes that letters are not to be replayed, and why."""
    done = Done()
    async with clients.connected(settings) as connection:
        async for page in letters:
            fate = Fate("discarded", because, datetime.now(UTC))
            fresh = await dead_letters.settle(connection, (letter.place for letter in page), fate)
            done.done += len(fresh)
            done.before += len(page) - len(fresh)
    return done


async def take_off(settings: Settings, topic: str, mine: Callable[[Letter], bool], *, dry_run: bool) -> list[str]:
    """Takes letters off their topic for good, whatever their fates; returns the names they had.

    Kafka lets go of a partition's beginning only: the letters of others that lie there go to its end first, with their
    fates and under new names. Given again after an interruption, it moves no letter twice.
    """
    last, names, moved = dict[TopicPartition, int](), list[str](), set[str]()
    async with clients.connected(settings) as connection:
        async for page in _pages(settings, connection, topic, Wanted(settled=True)):
            for letter in page:
                moved |= {value.decode() for name, value in letter.headers if name == MOVED and value is not None}
                if mine(letter):
                    names.append(letter.name)
                    last[TopicPartition(*letter.place[:2])] = letter.place[2]
        if dry_run or not last:
            return names
        async with _consumer(settings) as consumer, producing(settings, settings.largest_record) as producer:
            async for records in _records(consumer, sorted(last), None):
                letters = [letter for letter in map(_letter, records) if not mine(letter) and letter.name not in moved]
                for letter in letters:
                    if letter.place[2] < last[TopicPartition(*letter.place[:2])]:
                        await _move(connection, producer, letter)
        async with clients.administering(settings) as admin:
            await admin.delete_records({tp: RecordsToDelete(before_offset=offset + 1) for tp, offset in last.items()})
        for tp, offset in last.items():
            await dead_letters.forget(connection, (tp.topic, tp.partition, offset))
    return names


async def _move(connection: asyncpg.Connection, producer: AIOKafkaProducer, letter: Letter) -> None:
    """A letter once more, at the end of its partition and with its fate."""
    headers = [(name, value) for name, value in letter.headers if name != MOVED] + [(MOVED, letter.name.encode())]
    topic, partition, _ = letter.place
    written = await producer.send_and_wait(
        topic,
        letter.value,
        letter.key,
        partition=partition,
        timestamp_ms=int(letter.written_at.timestamp() * 1000),
        headers=headers,
    )
    fate = (await dead_letters.fates(connection, [letter.place])).get(letter.place)
    if fate is not None:
        await dead_letters.settle(connection, [(topic, partition, written.offset)], fate)


async def meant(settings: Settings, topic: str, wanted: Wanted) -> AsyncIterator[Sequence[Letter]]:
    """The letters without a fate that are meant, page by page, each partition in order."""
    async with clients.connected(settings) as connection:
        async for page in _pages(settings, connection, topic, replace(wanted, settled=False)):
            yield page


async def named(settings: Settings, names: Sequence[str]) -> AsyncIterator[Sequence[Letter]]:
    """The letters of these names."""
    for name in names:
        yield [await one(settings, name)]


async def only(letter: Letter) -> AsyncIterator[Sequence[Letter]]:
    """One letter that is at hand."""
    yield [letter]


def editable(letter: Letter) -> str:
    """The data of the event as a person edits it.

    Raises:
        LetterError: it is not text.
    """
    try:
        text = (letter.value or b"").decode()
    except UnicodeDecodeError as error:
        raise LetterError("The value is not text; give the data with --data.") from error
    try:
        body = from_json(text)
    except ValueError:
        return text
    return json.dumps(body.get("data") if _structured(letter, body) else body, indent=2, ensure_ascii=False) + "\n"


def edited(letter: Letter, data: str, event_id: str | None) -> Letter:
    """The letter with other data and, if given, another event id; the rest as it was.

    Raises:
        LetterError: what comes out is no event the service can read.
    """
    headers = list(letter.headers)
    try:
        body = from_json(letter.value or b"")
    except ValueError:
        body = None
    if body is not None and _structured(letter, body):
        changes = {"data": _json(data), **({} if event_id is None else {"id": event_id})}
        value = json.dumps({**body, **changes}, ensure_ascii=False)
    else:
        value = json.dumps(_json(data), ensure_ascii=False)
        if event_id is not None:
            headers = [(name, value) for name, value in headers if name.lower() != "ce_id"]
            headers.append(("ce_id", event_id.encode()))
    changed = replace(letter, value=value.encode(), headers=headers)
    read = changed.read()
    if isinstance(read, UnreadableError):
        raise LetterError(f"It would be set aside again: {read.reason}: {read}")
    return changed


def _json(text: str) -> Any:  # noqa: ANN401  whatever the document is
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise LetterError(f"The data is not JSON: {error}") from error


def _structured(letter: Letter, body: object) -> bool:
    kinds = [(value or b"").lower() for name, value in letter.headers if name.lower() == "content-type"]
    return isinstance(body, dict) and any(kind.startswith(STRUCTURED.encode()) for kind in kinds)


def _again(letter: Letter, topic: str, now: datetime) -> Outgoing:
    return Outgoing(topic, letter.key, letter.value, original(letter.headers), now)


async def _pages(
    settings: Settings, connection: asyncpg.Connection, topic: str, wanted: Wanted
) -> AsyncIterator[list[Letter]]:
    """All letters that are meant, each with its fate, in order of their places."""
    async with _consumer(settings) as consumer:
        partitions = await _partitions(settings, topic)
        if not partitions:
            raise LetterError(f"There is no topic {topic}.")
        async for records in _records(consumer, partitions, wanted.since):
            letters = [letter for letter in map(_letter, records) if wanted.holds(letter)]
            fates: Mapping[Place, Fate] = await dead_letters.fates(connection, (each.place for each in letters))
            known = [replace(letter, fate=fates.get(letter.place)) for letter in letters]
            yield [letter for letter in known if wanted.settled or letter.fate is None]


async def _records(
    consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition], since: datetime | None
) -> AsyncIterator[list[ConsumerRecord[bytes, bytes]]]:
    """What partitions hold by now, some records at a time, each partition in order."""
    consumer.assign(partitions)
    ends = await consumer.end_offsets(partitions)
    await consumer.seek_to_beginning(*partitions)
    if since is not None:
        stamp = int(since.timestamp() * 1000)
        for tp, first in (await consumer.offsets_for_times(dict.fromkeys(partitions, stamp))).items():
            consumer.seek(tp, ends[tp] if first is None else first.offset)
    last_seen = asyncio.get_running_loop().time()
    while behind := [tp for tp in partitions if await consumer.position(tp) < ends[tp]]:
        taken = await consumer.getmany(*behind, timeout_ms=200, max_records=_AT_ONCE)
        for tp, records in taken.items():
            yield [record for record in records if record.offset < ends[tp]]
        if taken:
            last_seen = asyncio.get_running_loop().time()
        elif asyncio.get_running_loop().time() - last_seen > _QUIET_SECONDS:
            log.warning("dead-letters-not-read-to-the-end", partitions=[tuple(tp) for tp in behind])
            return


async def _partitions(settings: Settings, topic: str) -> list[TopicPartition]:
    """The partitions of a topic; of one that does not exist, none."""
    async with clients.administering(settings) as admin:
        (described,) = await admin.describe_topics([topic])
    return sorted(TopicPartition(topic, partition["partition"]) for partition in described["partitions"])


def _letter(record: ConsumerRecord[Any, Any]) -> Letter:
    headers = list(record.headers)
    at = (record.topic, record.partition, record.offset)
    written_at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    return Letter(at, written_at, record.key, record.value, headers, origin(headers))


@asynccontextmanager
async def _consumer(settings: Settings) -> AsyncIterator[AIOKafkaConsumer]:
    lenient.install()
    consumer = AIOKafkaConsumer(
        **clients.kafka(settings),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=_FETCH_BYTES,
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()
