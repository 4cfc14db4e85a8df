"""Records as they travel between Kafka and the tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zlib import crc32

from service.messages.envelope import Headers


@dataclass(frozen=True, slots=True)
class Incoming:
    """One Kafka record as it was consumed, byte for byte."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record to publish. Records with the same key keep their order."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    created_at: datetime

    @property
    def event_id(self) -> str:
        """The id of the event it is."""
        return (dict(self.headers).get("ce_id") or b"").decode(errors="replace")

    def shard(self, shards: int) -> int:
        """The relay shard this record goes through: the same for the same key."""
        return crc32(self.key or b"") % shards


def flatten(headers: Headers) -> list[bytes | None]:
    """Headers as one array: name, value, name, value and so on."""
    return [part for name, value in headers for part in (name.encode(), value)]


def unflatten(parts: list[bytes | None]) -> list[tuple[str, bytes | None]]:
    """The headers that `flatten` made an array of."""
    return [((name or b"").decode(), value) for name, value in zip(parts[::2], parts[1::2], strict=True)]
