"""A header name that is not UTF-8 stops nothing: the records around it are read as ever."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from aiokafka.record.memory_records import MemoryRecords

from service.lenient import Records


class NotText(str):
    """A header name as a careless client writes it."""

    __slots__ = ()

    def encode(self, *_: object) -> bytes:
        return b"caf\xe9"


def batch(names: Sequence[str], first: int = 0, codec: int = 0) -> bytes:
    builder = _DefaultRecordBatchBuilderPy(2, codec, 0, -1, -1, -1, 100_000)
    for number, name in enumerate(names):
        builder.append(number, 1_700_000_000_000, b"k", b"v", [(name, b"1"), ("ce_id", str(number).encode())])
    built = bytearray(builder.build())
    built[:8] = first.to_bytes(8)  # not part of what the checksum covers
    return bytes(built)


def read(data: bytes) -> list[tuple[int, Any]]:
    records, found = Records(data), []
    while records.has_next():
        each = records.next_batch()
        assert each.validate_crc()
        found += [(record.offset, next(iter(record.headers))[0]) for record in each]
    return found


@pytest.mark.parametrize("codec", [0, 1])
def test_the_name_is_replaced_and_everything_before_and_behind_is_read(codec: int) -> None:
    data = batch(["a", "b", NotText("x"), "d"], codec=codec) + batch(["e", NotText("x")], 4) + batch(["ø"], 6)
    assert read(data) == [(0, "a"), (1, "b"), (2, "caf\ufffd"), (3, "d"), (4, "e"), (5, "caf\ufffd"), (6, "ø")]


def test_the_client_alone_gives_up() -> None:
    """When this fails, the client has learnt it, and the service can do without."""
    with pytest.raises(UnicodeDecodeError):
        list(MemoryRecords(batch([NotText("x")])).next_batch())


def test_a_cut_off_fetch_ends_where_the_client_ends_it() -> None:
    data = batch(["a"]) + batch(["b"], 1)
    assert read(data[:-1]) == [(0, "a")]
    assert read(b"") == []
