"""What integrators look at: the description of the topics as pages, and the files that it consists of.

All of it is drawn from the one AsyncAPI document and the JSON Schemas it refers to, which lie in `schemas`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from service.schemas import asyncapi, events, files

Node = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """A field by its path, such as `end.mode` or `lines[].amount`: its type, what it means, and what it may hold."""

    path: str
    type: str
    is_required: bool
    meaning: str
    limits: str


@dataclass(frozen=True, slots=True)
class Example:
    """A message as it may be: what it shows, and its headers and value as JSON."""

    summary: str
    headers: str
    value: str


@dataclass(frozen=True, slots=True)
class Message:
    """What goes over a topic; `schema` is the file that says the same for machines, if there is one."""

    name: str
    summary: str
    channel: str
    key: str
    headers: tuple[Field, ...]
    fields: tuple[Field, ...]
    examples: tuple[Example, ...]
    schema: str | None


@dataclass(frozen=True, slots=True)
class Channel:
    """A topic by its default name; `is_read`: others write it, and the service reads it."""

    name: str
    description: str
    is_read: bool
    partitions: int
    is_compacted: bool
    retention_days: int | None
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Contract:
    """All topics, each message by its name, and the files by their path below `asyncapi/`."""

    about: str
    channels: tuple[Channel, ...]
    messages: Mapping[str, Message]
    files: Mapping[str, str]


@cache
def contract() -> Contract:
    """The contract as this release has it.

    Raises:
        FileNotFoundError: the service was installed without its folder `schemas`.
    """
    document = asyncapi.document({name: events.examples(files.FOLDER, name) for name in events.names()})
    channels = tuple(_channel(document, name) for name in document["channels"])
    return Contract(
        about=document["info"]["description"],
        channels=channels,
        messages={message.name: message for channel in channels for message in channel.messages},
        files={str(file.relative_to(files.FOLDER)): file.read_text("utf-8") for file in files.present()},
    )


def _channel(document: Node, name: str) -> Channel:
    given = document["channels"][name]
    kafka = given["bindings"]["kafka"]
    configuration = kafka["topicConfiguration"]
    return Channel(
        name=name,
        description=given["description"],
        is_read=document["operations"][name]["action"] == "receive",
        partitions=kafka["partitions"],
        is_compacted="compact" in configuration["cleanup.policy"],
        retention_days=_days(configuration.get("retention.ms")),
        messages=tuple(_message(document["components"]["messages"][each], name) for each in given["messages"]),
    )


def _days(milliseconds: int | None) -> int | None:
    return None if milliseconds is None or milliseconds < 0 else milliseconds // 86_400_000


def _message(given: Node, channel: str) -> Message:
    payload = given.get("payload", {})
    file = payload.get("$ref")
    schema = payload if file is None else events.schema(given["name"])
    return Message(
        name=given["name"],
        summary=given["summary"],
        channel=channel,
        key=given["bindings"]["kafka"]["key"]["description"],
        headers=tuple(_fields(given["headers"], {})),
        fields=tuple(_fields(schema, schema.get("$defs", {}))),
        examples=tuple(
            Example(each["summary"], _json(each["headers"]), _json(each["payload"]))
            for each in given.get("examples", ())
        ),
        schema=file,
    )


def _fields(node: Node, definitions: Node, path: str = "") -> Iterator[Field]:
    """The fields of an object, each followed by those within it."""
    for name, given in node.get("properties", {}).items():
        each = _resolved(given, definitions)
        inner, below = each, f"{path}{name}"
        if isinstance(each.get("items"), dict):
            inner, below = _resolved(each["items"], definitions), f"{below}[]"
        elif isinstance(each.get("additionalProperties"), dict):
            inner, below = _resolved(each["additionalProperties"], definitions), f"{below}.*"
        yield Field(
            path=f"{path}{name}",
            type=_type(each, definitions),
            is_required=name in node.get("required", ()),
            meaning=each.get("description", ""),
            limits=_limits(each if inner is each else {**_numbers(inner), **each}),
        )
        yield from _fields(inner, definitions, f"{below}.")


def _resolved(given: Node, definitions: Node) -> Node:
    """A schema in place of the reference to it; what is said beside the reference is said of this use."""
    if "$ref" not in given or not given["$ref"].startswith("#/$defs/"):
        return given
    beside = {key: value for key, value in given.items() if key != "$ref"}
    return {**definitions[given["$ref"].rpartition("/")[2]], **beside}


def _type(node: Node, definitions: Node) -> str:
    given = node.get("type", "string")
    kinds = [given] if isinstance(given, str) else list(given)
    named = [node.get("format", kind) if kind == "string" else kind for kind in kinds]
    if isinstance(node.get("items"), dict) and "array" in kinds:
        named[kinds.index("array")] = f"array of {_type(_resolved(node['items'], definitions), definitions)}"
    return " or ".join(named)


def _numbers(node: Node) -> dict[str, Any]:
    """What an element of a list may hold."""
    return {key: node[key] for key in ("enum", "x-extensible-enum", "maxLength", "const") if key in node}


_SAID = {
    "const": "always {}",
    "enum": "one of {}",
    "x-extensible-enum": "one of {}; there may come more",
    "default": "by default “{}”",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "maxLength": "at most {} characters",
    "maxItems": "at most {} of them",
}


def _limits(node: Node) -> str:
    return "; ".join(said.format(_written(node[key])) for key, said in _SAID.items() if key in node)


def _written(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_written(each) for each in value)
    return value if isinstance(value, str) else json.dumps(value)


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
