"""As much of Kafka as the service leans on: partitions that keep their order, and a producer that may be let down.

Records go out in batches, one batch of a partition at a time. A batch that fails is told of, and those
behind it go out all the same; a batch that was on its way when its sender died may arrive long after.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol
from zlib import crc32

from service.messages.envelope import Headers
from service.store.records import Incoming
from tests.simulation.schedule import TURN, Chance, Moment, Owner, Schedule

PARTITIONS = 2


class SendingFailedError(Exception):
    """A batch could not be sent, or so the producer believes."""


@dataclass(frozen=True, slots=True)
class Published:
    """A record of an outcome topic."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def event_id(self) -> str:
        return (dict(self.headers).get("ce_id") or b"").decode()


class Log:
    """The topics that are read, the topics that are written."""

    def __init__(self) -> None:
        self.read: dict[tuple[str, int], list[Incoming]] = {}
        self.written: dict[tuple[str, int], list[Published]] = {}

    def tell(self, topic: str, key: bytes, value: bytes, headers: Headers, timestamp: int) -> None:
        """Someone else's producer adds a record for the service."""
        partition = crc32(key) % PARTITIONS
        records = self.read[topic, partition]
        records.append(Incoming(topic, partition, len(records), timestamp, key, value, headers))


class _Batch:
    """Records that are sent together, and what has become of them; `room` is for how many there is."""

    def __init__(self, room: int = 3) -> None:
        self.records: list[Published] = []
        self.done = False
        self.error: SendingFailedError | None = None
        self._room = room

    def append(self, *, timestamp: None, key: bytes | None, value: bytes | None, headers: Headers) -> bool | None:
        """Adds a record; None where it is full."""
        assert timestamp is None, "the broker's clock counts"
        if len(self.records) == self._room:
            return None
        self.records.append(Published("", key, value, headers))
        return True


class _Acknowledgement:
    """Awaited for as long as its batch is under way."""

    def __init__(self, batch: _Batch) -> None:
        self._batch = batch

    def __await__(self) -> Generator[Moment, None, None]:
        yield Moment(lambda: self._batch.done)
        if self._batch.error is not None:
            raise self._batch.error


class Network(Protocol):
    """Where a producer lives."""

    @property
    def chance(self) -> Chance: ...

    @property
    def schedule(self) -> Schedule: ...

    @property
    def log(self) -> Log: ...


class Producer:
    """One idempotent producer of one process."""

    def __init__(self, network: Network, owner: Owner) -> None:
        self._network, self._owner = network, owner
        self._queues: dict[tuple[str, int], deque[_Batch]] = {}
        self._is_open = True
        network.schedule.start("sender", owner, self._send())

    async def send(
        self, topic: str, *, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes | None]]
    ) -> _Acknowledgement:
        """Puts a record into the last batch of its partition; returns what to await."""
        await TURN
        if not self._is_open:
            raise SendingFailedError("the producer is closed")
        queue = self._queues.setdefault((topic, crc32(key or b"") % PARTITIONS), deque())
        if not queue or len(queue[-1].records) > self._network.chance.below(3):
            queue.append(_Batch())
        queue[-1].records.append(Published(topic, key, value, headers))
        return _Acknowledgement(queue[-1])

    async def partitions_for(self, _: str) -> set[int]:
        """The partitions of a topic; all have as many."""
        return set(range(PARTITIONS))

    def create_batch(self) -> _Batch:
        """An empty batch, to be filled and sent."""
        return _Batch(1 + self._network.chance.below(3))

    async def send_batch(self, batch: _Batch, topic: str, *, partition: int) -> _Acknowledgement:
        """Queues a batch behind those of its partition; returns what to await."""
        await TURN
        if not self._is_open:
            raise SendingFailedError("the producer is closed")
        batch.records = [replace(record, topic=topic) for record in batch.records]
        self._queues.setdefault((topic, partition), deque()).append(batch)
        return _Acknowledgement(batch)

    async def stop(self) -> None:
        """Waits for all that is under way, as the real one does."""
        self._is_open = False
        await Moment(lambda: not any(self._queues.values()))

    def die(self) -> None:
        """The process is gone; what had left it may still arrive."""
        for partition, queue in self._queues.items():
            if queue and queue[0].records and self._network.chance.once_in(2):
                self._network.schedule.start("wire", None, self._arrive(partition, queue[0]))

    async def _send(self) -> None:
        while self._is_open or any(self._queues.values()):
            await Moment(lambda: any(self._queues.values()) or not self._is_open)
            waiting = [partition for partition, queue in self._queues.items() if queue]
            if not waiting:
                continue
            partition = waiting[self._network.chance.below(len(waiting))]
            queue = self._queues[partition]
            batch = queue[0]
            if len(queue) == 1:
                queue.append(_Batch())  # what is sent from now on goes into the next
            lost = self._network.chance.once_in(12)
            if not lost or self._network.chance.below(2):
                self._network.log.written.setdefault(partition, []).extend(batch.records)
            await TURN
            queue.popleft()
            if queue and not queue[-1].records:
                queue.pop()
            batch.error = SendingFailedError("no leader for the partition") if lost else None
            batch.done = True

    async def _arrive(self, partition: tuple[str, int], batch: _Batch) -> None:
        for _ in range(self._network.chance.below(400)):
            await TURN
        self._network.log.written.setdefault(partition, []).extend(batch.records)
