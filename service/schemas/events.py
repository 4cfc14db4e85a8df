"""The JSON Schema of each event, generated from the model that reads or writes it.

A schema is made for those who generate code from it: no alternatives where a type says the same (a
value that may be null has two types), no titles but those of objects, a description on every field,
and in outcomes no null where the field is left out instead.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from service.messages.inputs import INPUTS
from service.messages.notation import NOTE
from service.messages.outcomes import OUTCOMES

DIALECT = "https://json-schema.org/draft/2020-12/schema"
VERSION = "v1"
"""Of every event; an incompatible change is a new type of event beside the old one, never a new v1."""

Schema = dict[str, Any]


def names() -> list[str]:
    """The types of all events, inputs first."""
    return [*INPUTS, *OUTCOMES]


def file_name(event_type: str) -> str:
    """The file of an event's schema."""
    return f"{event_type}.{VERSION}.json"


def schema(event_type: str) -> Schema:
    """The schema of the data of one type of event, without examples."""
    model: type[BaseModel]
    incoming = event_type in INPUTS
    model = INPUTS[event_type] if incoming else OUTCOMES[event_type][1]
    made = model.model_json_schema(
        mode="validation" if incoming else "serialization", schema_generator=_Untitled, ref_template="#/$defs/{model}"
    )
    definitions = made.pop("$defs", {})
    tidied = _Tidy(definitions, incoming=incoming)
    body = tidied.node(made)
    defined = {name: tidied.node(each) for name, each in definitions.items()}
    used = {name: each for name, each in defined.items() if f'"#/$defs/{name}"' in json.dumps([body, defined])}
    return {"$schema": DIALECT, "$id": file_name(event_type), **({"$defs": used} if used else {}), **body}


def examples(folder: Path, event_type: str) -> list[Schema]:
    """The examples of a type of event, each with `name`, `summary`, `headers` and `payload`."""
    found: list[Schema] = json.loads((folder / "examples" / f"{event_type}.json").read_text("utf-8"))
    return found


class _Untitled(GenerateJsonSchema):
    """Without titles of fields, of which code generators would make types."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002
        return False


class _Tidy:
    """Writes schemas the way code generators read them best."""

    def __init__(self, definitions: Schema, *, incoming: bool) -> None:
        self._definitions, self._incoming = definitions, incoming

    def node(self, given: Schema) -> Schema:
        """A schema and all within it, tidied."""
        if len(alternatives := given.get("anyOf", ())) == 2 and {"type": "null"} in alternatives:  # noqa: PLR2004 - it and null
            (other,) = (each for each in alternatives if each != {"type": "null"})
            given = self._or_null({key: value for key, value in given.items() if key != "anyOf"}, other)
        made = dict(given)
        if "properties" in made:
            required = set(made.get("required", ()))
            made["properties"] = {
                name: self._field(self.node(each), left_out=name not in required)
                for name, each in made["properties"].items()
            }
        if "items" in made:
            made["items"] = self.node(made["items"])
        return self._described(made)

    def _or_null(self, field: Schema, other: Schema) -> Schema:
        """One schema that takes null besides: a type more, not an alternative."""
        if "$ref" in other:
            other = self._definitions[other["$ref"].rpartition("/")[2]]
        described = {key: other[key] for key in ("description",) if key in other and key not in field}
        made = {**other, **field, **described, "type": [other["type"], "null"]}
        if "enum" in made:
            made["enum"] = [*made["enum"], None]
        return made

    def _field(self, field: Schema, *, left_out: bool) -> Schema:
        if field.get("default", ...) is None or not self._incoming:
            field.pop("default", None)
        if left_out and not self._incoming and isinstance(field.get("type"), list):
            field["type"] = field["type"][0]
        return field

    def _described(self, node: Schema) -> Schema:
        """With what its type notes about unit and form at the end of its description."""
        told = [" ".join(node.get("description", "").split()), node.pop(NOTE, "")]
        first = {"description": " ".join(filter(None, told))} if any(told) else {}
        return {**first, **{key: value for key, value in node.items() if key != "description"}}
