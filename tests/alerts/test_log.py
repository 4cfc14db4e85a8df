"""Every event of the log stands in the runbook, with its level and its fields."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

RUNBOOK = Path("deploy/RUNBOOK.md").read_text("utf-8")
LEVELS = {"debug", "info", "warning", "error", "exception"}


def calls() -> Iterator[tuple[str, str, set[str]]]:
    """Each call that logs: event, level, and the fields that are named in it."""
    for file in sorted(Path("service").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr=level)) if level in LEVELS:
                    (said,) = node.args
                    assert isinstance(said, ast.Constant), f"{file}:{node.lineno} makes up the name of its event"
                    assert isinstance(said.value, str)
                    assert all(keyword.arg for keyword in node.keywords), f"{file}:{node.lineno} hides its fields"
                    fields = {str(keyword.arg) for keyword in node.keywords}
                    fields = {"exception" if field == "exc_info" else field for field in fields}
                    yield said.value, "error" if level == "exception" else level, fields


def table() -> dict[str, tuple[set[str], set[str]]]:
    """Of each event in the runbook its levels and fields."""
    section = RUNBOOK.partition("## What the log says")[2]
    return {
        event: (set(levels.split(", ")), set(re.findall(r"`(\w+)`", fields)))
        for event, levels, fields in re.findall(
            r"^\| `([a-z-]+)` \| ([a-z, ]+) \|.*\|([^|]*)\|$", section, re.MULTILINE
        )
    }


def test_the_table_has_every_event_with_its_levels_and_no_other() -> None:
    found: dict[str, set[str]] = {}
    for event, level, _ in calls():
        found.setdefault(event, set()).add(level)
    assert found == {event: levels for event, (levels, _) in table().items()}


def test_every_field_of_an_event_is_in_its_row() -> None:
    rows = table()
    assert {(event, field) for event, _, fields in calls() for field in fields - rows[event][1]} == set()


def test_events_are_named_alike() -> None:
    for event, _, fields in calls():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", event)
        assert not fields & {"tenant", "subscription", "customer"}, f"{event}: ids go by their full names"
