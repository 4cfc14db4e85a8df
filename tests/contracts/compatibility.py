"""Whether a schema may take the place of another: a proof over all values, not a list of known edits.

    new schema of an input      takes whatever those who wrote to an old one may send (backward)
    new schema of an outcome    the same, for who reads what is old; and the old one takes whatever
                                is published from now on (forward): both together are "full"

Each is held against every released version, not only the last ("transitive"). Proven is that the
values one schema admits are among those the other admits; what cannot be decided counts as refused.
A writer sends the fields it knows of and, for the sake of the argument, one that nobody knows; a
reader of old data must still know all its fields, since to ignore what was once read is a loss too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from jsonschema_rs import canonicalize
from jsonschema_rs.canonical import CanonicalizationError, Containment

from service.messages.inputs import INPUTS
from service.schemas.files import FOLDER

Schema = dict[str, Any]
RELEASED = FOLDER / "released"
_UNKNOWN = "a field that nobody knows"


def faults(kind: Literal["input", "outcome"], old: Schema, new: Schema) -> list[str]:
    """Says what speaks against `new` in the place of `old`; nothing if it may take it."""
    old, new = _plain(old, old), _plain(new, new)
    found = [f"older data: {each}" for each in _refused(_declared(new), _declared(old))]
    if kind == "input":
        found += [f"older data: {each}" for each in _taken_otherwise(old, new)]
    if kind == "outcome":
        found += [f"older readers: {each}" for each in _refused(old, _declared(new))]
    return found


def against_released(folder: Path = RELEASED, events: Path = FOLDER / "events") -> list[str]:
    """Says what speaks against the schemas as they are, by each released version."""
    found = []
    for version in sorted(each for each in folder.glob("*") if each.is_dir()):
        for file in sorted(version.glob("*.json")):
            name, current = file.name.partition(".")[0], events / file.name
            if current.exists():
                kind: Literal["input", "outcome"] = "input" if name in INPUTS else "outcome"
                told = faults(kind, json.loads(file.read_text("utf-8")), json.loads(current.read_text("utf-8")))
            else:
                told = ["there is no such event any more"]
            found += [f"{version.name} {name}: {each}" for each in told]
    return found


def _plain(node: Any, root: Schema) -> Any:  # noqa: ANN401 - any part of a schema
    """Without references and what only describes."""
    if isinstance(node, list):
        return [_plain(each, root) for each in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        node = {**root["$defs"][node["$ref"].rpartition("/")[2]], **{k: v for k, v in node.items() if k != "$ref"}}
    return {
        key: {name: _plain(each, root) for name, each in value.items()} if key == "properties" else _plain(value, root)
        for key, value in node.items()
        if key not in {"$id", "$schema", "$defs", "title", "description", "examples"}
    }


def _declared(node: Schema) -> Schema:
    """With the fields it names, and one that nobody knows where it is open to such."""
    made = dict(node)
    if "properties" in node and "type" in node:
        fields = {name: _declared(each) for name, each in node["properties"].items()}
        if node.get("additionalProperties", True) is True:
            fields[_UNKNOWN] = {}
        made |= {"properties": fields, "additionalProperties": False}
    if "items" in node:
        made["items"] = _declared(node["items"])
    return made


def _refused(reader: Schema, writer: Schema, at: str = "") -> list[str]:
    """Where the reader refuses what the writer may send, as far inside as it can be told."""
    if _covers(reader, writer):
        return []
    here = at or "the event"
    read, sent = reader.get("properties", {}), writer.get("properties", {})
    gone = sent.keys() - read.keys() if reader.get("additionalProperties") is False else set()
    asked = set(reader.get("required", ())) - set(writer.get("required", ()))
    found = [f"{here} takes no unknown fields any more"] if _UNKNOWN in gone else []
    found += [f"{here} has lost {name}" for name in sorted(gone - {_UNKNOWN})]
    found += [f"{here} may be without {name}, which is asked for" for name in sorted(asked)]
    for name in sorted(read.keys() & sent.keys()):
        found += _refused(read[name], sent[name], f"{at}.{name}".lstrip("."))
    if "items" in reader and "items" in writer:
        found += _refused(reader["items"], writer["items"], f"{at}[]")
    return found or [f"{here} may have values that are refused"]


def _taken_otherwise(old: Schema, new: Schema, at: str = "") -> list[str]:
    """Where a field that is left out means something else than it did."""
    before, after = old.get("default"), new.get("default")
    found = [] if before == after else [f"{at} is now {after or 'nothing'} where it is left out"]
    kept = old.get("properties", {}).keys() & new.get("properties", {}).keys()
    for name in sorted(kept):
        found += _taken_otherwise(old["properties"][name], new["properties"][name], f"{at}.{name}".lstrip("."))
    if "items" in old and "items" in new:
        found += _taken_otherwise(old["items"], new["items"], f"{at}[]")
    return found


def _covers(reader: Schema, writer: Schema) -> bool:
    try:
        mine, theirs = (canonicalize(each, draft=20, validate_formats=True) for each in (reader, writer))
        return mine.covers(theirs) is Containment.YES
    except CanonicalizationError:
        return False
