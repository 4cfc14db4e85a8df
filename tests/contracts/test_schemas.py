"""The schemas say all that there is to say, and nothing that is not so."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator, meta
from pydantic import TypeAdapter, ValidationError

from service.messages import inputs, notation
from service.messages.envelope import UnreadableError, decode
from service.messages.inputs import INPUTS
from service.messages.outcomes import OUTCOMES
from service.schemas import asyncapi, events, files
from service.store.records import Incoming
from tests.contracts.playing import DEAD, Player, sent
from tests.fuzz.mutations import EVENTS, NASTY
from tests.lives import life

TYPES = (*INPUTS, *OUTCOMES)
EXAMPLES = {name: events.examples(files.FOLDER, name) for name in TYPES}
SCHEMAS = {name: json.loads((files.FOLDER / "events" / events.file_name(name)).read_text("utf-8")) for name in TYPES}
VALIDATORS = {name: Draft202012Validator(schema, validate_formats=True) for name, schema in SCHEMAS.items()}


def faults(name: str, data: object) -> list[str]:
    return [
        f"{name} {'.'.join(map(str, each.instance_path))}: {each.message}"
        for each in VALIDATORS[name].iter_errors(data)
    ]


def fields(node: object, at: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field of an object, wherever in the schema; conditions state none."""
    if isinstance(node, dict):
        for name, each in node.get("properties", {}).items():
            yield f"{at}.{name}", each
        for key, each in node.items():
            if key not in {"examples", "if", "then", "else"}:
                inside = each.items() if key in {"properties", "$defs"} else ((key, each),)
                for name, within in inside:
                    yield from fields(within, f"{at}.{name}")


@pytest.mark.parametrize("name", TYPES)
def test_each_schema_is_one_of_2020_12(name: str) -> None:
    meta.validate(SCHEMAS[name])
    assert SCHEMAS[name]["$schema"].endswith("2020-12/schema")


@pytest.mark.parametrize("name", TYPES)
def test_every_field_is_described_in_whole_sentences(name: str) -> None:
    silent = [
        at
        for at, field in fields(SCHEMAS[name], name)
        if not re.fullmatch(r"[A-Z].{8,}\.", field.get("description", ""))
    ]
    assert not silent
    assert SCHEMAS[name]["description"]


def test_a_field_without_a_description_is_found() -> None:
    bare = {"properties": {"a": {"type": "array", "items": {"properties": {"b": {"type": "string"}}}}}}
    assert [at for at, field in fields(bare, "x") if "description" not in field] == ["x.a", "x.a.items.b"]


@pytest.mark.parametrize("name", TYPES)
def test_money_dates_instants_durations_and_zones_have_patterns(name: str) -> None:
    bare = [at for at, field in fields(SCHEMAS[name], name) if "format" in field and "pattern" not in field]
    named = ("amount", "_before", "_after", "_date", "currency", "time_zone", "interval", "notice", "minimum_term")
    bare += [at for at, field in fields(SCHEMAS[name], name) if at.endswith(named) and "pattern" not in field]
    assert not bare


@pytest.mark.parametrize("name", TYPES)
def test_each_event_has_an_example_that_its_schema_takes(name: str) -> None:
    assert EXAMPLES[name]
    assert not [fault for each in EXAMPLES[name] for fault in faults(name, each["payload"])]


@pytest.mark.parametrize("name", INPUTS)
def test_each_example_of_an_input_is_decoded(name: str) -> None:
    for each in EXAMPLES[name]:
        encoded = [(header, value.encode()) for header, value in each["headers"].items()]
        envelope = decode(Incoming("topic", 0, 0, 0, None, json.dumps(each["payload"]).encode(), encoded))
        assert (envelope.type, envelope.id) == (name, each["headers"]["ce_id"])


