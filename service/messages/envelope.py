"""CloudEvents 1.0 on Kafka records, in binary and structured mode."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Annotated, Any, Protocol, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from service.messages.inputs import INPUTS, LONGEST_TRACE, CancellationPolicySet, Input, Instant, Text

Headers: TypeAlias = Sequence[tuple[str, bytes | None]]

STRUCTURED = "application/cloudevents"
LARGEST_VALUE = 1_000_000
"""Bytes of a record's value."""
MOST_HEADERS, LARGEST_HEADERS = 100, 32_768
"""How many headers a record may have, and how many bytes of names and values."""
_LONGEST_MESSAGE = 500

CARRIED = ("traceparent", "tracestate", "correlationid")


class Record(Protocol):
    """The parts of a Kafka record that are read here."""

    @property
    def value(self) -> bytes | None: ...  # noqa: D102
    @property
    def headers(self) -> Headers: ...  # noqa: D102
    @property
    def timestamp(self) -> int: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Envelope:
    """One event as it came in: who it is (`source`, `id`), what it says (`data`), and what to carry on (`trace`).

    `raw` is the data as JSON in one canonical layout, `content` a digest of it and the type; equal ids
    with unequal content are a conflict.
    `time` falls back to the record's own timestamp.
    """

    source: str
    id: str
    type: str
    time: datetime
    data: Input | CancellationPolicySet
    raw: bytes
    content: bytes
    trace: tuple[tuple[str, str], ...]

    @property
    def named(self) -> tuple[str, str, str]:
        """What a person finds it by: source, id and type."""
        return self.source, self.id, self.type


class UnreadableError(Exception):
    """A record that is no event we know. `reason` is for machines, the message for people, who read no novels."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]}…")
        self.reason = reason


_Trace: TypeAlias = Annotated[str, Field(max_length=LONGEST_TRACE)]


class _Attributes(BaseModel):
    """The CloudEvents attributes we need; the rest may say what it likes."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    specversion: Annotated[str, Field(pattern=r"^1\.0$")]
    id: Text
    source: Text
    type: Text
    time: Instant | None = None
    traceparent: _Trace | None = None
    tracestate: _Trace | None = None
    correlationid: _Trace | None = None


def decode(record: Record) -> Envelope:
    """Reads one record.

    Raises:
        UnreadableError: it is not a CloudEvent of a type we know, or its data is not what the type asks for.
            No other error leaves this function.
    """
    try:
        attributes, canonical = _open(record)
        model = INPUTS.get(attributes.type)
        if model is None:
            raise UnreadableError("unknown-type", f"there is no event type {attributes.type!r}")
        return Envelope(
            source=attributes.source,
            id=attributes.id,
            type=attributes.type,
            time=attributes.time or datetime.fromtimestamp(record.timestamp / 1000, UTC),
            data=model.model_validate_json(canonical),
            raw=canonical,
            content=content_digest(attributes.type, canonical),
            trace=tuple((name, value) for name in CARRIED if (value := getattr(attributes, name)) is not None),
        )
    except ValidationError as error:
        raise UnreadableError("malformed", _sentence(error)) from error
    except (ValueError, RecursionError, OverflowError, OSError) as error:
        raise UnreadableError("malformed", str(error)) from error


def content_digest(event_type: str, canonical: bytes) -> bytes:
    """What an event says, in 16 bytes."""
    return blake2b(event_type.encode() + b"\n" + canonical, digest_size=16).digest()


def _open(record: Record) -> tuple[_Attributes, bytes]:
    """The attributes of a record and its data as JSON in one layout, by its mode."""
    headers = _headers(record.headers)
    if not record.value:
        raise UnreadableError("empty", "the record has no value")
    if len(record.value) > LARGEST_VALUE:
        raise UnreadableError("too-large", f"the value has {len(record.value)} bytes; {LARGEST_VALUE} are the most")
    try:
        body = from_json(record.value, allow_inf_nan=False)
        canonical = canonical_json(body)
    except ValueError as error:
        raise UnreadableError("not-json", f"the value is not JSON: {error}") from error
    _no_key_twice(record.value, canonical)
    if headers.get("content-type", "").lower().startswith(STRUCTURED):
        if not isinstance(body, dict) or "data" not in body:
            raise UnreadableError("malformed", "a structured event is an object with its data under 'data'")
        attributes = {name: value for name, value in body.items() if name in _Attributes.model_fields}
        return _Attributes.model_validate_json(canonical_json(attributes)), canonical_json(body["data"])
    named = {name.removeprefix("ce_"): value for name, value in headers.items() if name.startswith("ce_")}
    plain = {name: headers[name] for name in CARRIED if name in headers}
    return _Attributes.model_validate_json(canonical_json({**plain, **named})), canonical


def _headers(given: Headers) -> dict[str, str]:
    """The headers by their names in small letters; of one that comes twice, the last."""
    if len(given) > MOST_HEADERS:
        raise UnreadableError("too-large", f"the record has {len(given)} headers; {MOST_HEADERS} are the most")
    found: dict[str, str] = {}
    size = 0
    for name, value in given:
        if value is None:
            raise UnreadableError("bad-header", f"header {name!r} has no value")
        size += len(name) + len(value)
        try:
            found[name.lower()] = value.decode()
        except UnicodeDecodeError as error:
            raise UnreadableError("bad-header", f"header {name!r} is not UTF-8") from error
    if size > LARGEST_HEADERS:
        raise UnreadableError("too-large", f"the headers have {size} bytes; {LARGEST_HEADERS} are the most")
    return found


def _no_key_twice(value: bytes, canonical: bytes) -> None:
    """Refuses an object that says the same key twice, of which a parser silently takes one.

    What was dropped took its colons along: unless colons are written as escapes, there are then fewer
    of them in what was parsed. That is far cheaper to see than every key.
    """
    if value.count(b":") != canonical.count(b":") or b"\\u003" in value:
        json.loads(value.decode(), object_pairs_hook=_distinct)


def _distinct(pairs: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UnreadableError("duplicate-key", f"an object says {twice!r} twice")


def canonical_json(data: object) -> bytes:
    """The same bytes for the same content, however it was laid out."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def _sentence(error: ValidationError) -> str:
    """The first few faults as one line: where, and what is wrong."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    shown = [f"{'.'.join(map(str, fault['loc'])) or 'event'}: {fault['msg']}" for fault in faults[:3]]
    more = f" (and {len(faults) - len(shown)} more)" if len(faults) > len(shown) else ""
    return "; ".join(shown) + more


def headers(
    *, event_id: str, event_type: str, subject: str, time: datetime, caused_by: str, trace: tuple[tuple[str, str], ...]
) -> list[tuple[str, bytes]]:
    """The headers of an outcome in binary mode. `caused_by` is the id of the input that led to it.

    The trace goes out both as CloudEvents extensions and under the plain names that tracing agents look for.
    """
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": event_id,
        "ce_source": "subscription-cancellation",
        "ce_type": event_type,
        "ce_subject": subject,
        "ce_time": time.isoformat(),
        "ce_causationid": caused_by,
        "content-type": "application/json",
        **{f"ce_{name}": value for name, value in trace},
        **{name: value for name, value in trace if name != "correlationid"},
    }
    return [(name, value.encode()) for name, value in attributes.items()]
