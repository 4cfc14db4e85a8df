"""Dead letters on the wire: the original record, and headers that say where it came from and why it stands aside.

Ours are the `dlq_*` headers. Those of Kafka Connect and of Spring are understood as well, so that letters
which neighbours have written can be listed and replayed too. Where a name occurs more than once, the last
counts: the original record may have had such headers of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from service.messages.envelope import Headers

REASON, ERROR = "dlq_reason", "dlq_error"
TOPIC, PARTITION, OFFSET = "dlq_topic", "dlq_partition", "dlq_offset"
BYTES = "dlq_bytes"
"""How large the value was: only there where the letter could not hold all of it."""
MOVED = "dlq_moved_from"
"""The name that a letter had before it made way for one that was taken off its topic."""

_OURS = frozenset({REASON, ERROR, TOPIC, PARTITION, OFFSET, BYTES, MOVED})
_CONNECT, _SPRING = "__connect.errors.", "kafka_dlt-"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a dead letter came from, as far as its headers say, and why it stands aside."""

    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    reason: str = "unknown"
    error: str = ""


def written(topic: str, partition: int, offset: int, reason: str, error: str) -> list[tuple[str, bytes]]:
    """The headers that make a record a dead letter of ours."""
    said = {REASON: reason, TOPIC: topic, PARTITION: str(partition), OFFSET: str(offset), ERROR: error}
    return [(name, value.encode(errors="replace")) for name, value in said.items()]


def origin(headers: Headers) -> Origin:
    """What the headers say, in whichever of the three styles; what is garbled in them is as if it were not there."""
    said = {name: value for name, value in headers if value is not None}
    if TOPIC in said:
        place = _text(said, TOPIC), _number(said, PARTITION), _number(said, OFFSET)
        return Origin(*place, _text(said, REASON) or "unknown", _text(said, ERROR) or "")
    if f"{_CONNECT}topic" in said:
        topic, why = _text(said, f"{_CONNECT}topic"), _text(said, f"{_CONNECT}exception.class.name")
        place = topic, _number(said, f"{_CONNECT}partition"), _number(said, f"{_CONNECT}offset")
        return Origin(*place, _short(why), _text(said, f"{_CONNECT}exception.message") or "")
    if (topic := _text(said, f"{_SPRING}original-topic")) is not None:
        why = _text(said, f"{_SPRING}exception-cause-fqcn") or _text(said, f"{_SPRING}exception-fqcn")
        place = topic, _integer(said, f"{_SPRING}original-partition"), _integer(said, f"{_SPRING}original-offset")
        return Origin(*place, _short(why), _text(said, f"{_SPRING}exception-message") or "")
    return Origin()


def original(headers: Headers) -> list[tuple[str, bytes | None]]:
    """The headers of the record that became a dead letter."""
    return [(name, value) for name, value in headers if name not in _OURS and not name.startswith((_CONNECT, _SPRING))]


def is_cut(headers: Headers) -> bool:
    """Whether the letter holds the beginning of its value only."""
    return any(name == BYTES for name, _ in headers)


def _text(said: Mapping[str, bytes], name: str) -> str | None:
    return said[name].decode(errors="replace") if name in said else None


def _number(said: Mapping[str, bytes], name: str) -> int | None:
    """A number in digits."""
    text = said.get(name, b"")
    return int(text) if text.isdigit() and len(text) < 20 else None  # noqa: PLR2004  an offset has 19 digits at most


def _integer(said: Mapping[str, bytes], name: str) -> int | None:
    """A number as Java lays it out: four or eight bytes, the highest first."""
    value = said.get(name, b"")
    return int.from_bytes(value, signed=True) if len(value) in {4, 8} else None


def _short(name: str | None) -> str:
    """`java.lang.IllegalStateException` without its package."""
    return (name or "unknown").rpartition(".")[2]
