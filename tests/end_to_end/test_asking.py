"""Somebody at the command line asks for an end, moves it and takes it back; the service decides."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator

import pytest

from tests.command_line import CommandLine
from tests.conftest import Running
from tests.kafka import Client, client, monthly


@pytest.fixture
def service(running: Running) -> CommandLine:
    return CommandLine(running)


@pytest.fixture
async def kafka(running: Running) -> AsyncIterator[Client]:
    async with client(running.kafka, running.topics) as connected:
        yield connected


@pytest.fixture
async def subscription(kafka: Client) -> str:
    """A subscription of 30.00 EUR a month on two lines, that binds for a year."""
    name = f"s-{secrets.token_hex(4)}"
    lines = [{"line_id": "L1", "amount": "20.00"}, {"line_id": "L2", "amount": "10.00"}]
    agreement = monthly(name, lines=lines, terms={"minimum_term": "P1Y"})
    await kafka.send("subscription-lifecycle", "subscription-activated", f"{name}-a", agreement)
    await kafka.until(lambda _: kafka.shown(name, 0))
    return name


async def statuses(kafka: Client, subscription: str, count: int) -> list[dict[str, object]]:
    """The first so many statuses of a subscription."""

    def found() -> list[dict[str, object]]:
        return [{"type": one.type, **one.data} for one in kafka.of(subscription) if one.topic == "cancellation-status"]

    await kafka.until(lambda _: len(found()) >= count)
    return found()


async def test_an_end_is_asked_for_moved_and_taken_back(service: CommandLine, kafka: Client, subscription: str) -> None:
    because = ("--because", "moved", "--comment", "To Århus", "--by", "anna")
    code, out, err = await service(
        *("cancel", subscription, "--last-day", "2026-12-20", "--override-because", "goodwill", *because, "--json")
    )
    assert (code, err) == (0, "")
    sent = json.loads(out)
    assert sent["topic"] == kafka.names["cancellation-requested"]
    assert (sent["key"], sent["headers"]["ce_type"]) == (subscription, "cancellation-requested")
    assert sent["value"] == {
        "tenant_id": "default",
        "subscription_id": subscription,
        "end": {"mode": "on-date", "last_active_day": "2026-12-20"},
        "requested_by": "anna",
        "reason": {"code": "moved", "comment": "To Århus"},
        "override_terms": {"by": "anna", "why": "goodwill"},
    }
    (first,) = await statuses(kafka, subscription, 1)
    assert (first["type"], first["end_date"]) == ("cancellation-scheduled", "2026-12-21")
    assert first["cancellation_id"] == sent["headers"]["ce_id"]

    code, out, _ = await service("move", subscription, "--end-of-term", "--settlement", "full-period")
    assert code == 0, out
    assert "cancellation-moved" in out
    *_, second = await statuses(kafka, subscription, 2)
    assert (second["type"], second["end_date"]) == ("cancellation-rescheduled", "2027-11-01")
    assert second["settlement"] == "full-period"

    assert (await service("revoke", subscription))[0] == 0
    *_, third = await statuses(kafka, subscription, 3)
    assert third["type"] == "cancellation-withdrawn"


async def test_what_is_sent_again_with_the_same_id_counts_once_and_a_line_can_end_alone(
    service: CommandLine, kafka: Client, subscription: str
) -> None:
    command = ("cancel", subscription, "--on", "2027-11-15", "--lines", "L2", "--id", f"{subscription}-c")
    assert [(await service(*command))[0] for _ in range(2)] == [0, 0]
    assert (await service("revoke", subscription, "--cancellation", f"{subscription}-c"))[0] == 0
    first, second = await statuses(kafka, subscription, 2)
    assert (first["type"], first["line_ids"]) == ("cancellation-scheduled", ["L2"])
    assert second["type"] == "cancellation-withdrawn"


async def test_the_preview_comes_first_and_a_no_sends_nothing(
    service: CommandLine, kafka: Client, subscription: str
) -> None:
    code, out, err = await service("cancel", subscription, "--earliest", "--preview", given="n\n")
    assert (code, out.strip()) == (1, "")
    assert "2027-11-01" in err
    assert "Nothing was sent." in err
    assert (await service("cancel", subscription, "--earliest", "--preview", given="y\n"))[0] == 0
    (only,) = await statuses(kafka, subscription, 1)
    assert only["end_date"] == "2027-11-01"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("cancel", "S1"), "exactly one of --immediately"),
        (("move", "S1", "--earliest", "--on", "2026-12-01"), "exactly one of --immediately"),
        (("cancel", "S1", "--on", "2026-02-30"), "nothing was sent: end.date"),
        (("cancel", "S1", "--at", "2026-02-28"), "nothing was sent: end.at"),
        (("cancel", "S1", "--earliest", "--tenant", "a:b"), "nothing was sent: tenant_id"),
        (("revoke", ""), "nothing was sent: subscription_id"),
        (("revoke", "S1", "--comment", "x"), "goes with the code"),
        (("cancel", "S1", "--immediately", "--override-because", "x"), "needs --by"),
    ],
)
async def test_what_cannot_be_is_refused_in_a_sentence_before_anything_is_sent(
    service: CommandLine, arguments: tuple[str, ...], sentence: str
) -> None:
    service.environment["KAFKA_BOOTSTRAP_SERVERS"] = "127.0.0.1:1"
    code, out, err = await service(*arguments)
    assert (code, out) == (2, "")
    assert sentence in err
    assert len(err.splitlines()) == 1


async def test_a_kafka_that_is_away_is_said_in_a_sentence(service: CommandLine) -> None:
    service.environment["KAFKA_BOOTSTRAP_SERVERS"] = "127.0.0.1:1"
    code, out, err = await service("revoke", "S1")
    assert (code, out) == (1, "")
    assert err == "Kafka does not answer at 127.0.0.1:1 (KAFKA_BOOTSTRAP_SERVERS).\n"
