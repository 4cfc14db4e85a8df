"""The gate before a change of a schema: what it lets through, and that it refuses each kind of break."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal

import pytest

from service.messages.inputs import INPUTS
from service.messages.outcomes import OUTCOMES
from service.schemas import events
from tests.contracts.compatibility import RELEASED, against_released, faults
from tests.contracts.release import differing, keep, unreleased, version

Schema = dict[str, Any]
Edit = Callable[[Schema], object]
BACKWARD = "older data: "
FORWARD = "older readers: "


def field(schema: Schema, path: str) -> Schema:
    """A field by its path, through references and items."""
    node = schema
    for name in path.split("."):
        node = node.get("items", node)
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rpartition("/")[2]]
        node = node["properties"][name]
    return node


def change(path: str, **keywords: object) -> Edit:
    return lambda schema: field(schema, path).update(keywords)


def drop(path: str, keyword: str) -> Edit:
    return lambda schema: field(schema, path).pop(keyword)


def add(name: str, *, required: bool = False, **keywords: object) -> Edit:
    def edit(schema: Schema) -> None:
        schema["properties"][name] = keywords
        if required:
            schema["required"].append(name)

    return edit


def remove(name: str) -> Edit:
    def edit(schema: Schema) -> None:
        del schema["properties"][name]
        schema["required"] = [each for each in schema["required"] if each != name]

    return edit


def require(name: str) -> Edit:
    return lambda schema: schema["required"].append(name)


def release(name: str) -> Edit:
    return lambda schema: schema["required"].remove(name)


def close(schema: Schema) -> None:
    schema["additionalProperties"] = False


def close_to(**of: object) -> Edit:
    return lambda schema: schema.update(additionalProperties=of)


def also(path: str, value: str) -> Edit:
    return lambda schema: field(schema, path)["enum"].append(value)


def no_longer(path: str, value: str) -> Edit:
    return lambda schema: field(schema, path)["enum"].remove(value)


def told(kind: Literal["input", "outcome"], name: str, edit: Edit) -> list[str]:
    old = events.schema(name)
    new = deepcopy(old)
    edit(new)
    assert new != old
    return faults(kind, old, new)


@pytest.mark.parametrize("name", [*INPUTS, *OUTCOMES])
def test_a_schema_may_take_its_own_place(name: str) -> None:
    schema = events.schema(name)
    assert faults("input" if name in INPUTS else "outcome", schema, deepcopy(schema)) == []


ACTIVATED, REQUESTED, ISSUED = "subscription-activated", "cancellation-requested", "invoice-issued"


@pytest.mark.parametrize(
    ("name", "edit"),
    [
        (ACTIVATED, add("channel", type="string")),
        (ACTIVATED, add("channel", type="object", properties={"a": {"type": "string"}}, additionalProperties=False)),
        (ACTIVATED, release("customer_id")),
        (ACTIVATED, change("currency", type=["string", "null"])),
        (ACTIVATED, also("billing", "both")),
        (ACTIVATED, change("customer_id", maxLength=300)),
        (ACTIVATED, change("anchor_day", minimum=0)),
        (ACTIVATED, change("lines", maxItems=501)),
        (ACTIVATED, drop("customer_id", "pattern")),
        (ACTIVATED, drop("start_date", "format")),
        (ACTIVATED, change("currency", description="Said otherwise.", examples=["DKK"])),
        (REQUESTED, lambda schema: schema["$defs"]["End"].pop("then")),
    ],
)
def test_an_input_may_ask_for_less_and_know_more(name: str, edit: Edit) -> None:
    assert told("input", name, edit) == []


@pytest.mark.parametrize(
    ("name", "edit", "said"),
    [
        (ACTIVATED, remove("trial_end_date"), "the event has lost trial_end_date"),
        (ACTIVATED, remove("customer_id"), "the event has lost customer_id"),
        (ACTIVATED, lambda s: s["$defs"]["Line"]["properties"].pop("description"), "lines[] has lost description"),
        (ACTIVATED, require("anchor_day"), "the event may be without anchor_day, which is asked for"),
        (ACTIVATED, add("channel", required=True, type="string"), "the event may be without channel"),
        (ACTIVATED, change("anchor_day", type="integer"), "anchor_day may have values that are refused"),
        (ACTIVATED, change("customer_id", type="integer"), "customer_id may have values"),
        (ACTIVATED, no_longer("billing", "in-arrears"), "billing may have values"),
        (ACTIVATED, no_longer("terms.notice_to", "day"), "terms.notice_to may have values"),
        (ACTIVATED, change("currency", pattern="^[A-Z]{2}K$"), "currency may have values"),
        (ACTIVATED, change("currency", pattern="^[A-Z]+$"), "currency may have values"),
        (ACTIVATED, change("customer_id", maxLength=254), "customer_id may have values"),
        (ACTIVATED, change("customer_id", minLength=2), "customer_id may have values"),
        (ACTIVATED, change("customer_id", format="uuid"), "customer_id may have values"),
        (ACTIVATED, change("anchor_day", maximum=28), "anchor_day may have values"),
        (ACTIVATED, change("anchor_day", multipleOf=2), "anchor_day may have values"),
        (ACTIVATED, change("lines", maxItems=499), "lines may have values"),
        (ACTIVATED, change("lines", minItems=2), "lines may have values"),
        (ACTIVATED, change("lines", uniqueItems=True), "lines may have values"),
        (ACTIVATED, close, "the event takes no unknown fields any more"),
        (ACTIVATED, close_to(type="string"), "the event takes no unknown fields any more"),
        (ACTIVATED, lambda schema: close(schema["$defs"]["Line"]), "lines[] takes no unknown fields any more"),
        (ACTIVATED, change("billing", const="in-advance"), "billing may have values"),
        (ACTIVATED, change("billing", default="in-arrears"), "billing is now in-arrears where it is left out"),
        (ACTIVATED, drop("billing", "default"), "billing is now nothing where it is left out"),
        (ACTIVATED, lambda s: s.update(dependentRequired={"terms": ["anchor_day"]}), "the event may have values"),
        (ISSUED, lambda s: s["$defs"]["Charge"].update({"not": {"required": ["line_id"]}}), "charges[] may have"),
        (REQUESTED, lambda s: s["$defs"]["End"]["then"]["anyOf"].pop(), "end may have values"),
    ],
)
def test_an_input_takes_whatever_older_senders_may_send(name: str, edit: Edit, said: str) -> None:
    found = told("input", name, edit)
    assert any(each.startswith(BACKWARD + said) for each in found), found


CREDIT, SHORTENED, TIMELINE = "credit-adjustment", "period-shortened", "subscription-timeline"


@pytest.mark.parametrize(
    ("name", "edit"),
    [
        (CREDIT, add("note", type="string")),
        (CREDIT, change("amount", description="Said otherwise.")),
        (CREDIT, lambda schema: field(schema, "cause")["x-extensible-enum"].append("goodwill")),
        (TIMELINE, lambda s: s["$defs"]["TimelineCharge"]["properties"].update(note={"type": "string"})),
    ],
)
def test_an_outcome_may_say_more(name: str, edit: Edit) -> None:
    assert told("outcome", name, edit) == []


@pytest.mark.parametrize(
    ("name", "edit", "who", "said"),
    [
        (CREDIT, remove("reverses_adjustment_id"), BACKWARD, "the event has lost reverses_adjustment_id"),
        (CREDIT, remove("cause"), FORWARD, "the event may be without cause, which is asked for"),
        (CREDIT, release("cause"), FORWARD, "the event may be without cause, which is asked for"),
        (CREDIT, require("reverses_adjustment_id"), BACKWARD, "the event may be without reverses_adjustment_id"),
        (CREDIT, add("note", required=True, type="string"), BACKWARD, "the event may be without note"),
        (CREDIT, change("customer_id", type="string"), BACKWARD, "customer_id may have values"),
        (CREDIT, change("currency", type=["string", "null"]), FORWARD, "currency may have values"),
        (CREDIT, change("amount", type="number"), FORWARD, "amount may have values"),
        (CREDIT, also("direction", "none"), FORWARD, "direction may have values"),
        (CREDIT, no_longer("direction", "debit"), BACKWARD, "direction may have values"),
        (CREDIT, change("amount", pattern="^[0-9]+$"), BACKWARD, "amount may have values"),
        (CREDIT, drop("amount", "pattern"), FORWARD, "amount may have values"),
        (CREDIT, change("line_id", maxLength=20), BACKWARD, "line_id may have values"),
        (CREDIT, change("sequence", minimum=1), BACKWARD, "sequence may have values"),
        (CREDIT, change("sequence", minimum=-1), FORWARD, "sequence may have values"),
        (CREDIT, change("calculation.total", type="number"), FORWARD, "calculation.total may have values"),
        (CREDIT, close, BACKWARD, "the event takes no unknown fields any more"),
        (SHORTENED, change("charges", minItems=1), BACKWARD, "charges may have values"),
        (SHORTENED, lambda s: s["$defs"]["Period"]["required"].remove("end"), FORWARD, "period may be without end"),
        (TIMELINE, change("entries.time", pattern="Z$"), BACKWARD, "entries[].time may have values"),
    ],
)
def test_an_outcome_can_be_read_by_older_readers_and_older_ones_by_newer(
    name: str, edit: Edit, who: str, said: str
) -> None:
    found = told("outcome", name, edit)
    assert any(each.startswith(who + said) for each in found), found


def test_every_released_version_counts_not_only_the_last(tmp_path: Path) -> None:
    first, second, now = deepcopy(events.schema(CREDIT)), deepcopy(events.schema(CREDIT)), events.schema(CREDIT)
    field(first, "direction")["enum"].append("none")
    for folder, schema in (("released/0.1.0", first), ("released/0.2.0", second), ("events", now)):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / f"{CREDIT}.v1.json").write_text(json.dumps(schema), "utf-8")
    assert against_released(tmp_path / "released", tmp_path / "events") == [
        "0.1.0 credit-adjustment: older data: direction may have values that are refused"
    ]


def test_an_event_is_never_taken_away(tmp_path: Path) -> None:
    (tmp_path / "released" / "0.1.0").mkdir(parents=True)
    (tmp_path / "released" / "0.1.0" / "credit-adjustment.v1.json").write_text("{}")
    found = against_released(tmp_path / "released", tmp_path / "events")
    assert found == ["0.1.0 credit-adjustment: there is no such event any more"]


def test_the_schemas_break_nothing_that_was_released() -> None:
    assert against_released() == []


def test_a_released_version_has_its_schemas_kept_as_they_are() -> None:
    named = version()
    if not unreleased(named):
        assert differing(RELEASED / named) == [], "run make release-schemas"


def test_a_release_keeps_the_schemas_once_and_for_all(tmp_path: Path) -> None:
    events_folder, released = tmp_path / "events", tmp_path / "released"
    events_folder.mkdir()
    file = events_folder / f"{CREDIT}.v1.json"
    schema = events.schema(CREDIT)
    file.write_text(json.dumps(schema))
    assert "no version to release" in keep("0.1.0.dev0", released, events_folder)
    assert keep("0.1.0", released, events_folder) == ""
    assert keep("0.1.0", released, events_folder) == ""

    add("note", type="string")(schema)
    file.write_text(json.dumps(schema))
    assert "is released, and other: credit-adjustment.v1.json" in keep("0.1.0", released, events_folder)
    assert keep("0.2.0", released, events_folder) == ""

    also("direction", "none")(schema)
    file.write_text(json.dumps(schema))
    assert "The schemas break what was released." in keep("0.3.0", released, events_folder)
    assert {folder.name for folder in released.iterdir()} == {"0.1.0", "0.2.0"}
