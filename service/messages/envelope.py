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

from service.messages.inputs import INPUTS, CancellationPolicySet, Input, Instant, Text

Headers: TypeAlias = Sequence[tuple[str, bytes | None]]

STRUCTURED = "application/cloudevents"
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
    """A record that is no event we know. `reason` is for machines, the message for people."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class _Attributes(BaseModel):
    """The CloudEvents attributes we need; the rest may say what it likes."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    specversion: Annotated[str, Field(pattern=r"^1\.0$")]
    id: Text
    source: Text
    type: Text
    time: Instant | None = None
    traceparent: str | None = None
    tracestate: str | None = None
    correlationid: str | None = None


def decode(record: Record) -> Envelope:
    """Reads one record.

    Raises:
        UnreadableError: it is not a CloudEvent of a type we know, or its data is not what the type asks for.
            No other error leaves this function.
    """
    try:
        attributes, data = _open(record)
        model = INPUTS.get(attributes.type)
        if model is None:
            raise UnreadableError("unknown-type", f"there is no event type {attributes.type!r}")
        canonical = _canonical(data)
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


def _open(record: Record) -> tuple[_Attributes, Any]:
    """The attributes and the parsed data of a record, by its mode."""
    headers: dict[str, str] = {}
    for name, value in record.headers:
        if value is None:
            raise UnreadableError("bad-header", f"header {name!r} has no value")
        try:
            headers[name.lower()] = value.decode()
        except UnicodeDecodeError as error:
            raise UnreadableError("bad-header", f"header {name!r} is not UTF-8") from error
    if not record.value:
        raise UnreadableError("empty", "the record has no value")
    try:
        body = from_json(record.value, allow_inf_nan=False)
    except ValueError as error:
        raise UnreadableError("not-json", f"the value is not JSON: {error}") from error
    if headers.get("content-type", "").lower().startswith(STRUCTURED):
        if not isinstance(body, dict) or "data" not in body:
            raise UnreadableError("malformed", "a structured event is an object with its data under 'data'")
        attributes = {name: value for name, value in body.items() if name in _Attributes.model_fields}
        return _Attributes.model_validate_json(_canonical(attributes)), body["data"]
    named = {name.removeprefix("ce_"): value for name, value in headers.items() if name.startswith("ce_")}
    plain = {name: headers[name] for name in CARRIED if name in headers}
    return _Attributes.model_validate_json(_canonical({**plain, **named})), body


def _canonical(data: object) -> bytes:
    """The same bytes for the same content, however it was laid out."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


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
