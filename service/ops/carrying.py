"""Import: a file checked as a whole, then sent, and gone on with where the acknowledged sends ended.

The ids of the events follow from what stands where, so that whatever is sent twice counts once. The checkpoint beside
the file only saves the time.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, TypeAlias

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from pydantic import BaseModel, ConfigDict, ValidationError

from service.ops.rows import Position, Reading, Row
from service.ops.sending import cluster, producing
from service.settings import Settings

AT_ONCE = 5_000
"""Events under way before the checkpoint moves."""
_SHOWN_EVERY = 500

Shown: TypeAlias = Callable[[int, int], None]
"""Is told how far something is: in bytes of the file, and in rows."""


class CarryingError(Exception):
    """An import cannot go on; the message says why, and what was sent."""


class Checkpoint(BaseModel):
    """How far an import has come: of which content, by which reading, to which cluster and topics."""

    model_config = ConfigDict(frozen=True)

    content: str
    """Digest of the whole file."""
    reading: str
    """How it is read: its form, and the source of its events."""
    target: str
    """The id of the Kafka cluster, and the names of the topics."""
    refused: int | None = None
    """How many rows of the whole file were refused when it was checked; none: it has not been yet."""
    offset: int = 0
    """Bytes from the start up to which all is sent."""
    line: int = 0
    """Lines before that."""
    sent: int = 0
    """Events so far."""


@dataclass(slots=True)
class Checked:
    """What a file holds: how many rows, and how many of them were refused."""

    rows: int = 0
    refused: int = 0


@dataclass(slots=True)
class Carried:
    """What an import came to: `before` were sent by earlier runs."""

    sent: int = 0
    before: int = 0


@dataclass(frozen=True, slots=True)
class Import:
    """One file on its way; `kept` is where its checkpoint lies, if it has one."""

    file: BinaryIO
    reading: Reading
    kept: Path | None
    stamp: tuple[int, int]
    """Size and time of the file when it was opened."""

    def check(self, refuse: Callable[[Row, str, str], None], shown: Shown) -> Checked:
        """Reads everything as the service would; `refuse` hears of each row it would not take, why, in words.

        Raises:
            RowsError: it is no such file.
        """
        checked = Checked()
        for row in self.reading.rows(self.file):
            checked.rows += 1
            if (refusal := row.refusal()) is not None:
                checked.refused += 1
                refuse(row, refusal.reason, str(refusal))
            if checked.rows % _SHOWN_EVERY == 0:
                shown(row.end.offset, checked.rows)
        return checked

    def digest(self) -> str:
        """What the file says, all of it."""
        self.file.seek(0)
        found = blake2b(digest_size=16)
        while part := self.file.read(1 << 20):
            found.update(part)
        return found.hexdigest()

    async def begin(self, settings: Settings, *, again: bool) -> Checkpoint:
        """Where to begin: how far earlier runs have come, or, if there were none or with `again`, the start.

        Raises:
            CarryingError: the file is not the one that was begun with.
            SendingError: a topic is missing.
            KafkaError: there is no Kafka.
        """
        names = sorted(self.reading.topics.inputs)
        fresh = Checkpoint(
            content=self.digest(),
            reading=json.dumps([self.reading.form, self.reading.source]),
            target=json.dumps([await cluster(settings, names), *names]),
        )
        if again or self.kept is None or not self.kept.exists():
            return fresh
        try:
            last = Checkpoint.model_validate_json(self.kept.read_bytes())
        except ValidationError as error:
            raise CarryingError(f"{self.kept} is no checkpoint of an import: put it away to begin anew.") from error
        if last.target != fresh.target or last.reading != fresh.reading:
            return fresh
        if last.content != fresh.content:
            raise CarryingError(
                f"The file is not the one of which {self.kept} says that {last.sent} events are sent. Put the "
                "checkpoint away to send all of it: what is unchanged on its line counts once."
            )
        return last

    async def send(self, settings: Settings, start: Checkpoint, shown: Shown) -> Carried:
        """Sends what lies after a checkpoint, and moves it on with each acknowledgement.

        Raises:
            CarryingError: the file is another by now, or Kafka took no more; what was sent is in the checkpoint.
        """
        if stamp(self.file) != self.stamp:
            raise CarryingError("The file has changed while it was checked, and nothing was sent.")
        carried = Carried(before=start.sent)
        self.keep(start)
        rows = self.reading.rows(self.file, Position(start.offset, start.line))
        try:
            async with producing(settings) as producer:
                for batch in _batches(rows):
                    start = await self._batch(producer, batch, start)
                    carried.sent = start.sent - carried.before
                    shown(start.offset, start.sent)
        except KafkaError as error:
            again = "" if self.kept is None else " Give the command again to go on."
            raise CarryingError(
                f"Kafka took no more ({type(error).__name__}: {error}) after {start.sent} events.{again}"
            ) from error
        return carried

    async def _batch(self, producer: AIOKafkaProducer, rows: list[Row], start: Checkpoint) -> Checkpoint:
        under_way = []
        for row in rows:
            # Without refusals in the file there is nothing to look for once more.
            if isinstance(row.event, Exception) or (start.refused and row.refusal() is not None):
                continue
            event = row.event
            under_way.append(await producer.send(event.topic, event.value, event.key, headers=list(event.headers)))
        for answer in await asyncio.gather(*under_way, return_exceptions=True):
            if isinstance(answer, BaseException):
                raise answer
        end = rows[-1].end
        reached = start.model_copy(update={"offset": end.offset, "line": end.line, "sent": start.sent + len(under_way)})
        self.keep(reached)
        return reached

    def keep(self, checkpoint: Checkpoint) -> None:
        """Replaces the checkpoint, whole or not at all."""
        if self.kept is None:
            return
        scratch = self.kept.with_name(f"{self.kept.name}.{os.getpid()}")
        try:
            scratch.write_bytes(checkpoint.model_dump_json().encode())
            scratch.replace(self.kept)
        except OSError as error:
            raise CarryingError(f"{self.kept} cannot be written ({error.strerror}): see --checkpoint.") from error


def stamp(file: BinaryIO) -> tuple[int, int]:
    """Size and time of a file, by which a change is seen."""
    found = os.fstat(file.fileno())
    return found.st_size, found.st_mtime_ns


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch
