"""What is stored of a person stands on one page, and nothing is stored that does not stand there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import asyncpg
import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from service.messages.inputs import INPUTS
from service.messages.personal import CUSTOMER, LEFT_OUT, REFERENCES, WORDS, impersonal, new_pseudonym, worded
from service.settings import Topics

PAGE = (Path(__file__).parents[1] / "deploy/PERSONAL-DATA.md").read_text("utf-8")
ANYTHING = "Anna Sørensen, 12345678"


def section(name: str) -> list[list[str]]:
    """The rows of the table under a heading."""
    text = PAGE.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    return [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("| ") and "---" not in line]


def named(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def models(annotation: object) -> Iterator[type[BaseModel]]:
    """Every model that a field may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models(argument)


def free_texts(model: type[BaseModel]) -> Iterator[str]:
    """The fields, at any depth, that take whatever somebody writes."""
    for name, field in model.model_fields.items():
        adapter = TypeAdapter[Any](field.rebuild_annotation())
        for given in (ANYTHING, [ANYTHING]):
            try:
                adapter.validate_json(json.dumps(given))
            except ValidationError:
                continue
            yield name
        for inner in models(field.annotation):
            yield from free_texts(inner)


async def test_every_column_of_every_table_has_its_line(pool: asyncpg.Pool) -> None:
    rows = await pool.fetch(
        "select table_name, column_name from information_schema.columns where table_schema = 'public'"
    )
    stored: dict[str, set[str]] = {}
    for row in rows:
        stored.setdefault(row["table_name"], set()).add(row["column_name"])
    assert {named(row[0])[0]: set(named(row[1])) for row in section("Tables")[1:]} == stored


def test_every_topic_has_its_line() -> None:
    assert {named(row[0])[0] for row in section("Topics")[1:]} == set(Topics().model_dump().values())


def test_every_field_that_takes_free_text_has_its_line_and_its_fate() -> None:
    taken = {name for model in INPUTS.values() for name in free_texts(model)}
    fates = [{CUSTOMER}, WORDS, LEFT_OUT, REFERENCES]
    assert taken == set().union(*fates)
    assert sum(map(len, fates)) == len(taken)
    assert [set(named(row[0])) for row in section("What events can say")[1:5]] == fates


@pytest.mark.parametrize("name", sorted(set(INPUTS) - {"cancellation-policy-set"}))
def test_nothing_personal_is_left_of_an_event_and_all_that_is_decided_on_is(name: str) -> None:
    examples = json.loads((Path(__file__).parents[1] / f"schemas/examples/{name}.json").read_text("utf-8"))
    for example in examples if isinstance(examples, list) else [examples]:
        data = example.get("payload", example.get("data", example))
        given = filled(INPUTS[name], {**data, "customer": {"name": ANYTHING}})
        left = json.loads(impersonal(name, json.dumps(given).encode(), "forgotten-" + "0" * 16, worded(b"secret")))
        assert ANYTHING not in json.dumps(left, ensure_ascii=False)
        again = impersonal(name, json.dumps(left).encode(), new_pseudonym(), worded(b"another"))
        assert {**json.loads(again), CUSTOMER: 0} == {**left, CUSTOMER: 0}
        for field in set(data) - {CUSTOMER, "requested_by", "reason", "override_terms", "lines"}:
            assert left[field] == data[field]


def filled(model: type[BaseModel], data: dict[str, Any]) -> dict[str, Any]:
    """The data with the same words wherever a person can be spoken of."""
    more: dict[str, Any] = {name: ANYTHING for name in model.model_fields if name in {CUSTOMER, "requested_by"}}
    if "reason" in model.model_fields:
        more["reason"] = {"code": ANYTHING, "comment": ANYTHING}
    if "override_terms" in model.model_fields:
        more["override_terms"] = {"by": ANYTHING, "why": ANYTHING}
    if "lines" in data:
        more["lines"] = [{**line, "description": ANYTHING} for line in data["lines"]]
    return {**data, **more}


def test_texts_that_differ_stay_different_and_those_that_are_equal_equal() -> None:
    words = worded(b"secret")
    assert words("one") == words("one")
    assert len({words("one"), words("two"), worded(b"other")("one")}) == 3
    assert (words(""), words(words("one"))) == ("", words("one"))