def test_what_is_published_upon_the_examples_are_the_examples() -> None:
    told = [(asyncapi.topic_of(name), each["headers"], each["payload"]) for name in INPUTS for each in EXAMPLES[name]]
    player = Player()
    player.play(sorted(told, key=lambda event: (event[1]["ce_time"], event[1]["ce_id"])))
    assert {name for name in OUTCOMES if EXAMPLES[name]} == {record["type"] for record in player.published}
    for name in OUTCOMES:
        published = [(record["headers"], record["payload"]) for record in player.published if record["type"] == name]
        for each in EXAMPLES[name]:
            assert (each["headers"], each["payload"]) in published


def test_the_outcomes_of_200_random_lives_are_as_their_schemas_say() -> None:
    seen: Counter[str] = Counter()
    found: list[str] = []
    for seed in range(200):
        told = life(seed)
        player = Player()
        player.play(sorted(map(sent, [*told.lifecycle, *told.commands]), key=lambda event: event[1]["ce_time"]))
        player.end_all()
        for record in player.published:
            assert record["topic"] != DEAD
            seen[record["type"]] += 1
            found += faults(record["type"], record["payload"])
            assert json.dumps(record["payload"]) == _written_by_its_model(record["type"], record["payload"])
            assert record["topic"] == asyncapi.topic_of(record["type"])
        for event in (*told.lifecycle, *told.commands):
            found += faults(event.type, event.data)
    assert not found
    assert seen.keys() == OUTCOMES.keys()


def _written_by_its_model(name: str, payload: Any) -> str:  # noqa: ANN401 - JSON
    """What the model that the schema is generated from makes of an outcome: the same fields, in the same order."""
    model = OUTCOMES[name][1]
    return json.dumps(json.loads(model.model_validate(payload).model_dump_json()))


# What a schema takes of a single value, the decoder takes, but for what no pattern can know.


def _taken(kind: Any, text: str) -> bool:  # noqa: ANN401 - a type and what is said of it
    try:
        TypeAdapter(kind).validate_python(text)
    except ValidationError:
        return False
    return True


@given(st.from_regex(notation.GIVEN_DATE.replace("$", r"\Z")))
def test_a_date_of_the_schemas_shape_is_read_where_the_calendar_has_it(text: str) -> None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        assert not _taken(inputs.Day, text)
    else:
        assert inputs.FIRST_DAY <= day <= inputs.LAST_DAY
        assert _taken(inputs.Day, text)


_TIME = st.from_regex(rf"\A{notation.GIVEN_INSTANT.partition('[Tt]')[2][:-1]}\Z")


@given(st.dates(date(1970, 1, 2), date(2199, 12, 30)), _TIME)
def test_an_instant_of_the_schemas_shape_is_read(day: date, time: str) -> None:
    text = f"{day.isoformat()}T{time}"
    assert re.fullmatch(notation.GIVEN_INSTANT, text)
    assert _taken(inputs.Instant, text)


_NUMBER = st.none() | st.integers(0, 9999)
_DURATION = st.tuples(_NUMBER, _NUMBER, _NUMBER, _NUMBER).map(
    lambda parts: "P" + "".join(f"{n}{unit}" for n, unit in zip(parts, "YMWD", strict=True) if n is not None)
)


@given(_DURATION)
def test_a_duration_of_the_schemas_shape_is_read_up_to_100_years(text: str) -> None:
    assert _taken(inputs.DurationText, text) == bool(re.fullmatch(notation.DURATION, text) and not _beyond(text))


@given(_DURATION)
def test_an_interval_of_the_schemas_shape_is_read_up_to_100_years(text: str) -> None:
    if re.fullmatch(notation.INTERVAL, text):
        assert _taken(inputs.IntervalText, text) == (not _beyond(text))
    else:
        assert not _taken(inputs.IntervalText, text) or re.search("[YMWD]0+[YMWD]|P0", text)


