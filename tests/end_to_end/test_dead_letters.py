"""An operator finds what was set aside, mends it, and sends it again; once, however often the command is given."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Running
from tests.kafka import Client, Outcome, client, monthly

LIFECYCLE, REQUESTED, DEAD = "subscription-lifecycle", "cancellation-requested", "cancellation-dead-letter"


@pytest.fixture
async def kafka(running: Running) -> AsyncIterator[Client]:
    async with client(running.kafka, running.topics) as connected:
        yield connected


class Operator:
    """Somebody at the command line, against the running service's Kafka and Postgres."""

    def __init__(self, running: Running) -> None:
        self._running = running

    async def __call__(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        names = {f"TOPIC_{name.replace('-', '_').upper()}": actual for name, actual in self._running.topics.items()}
        servers = {"KAFKA_BOOTSTRAP_SERVERS": self._running.kafka, "DATABASE_URL": self._running.postgres}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "service", "dead-letters", *arguments),
            env={**os.environ, **names, **servers, "COLUMNS": "200", **environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def listed(self, *arguments: str) -> dict[str, Any]:
        code, out, err = await self("list", "--json", "--limit", "1000", *arguments)
        assert code == 0, err
        found: dict[str, Any] = json.loads(out)
        return found


@pytest.fixture
def operator(running: Running) -> Operator:
    return Operator(running)


@pytest.fixture
async def subscription(kafka: Client) -> str:
    """A subscription of 30.00 EUR a month."""
    name = f"s-{secrets.token_hex(4)}"
    await kafka.send(LIFECYCLE, "subscription-activated", f"{name}-a", monthly(name))
    return name


async def set_aside(kafka: Client, subscription: str, event_id: str, date: str) -> Outcome:
    """Asks to end on a date that is none, and waits for the letter."""
    request = {"subscription_id": subscription, "end": {"mode": "on-date", "date": date}}
    await kafka.send(REQUESTED, "cancellation-requested", event_id, request)
    await kafka.until(lambda _: any(letter.header("ce_id") == event_id for letter in kafka.dead_letters))
    return next(letter for letter in kafka.dead_letters if letter.header("ce_id") == event_id)


def name_of(found: dict[str, Any], letter: Outcome) -> str:
    """The name under which a letter is listed."""
    (name,) = [
        each["letter"]
        for each in found["letters"]
        if (str(each["partition"]), str(each["offset"]))
        == (letter.header("dlq_partition"), letter.header("dlq_offset"))
        and each["topic"] == letter.header("dlq_topic")
    ]
    return str(name)


async def test_a_letter_is_found_shown_mended_in_an_editor_and_replayed_once(
    kafka: Client, operator: Operator, subscription: str, tmp_path: Path
) -> None:
    letter = await set_aside(kafka, subscription, f"{subscription}-c", "2031-02-30")
    found = await operator.listed("--reason", "malformed", "--topic", kafka.names[REQUESTED])
    name = name_of(found, letter)
    assert found["by_reason"]["malformed"] == found["total"]
    assert name in (await operator("list"))[1].replace("\n", "")

    code, shown, _ = await operator("show", name)
    assert code == 0
    assert "would be set aside again: malformed" in shown
    assert '"date": "2031-02-30"' in shown

    code, _, err = await operator("replay", name, "--edit", EDITOR="true")
    assert (code, err.startswith("It would be set aside again: malformed")) == (1, True)
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i s/02-30/02-28/ $1\n")
    editor.chmod(0o755)
    assert (await operator("replay", name, "--edit", EDITOR=str(editor)))[:2] == (
        0,
        "1 on their way to where they came from\n",
    )
    for _ in range(2):
        code, out, _ = await operator("replay", name)
        assert (code, out) == (0, "0 on their way to where they came from, 1 replayed or discarded before\n")
    await kafka.until(lambda _: bool(kafka.of(subscription)))
    (scheduled, *_) = kafka.of(subscription)
    assert (scheduled.type, scheduled.data["end_date"]) == ("cancellation-scheduled", "2031-02-28")
    assert name not in str(await operator.listed())
    (settled,) = [each for each in (await operator.listed("--all"))["letters"] if each["letter"] == name]
    assert settled["fate"]["fate"] == "replayed"


async def test_what_did_not_fit_when_it_came_is_decided_when_it_is_replayed(
    kafka: Client, operator: Operator, subscription: str, tmp_path: Path
) -> None:
    period = {"start": "2026-11-01", "end": "2026-12-01"}
    charge = {"charge_id": "C1", "line_id": "L1", "period": period, "amount": "30.005"}
    issued = {"subscription_id": subscription, "invoice_id": "INV-1", "charges": [charge]}
    await kafka.send(LIFECYCLE, "invoice-issued", f"{subscription}-i", issued)
    await kafka.until(lambda _: any(dead.header("ce_id") == f"{subscription}-i" for dead in kafka.dead_letters))
    letter = next(dead for dead in kafka.dead_letters if dead.header("ce_id") == f"{subscription}-i")
    name = name_of(await operator.listed(), letter)
    mended = tmp_path / "mended.json"
    mended.write_text(json.dumps({**issued, "charges": [{**charge, "amount": "30.00"}]}))
    assert (await operator("replay", name, "--data", str(mended)))[0] == 0
    request = {"subscription_id": subscription, "end": {"mode": "on-date", "date": "2026-11-16"}}
    await kafka.until(lambda _: _charges(kafka, subscription) == ["C1"])
    await kafka.send(
        REQUESTED, "cancellation-requested", f"{subscription}-c", request, time="2026-11-10T12:00:00+01:00"
    )
    await kafka.until(lambda _: any(outcome.type == "credit-adjustment" for outcome in kafka.of(subscription)))
    assert kafka.of(subscription)[-1].data["amount"] == "15.00"


def _charges(kafka: Client, subscription: str) -> list[str]:
    try:
        return [charge["charge_id"] for charge in kafka.timeline(subscription)["charges"]]
    except IndexError:
        return []


async def test_a_discarded_letter_is_kept_out_of_the_list_and_never_replayed(
    kafka: Client, operator: Operator, subscription: str
) -> None:
    letter = await set_aside(kafka, subscription, f"{subscription}-c", "tomorrow")
    name = name_of(await operator.listed(), letter)
    assert (await operator("discard", name))[0] != 0
    assert (await operator("discard", name, "--because", "a test of theirs"))[:2] == (0, "1 discarded\n")
    assert name not in str(await operator.listed())
    assert "1 replayed or discarded before" in (await operator("replay", name))[1]
    assert "discarded" in (await operator("show", name))[1]
    assert "a test of theirs" in (await operator("show", name))[1]


async def test_letters_that_neighbours_wrote_are_replayed_too(
    kafka: Client, operator: Operator, subscription: str
) -> None:
    request = {"subscription_id": subscription, "end": {"mode": "on-date", "date": "2031-01-15"}}
    event: list[tuple[str, bytes | None]] = [
        ("ce_specversion", b"1.0"),
        ("ce_source", b"tests"),
        ("ce_type", b"cancellation-requested"),
        ("ce_id", f"{subscription}-c".encode()),
    ]
    came_from = kafka.names[REQUESTED].encode()
    connect = [("__connect.errors.topic", came_from), ("__connect.errors.exception.message", b"a converter")]
    spring = [("kafka_dlt-original-topic", came_from), ("kafka_dlt-original-offset", bytes(7) + b"\x05")]
    elsewhere = [("kafka_dlt-original-topic", b"another-topic")]
    key = subscription.encode()
    for headers in (connect, spring, elsewhere):
        await kafka.raw(DEAD, json.dumps(request).encode(), [*event, *headers], key=key)
    found = (await operator.listed("--on", kafka.names[DEAD], "--topic", came_from.decode()))["letters"]
    mine = [each for each in found if each["key"] == subscription]
    assert sorted((each["offset"] or 0, each["error"]) for each in mine) == [(0, "a converter"), (5, "")]
    code, out, _ = await operator("replay", *(each["letter"] for each in mine))
    assert (code, out) == (0, "2 on their way to where they came from\n")
    code, _, err = await operator("replay", "--topic", "another-topic")
    assert code == 1
    assert "came from another-topic, and the service reads" in err
    await kafka.until(lambda _: bool(kafka.of(subscription)))
    assert kafka.of(subscription)[0].type == "cancellation-scheduled"


async def test_names_and_filters_that_mean_nothing_are_told(operator: Operator, running: Running) -> None:
    topic = running.topics[DEAD]
    for arguments, sentence in (
        (("show", "nonsense"), "is no name of a dead letter"),
        (("show", f"{topic}-0-99999"), "not 99999"),
        (("show", f"{topic}-77-0"), "There is no partition 77"),
        (("show", "no-such-topic-0-0"), "There is no partition 0 of a topic no-such-topic"),
        (("list", "--on", "no-such-topic"), "There is no topic no-such-topic"),
        (("replay",), "Name letters"),
        (("replay", f"{topic}-0-0", "--all"), "Name letters"),
    ):
        code, _, err = await operator(*arguments)
        assert code == (2 if sentence == "Name letters" else 1), arguments
        assert sentence in err, arguments
