"""Record headers whose names are not UTF-8, which some clients can write, do not stop a partition.

The Kafka client raises on such a name in the middle of what it has fetched, fetches the same again, and so for ever:
one record of one sender would keep all behind it from being read. Here the rest of that batch is read once more, by
the client's own plain-Python reader, with what cannot be decoded replaced by U+FFFD. All else goes the usual way.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

_LENGTH_AT, _OVERHEAD = 8, 12
"""A batch says at its ninth byte how long it is after its twelfth."""
_LEGACY_BEFORE, _MAGIC_AT = 2, 16


def install() -> None:
    """Has every consumer of this process read so."""
    fetcher.MemoryRecords = Records


class Records:
    """What one fetch has brought: the client's own reader, and the bytes to read them from once more."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0
        self._records = MemoryRecords(data)
        self.size_in_bytes, self.has_next = self._records.size_in_bytes, self._records.has_next

    def next_batch(self) -> Any:  # noqa: ANN401  a batch, whichever way it is read
        """The next batch; batches of the old formats have no headers."""
        batch = self._records.next_batch()
        start = self._place
        self._place += _OVERHEAD + int(struct.unpack_from(">i", self._data, start + _LENGTH_AT)[0])
        if batch is None or self._data[start + _MAGIC_AT] < _LEGACY_BEFORE:
            return batch
        return _Batch(batch, self._data, start, self._place)


class _Batch:
    """A batch that goes on where the client's reader gives up."""

    def __init__(self, batch: Any, data: bytes, start: int, end: int) -> None:  # noqa: ANN401  as above
        self._batch, self._where = batch, (data, start, end)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever the client asks of a batch
        return getattr(self._batch, name)

    def __next__(self) -> Any:  # noqa: ANN401  a record
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        read = 0
        try:
            for record in self._batch:
                read += 1
                yield record
        except UnicodeDecodeError:
            data, start, end = self._where
            for number, record in enumerate(_Plain(data[start:end])):
                if number >= read:
                    yield record


class _Plain(_DefaultRecordBatchPy):  # type: ignore[misc]  # aiokafka ships no types
    """The client's plain-Python reader, on bytes that are lenient when they are decoded."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._buffer: bytearray = _Bytes(self._buffer)

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer = _Bytes(self._buffer)


class _Bytes(bytearray):
    def __getitem__(self, place: Any) -> Any:  # noqa: ANN401  one byte, or some
        found = super().__getitem__(place)
        return _Bytes(found) if isinstance(found, bytearray) else found

    def decode(self, encoding: str = "utf-8", errors: str = "replace") -> str:  # noqa: ARG002  always leniently
        return super().decode(encoding, "replace")