def _beyond(text: str) -> bool:
    parts = {unit: int(number) for number, unit in re.findall(r"([0-9]+)([YMWD])", text)}
    months, days = 12 * parts.get("Y", 0) + parts.get("M", 0), 7 * parts.get("W", 0) + parts.get("D", 0)
    return months > 12 * inputs.LONGEST_YEARS or days > 365 * inputs.LONGEST_YEARS


@given(st.from_regex(r"\A[PTYMWD0-9 +-]{0,8}\Z"))
def test_no_duration_is_read_that_the_schema_would_not_take(text: str) -> None:
    assert not _taken(inputs.DurationText, text) or re.fullmatch(notation.DURATION, text)


def test_every_time_zone_there_is_has_the_schemas_shape() -> None:
    assert not [name for name in available_timezones() if not re.fullmatch(notation.ZONE, name)]


PERIOD = {"start": "2026-11-01", "end": "2026-12-01"}
INSTANTS = {"start": "2026-11-01T00:00:00Z", "end": "2026-12-01T00:00:00Z"}


def _charged(**changes: object) -> dict[str, Any]:
    return {"subscription_id": "s", "invoice_id": "i", "charges": [{"charge_id": "c", "amount": "1.00", **changes}]}


def _ended(**end: object) -> dict[str, Any]:
    return {"subscription_id": "s", "end": end}


@pytest.mark.parametrize(
    ("name", "data", "taken"),
    [
        ("cancellation-requested", _ended(mode="on-date", date="2026-11-21"), True),
        ("cancellation-requested", _ended(mode="on-date", date="2026-11-21", at=None), True),
        ("cancellation-requested", _ended(mode="on-date"), False),
        ("cancellation-requested", _ended(mode="on-date", date=None), False),
        ("cancellation-requested", _ended(mode="on-date", date="2026-11-21", last_active_day="2026-11-20"), False),
        ("cancellation-requested", _ended(mode="on-date", at="2026-11-21T12:00:00"), False),
        ("cancellation-requested", _ended(mode="end-of-period", date="2026-11-21"), True),
        ("cancellation-requested", _ended(mode="at-once"), False),
        ("cancellation-requested", {**_ended(mode="earliest"), "said": "something else"}, True),
        ("invoice-issued", _charged(period=PERIOD), True),
        ("invoice-issued", _charged(period=INSTANTS), True),
        ("invoice-issued", _charged(period={**PERIOD, "end": INSTANTS["end"]}), False),
        ("invoice-issued", _charged(), False),
        ("invoice-issued", _charged(kind="usage", period=None), False),
        ("invoice-issued", _charged(kind="one-off"), True),
        ("invoice-issued", _charged(settles_adjustment_id="a"), True),
        ("invoice-issued", _charged(settles_adjustment_id=None), False),
        ("invoice-issued", _charged(period=PERIOD, amount=1), False),
        ("invoice-issued", _charged(period=PERIOD, amount="-1.00"), False),
    ],
)
def test_schema_and_decoder_are_of_one_mind(name: str, data: dict[str, Any], *, taken: bool) -> None:
    assert VALIDATORS[name].is_valid(data) == taken
    attributes = {"specversion": "1.0", "id": "e1", "source": "tests", "type": name}
    encoded = [(f"ce_{key}", value.encode()) for key, value in attributes.items()]
    try:
        decode(Incoming("topic", 0, 0, 0, None, json.dumps(data).encode(), encoded))
    except UnreadableError:
        assert not taken
    else:
        assert taken


KNOWN_TO_THE_DECODER_ONLY = re.compile(
    "a period ends after it starts|have the same charge_id"  # a schema compares no two values
    "|is not an ISO 4217 currency code|there is no time zone"  # nor does it list them
    "|day value is outside expected range|longer than 100 years"
    "|Input should be (less|greater) than"  # an instant near the edge, by its offset
    "|valid integer"  # to a schema, 1.0 is one
)
TAKEN_ALL_THE_SAME = re.compile(r"[0-9-]{10} .*")
"""An instant with a space for its T, which RFC 3339 lets its readers allow."""


