# ruff: noqa: SLF001  the statements and steps of the service are what is replaced
"""Mistakes that a flow like this one could have, each to be found out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, ClassVar
from unittest.mock import patch
from weakref import WeakKeyDictionary

from service.batch import Batch
from service.flow import Relay
from service.store import inbox, outbox, subscriptions
from service.store.records import Outgoing
from service.store.subscriptions import Key, Locked
from tests.simulation.postgres import Connection, Database
from tests.simulation.world import Worker

_Offsets = Mapping[inbox.Partition, int]
_lock_offsets, _lock, _lock_due, _append = inbox.lock_offsets, subscriptions.lock, subscriptions.lock_due, outbox.append


@dataclass(frozen=True, slots=True)
class Fault:
    """What is replaced by what."""

    parts: tuple[tuple[object, str, Callable[..., Any] | property], ...] = ()
    relay: type[Relay] = field(default=Relay)

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Until the context ends."""
        patches = [patch.object(owner, name, replacement) for owner, name, replacement in self.parts]
        for each in patches:
            each.start()
        try:
            yield
        finally:
            for each in patches:
                each.stop()


def _apart(connection: Connection) -> Connection:
    """Another connection of the same process, whose every statement is a transaction of its own."""
    return connection.database.connect(connection.client)


async def _advanced_apart(connection: Connection, group: str, offsets: _Offsets) -> None:
    for partition, following in offsets.items():
        row = {"consumer_group": group, "topic": partition[0], "partition": partition[1], "next_offset": following}
        connection.database.tables["consumer_offset"][group, *partition] = row


async def _offsets_unlocked(
    connection: Connection, group: str, partitions: Iterable[inbox.Partition]
) -> dict[inbox.Partition, int]:
    return await _lock_offsets(_apart(connection), group, partitions)


async def _newest(connection: Connection, _: str, partitions: Iterable[inbox.Partition]) -> dict[inbox.Partition, int]:
    assert isinstance(connection.client, Worker), "only workers ask where to go on"
    return {partition: len(connection.client.world.log.read[partition]) for partition in partitions}


async def _all_fresh(_: Connection, events: Iterable[tuple[bytes, bytes]], __: datetime) -> dict[bytes, set[bytes]]:
    return {key: set() for key, _ in events}


async def _subscriptions_unlocked(connection: Connection, keys: Iterable[Key], now: datetime) -> Locked:
    return await _lock(_apart(connection), keys, now)


async def _no_places(connection: Connection, keys: Iterable[Key], _: datetime) -> Locked:
    wanted = sorted(keys)
    rows = await connection.fetch(subscriptions._LOCK, [tenant for tenant, _ in wanted], [name for _, name in wanted])
    if len(rows) < len(wanted):
        await connection.execute(subscriptions._PLACE, [t for t, _ in wanted], [n for _, n in wanted], _)
    locked = await subscriptions._locked(rows)
    return replace(locked, known={**dict.fromkeys(wanted), **locked.known})


async def _due_unlocked(connection: Connection, now: datetime, limit: int) -> Locked:
    return await _lock_due(_apart(connection), now, limit)


async def _appended_apart(connection: Connection, records: Sequence[Outgoing], shards: int) -> None:
    await _append(_apart(connection), records, shards)


def _all_changed(batch: Batch) -> list[Key]:
    return list(batch._changed)


class _Hasty(Relay):
    """Deletes, then waits for the acknowledgements."""

    async def once(self) -> int:
        self._held.update(await outbox.hold(self._connection, range(self._settings.relay_shards)))
        records = await outbox.pending(self._connection, sorted(self._held), self._settings.relay_max_records)
        under_way = [
            await self._producer.send(r.topic, key=r.key, value=r.value, headers=list(r.headers)) for _, r in records
        ]
        await outbox.delete(self._connection, [number for number, _ in records])
        for acknowledgement in under_way:
            await acknowledgement
        return len(records)


class _AtOnce(Relay):
    """Sends all there is and then waits for the acknowledgements."""

    async def once(self) -> int:
        self._held.update(await outbox.hold(self._connection, range(self._settings.relay_shards)))
        records = await outbox.pending(self._connection, sorted(self._held), self._settings.relay_max_records)
        under_way = [
            await self._producer.send(r.topic, key=r.key, value=r.value, headers=list(r.headers)) for _, r in records
        ]
        for acknowledgement in under_way:
            await acknowledgement
        await outbox.delete(self._connection, [number for number, _ in records])
        return len(records)


class _Reading(Relay):
    """Reads on after the last record it has sent, as one reads a log; where that was outlives the process."""

    _sent_until: ClassVar[WeakKeyDictionary[Database, int]] = WeakKeyDictionary()

    async def once(self) -> int:
        database = self._connection.database
        self._held.update(await outbox.hold(self._connection, range(self._settings.relay_shards)))
        found = await outbox.pending(self._connection, sorted(self._held), 1_000_000)
        records = [(number, record) for number, record in found if number > self._sent_until.get(database, 0)]
        for number, r in records:
            await (await self._producer.send(r.topic, key=r.key, value=r.value, headers=list(r.headers)))
            self._sent_until[database] = number
        await outbox.delete(self._connection, [number for number, _ in records])
        return len(records)


FAULTS = {
    "offsets are advanced apart from what they stand for": Fault(((inbox, "advance_offsets", _advanced_apart),)),
    "the lock on the offsets is left out": Fault(((inbox, "lock_offsets", _offsets_unlocked),)),
    "a new worker starts at the newest record": Fault(((inbox, "read_offsets", _newest),)),
    "repeated events are not noticed": Fault(((inbox, "claim", _all_fresh),)),
    "subscriptions are read without a lock": Fault(((subscriptions, "lock", _subscriptions_unlocked),)),
    "a subscription not heard of has no row to lock": Fault(((subscriptions, "lock", _no_places),)),
    "the clock takes no locks": Fault(((subscriptions, "lock_due", _due_unlocked),)),
    "the outbox is filled apart from the decision": Fault(((outbox, "append", _appended_apart),)),
    "a snapshot is drawn again under the same id": Fault(((Batch, "undrawn", property(_all_changed)),)),
    "the relay deletes before the acknowledgement": Fault(relay=_Hasty),
    "the relay reads on after the last id": Fault(relay=_Reading),
    "the relay sends what follows before what went first is acknowledged": Fault(relay=_AtOnce),
}
