"""The gate against a validator that knows nothing of it: no edit may pass that refuses what was taken before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from random import Random
from typing import Any

from jsonschema_rs import Draft202012Validator

from service.messages.inputs import INPUTS
from service.schemas import events, files
from tests.contracts.compatibility import faults
from tests.fuzz.mutations import EVENTS

Node = dict[str, Any]
EDITS = 500
KEYWORDS: dict[str, tuple[Any, ...]] = {
    "type": ("string", "integer", "object", "null", ["string", "null"], ["array", "null"]),
    "enum": ([], ["on-date", "credit"], ["prorate", "day", None]),
    "const": ("default", "DKK", None),
    "pattern": ("^[A-Z]", "[0-9]$", "^.{0,8}$"),
    "format": ("date", "uuid", "email"),
    "minLength": (0, 2, 9),
    "maxLength": (0, 4, 500),
    "minItems": (0, 2),
    "maxItems": (0, 1, 2_000),
    "minimum": (-1, 2),
    "maximum": (0, 40, 400),
    "multipleOf": (1, 2),
    "uniqueItems": (True,),
    "additionalProperties": (False, True, {"type": "string"}),
    "required": ([], ["tenant_id"], ["settlement"], ["line_id", "amount"]),
    "dependentRequired": ({"reason": ["requested_by"]},),
    "minProperties": (0, 3),
    "propertyNames": ({"maxLength": 12},),
    "not": ({"required": ["reason"]}, {"type": "null"}),
}


def nodes(schema: Any) -> Iterator[Node]:  # noqa: ANN401 - any part of a schema
    """Every schema within a schema."""
    if isinstance(schema, dict):
        yield schema
        for key in ("properties", "$defs"):
            for each in schema.get(key, {}).values():
                yield from nodes(each)
        yield from nodes(schema.get("items"))


def edited(schema: Node, chance: Random) -> Node:
    """One thing more, less or other, anywhere in it."""
    made = deepcopy(schema)
    node = chance.choice(list(nodes(made)))
    match chance.randrange(5):
        case 0 if node.get("properties"):
            del node["properties"][chance.choice(list(node["properties"]))]
        case 1 if node.get("properties"):
            node["properties"]["something_new"] = {"type": "string"}
        case 2:
            there = [key for key in KEYWORDS if key in node and key != "type"]
            node.pop(chance.choice(there), None) if there else None
        case _:
            keyword = chance.choice(list(KEYWORDS))
            node[keyword] = chance.choice(KEYWORDS[keyword])
    return made


def samples(name: str) -> list[Node]:
    """Events as they are sent and published, and with a field that nobody knows."""
    given = [each["payload"] for each in events.examples(files.FOLDER, name)]
    if name in INPUTS:
        whole = {} if name == "cancellation-policy-set" else {"subscription_id": "s"}
        given += [{**whole, **each} for each in EVENTS[name]]
    return [*given, *({**each, "nobody_knows": [1]} for each in given)]


def test_no_edit_passes_the_gate_that_refuses_an_event_taken_before() -> None:
    chance = Random(8)  # noqa: S311 - edits to be repeated
    passed, refused, wrong = 0, 0, []
    schemas = {name: events.schema(name) for name in events.names()}
    for _ in range(EDITS):
        name = chance.choice(list(schemas))
        other = edited(schemas[name], chance)
        found = faults("input" if name in INPUTS else "outcome", schemas[name], other)
        passed, refused = passed + (not found), refused + bool(found)
        if not found:
            validator = Draft202012Validator(other, validate_formats=True)
            wrong += [(name, json.dumps(each)) for each in samples(name) if not validator.is_valid(each)]
    assert not wrong
    assert min(passed, refused) > EDITS // 10