def test_schema_and_decoder_differ_over_nasty_values_only_as_is_known() -> None:
    compared = 0
    for name, event, value in _spoilt():
        why = _refusal(name, event)
        if VALIDATORS[name].is_valid(event):
            assert why is None or KNOWN_TO_THE_DECODER_ONLY.search(why), (name, value, why)
        else:
            assert why is not None or TAKEN_ALL_THE_SAME.fullmatch(value), (name, value)
        compared += 1
    assert compared > 25_000


def _refusal(name: str, event: dict[str, Any]) -> str | None:
    try:
        INPUTS[name].model_validate_json(json.dumps(event))
    except ValidationError as error:
        return str(error)
    return None


def _spoilt() -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Every event with every value of it, and every field it lacks, replaced with every nasty one."""
    nasty = [json.loads(text) for text in NASTY if not re.search("NaN|Infinity|ud800|\x00|[0-9]{4000}", text)]
    for name, events_of_it in EVENTS.items():
        for event in events_of_it:
            given = event if name == "cancellation-policy-set" else {"subscription_id": "s", **event}
            lacking = dict.fromkeys(INPUTS[name].model_fields.keys() - given.keys())
            for path in _paths({**given, **lacking}):
                for value in nasty:
                    yield name, _with(given, path, value), value


def _paths(value: Any) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - any JSON
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        yield (key,)
        yield from ((key, *path) for path in _paths(each))


def _with(node: Any, path: tuple[Any, ...], value: Any) -> Any:  # noqa: ANN401 - any JSON
    """A copy with the value there."""
    if not path:
        return value
    made = dict(node) if isinstance(node, dict) else list(node)
    made[path[0]] = _with(made.get(path[0]) if isinstance(made, dict) else made[path[0]], path[1:], value)
    return made


# What is generated is fresh, and the description of the topics fits.


def test_what_lies_in_the_folder_is_what_would_be_generated(tmp_path: Path) -> None:
    assert files.stale() == []
    (tmp_path / "examples").symlink_to((files.FOLDER / "examples").absolute())
    files.write(tmp_path)
    (tmp_path / "events" / "invoice-paid.v1.json").write_text("{}")
    (tmp_path / "events" / "invoice-sold.v1.json").write_text("{}")
    (tmp_path / "asyncapi.yaml").unlink()
    assert files.stale(tmp_path) == ["asyncapi.yaml", "events/invoice-paid.v1.json", "events/invoice-sold.v1.json"]
    files.write(tmp_path)
    assert files.stale(tmp_path) == []


def test_the_environment_changes_nothing_of_what_is_generated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOPIC_PARTITIONS", "3")
    monkeypatch.setenv("TOPIC_CREDIT_ADJUSTMENT", "billing.credit")
    assert files.stale() == []


def test_every_event_goes_over_one_topic_with_headers_as_its_examples_have_them() -> None:
    described = asyncapi.document(EXAMPLES)
    listed = [name for channel in described["channels"].values() for name in channel["messages"]]
    assert len(set(listed)) == len(listed)
    assert set(TYPES) <= set(listed)
    for name in TYPES:
        headers = Draft202012Validator(described["components"]["messages"][name]["headers"], validate_formats=True)
        for each in EXAMPLES[name]:
            headers.validate(each["headers"])
            assert each["headers"].keys() <= described["components"]["messages"][name]["headers"]["properties"].keys()


def test_each_topic_is_described_as_it_is_created() -> None:
    described = asyncapi.document(EXAMPLES)["channels"]
    assert described["credit-adjustment"]["bindings"]["kafka"]["partitions"] == 12
    assert described["subscription-timeline"]["bindings"]["kafka"]["topicConfiguration"]["cleanup.policy"] == [
        "compact"
    ]
    assert len(described) == 9
