"""A book of subscriptions comes in from a file, killed on the way or not, and its timelines go out into one."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer

from service.flow import utc_now
from service.local import Servers
from service.messages.inputs import SubscriptionActivated
from service.ops.carrying import AT_ONCE, CarryingError, Checkpoint, Import, stamp
from service.ops.rows import Form, Position, Reading, Row, form_of
from service.settings import Settings, Topics
from tests.command_line import CommandLine
from tests.conftest import Running
from tests.conftest import service as started
from tests.kafka import Client, client

HEADER = "subscription_id,customer_id,currency,time_zone,start_date,interval,line_id,amount,description,notice"
AGREED = "c,DKK,Europe/Copenhagen,2024-01-31,P1M"


@pytest.fixture
def service(running: Running) -> CommandLine:
    return CommandLine(running)


@pytest.fixture
async def kafka(running: Running) -> AsyncIterator[Client]:
    async with client(running.kafka, running.topics) as connected:
        yield connected


def read(text: str | bytes, form: Form = "csv", start: Position | None = None) -> list[Row]:
    file = BytesIO(text.encode() if isinstance(text, str) else text)
    return list(Reading(form, Topics(), "/import", utc_now()).rows(file, start or Position()))


def data(row: Row) -> SubscriptionActivated:
    assert not isinstance(row.event, Exception), row.event
    found = row.event.read().data
    assert isinstance(found, SubscriptionActivated)
    return found


def refusals(text: str | bytes, form: Form = "csv") -> list[tuple[int, str]]:
    return [(row.line, str(why)) for row in read(text, form) if (why := row.refusal()) is not None]


def written(prefix: str, count: int) -> str:
    return "\n".join([HEADER, *(f"{prefix}-{number},{AGREED},,{number}.50,Bladet,P30D" for number in range(count)), ""])


# What a file says.


def test_rows_of_one_subscription_are_its_lines() -> None:
    one, two = read(f'{HEADER}\nS1,{AGREED},L1,10.00,,P30D\nS1,,,,,,L2,5.5,"Sunday, too",\nS2,{AGREED},,7,,\n')
    assert (one.line, two.line) == (2, 4)
    assert [(line.line_id, line.amount, line.description) for line in data(one).lines] == [
        ("L1", "10.00", None),
        ("L2", "5.5", "Sunday, too"),
    ]
    terms = data(one).terms
    assert terms is not None
    assert terms.notice == "P30D"
    assert [(line.line_id, line.amount) for line in data(two).lines] == [("1", "7")]
    assert data(two).terms is None


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_and_a_byte_order_mark_are_understood(separator: str) -> None:
    text = f"{HEADER}\nS1,{AGREED},L1,10.00,,\n".replace(",", separator)
    (only,) = read(b"\xef\xbb\xbf" + text.encode())
    assert data(only).subscription_id == "S1"


def test_what_cannot_be_is_refused_by_its_line_and_its_neighbours_are_not() -> None:
    rows = [
        HEADER,
        f"S1,{AGREED},,10.001,,",  # 2: three decimals
        f"S2,{AGREED},,10,,",
        f"S3,{AGREED},,10,",  # 4: a cell is missing
        f"S4,{AGREED},L1,10,,",  # 5
        f"S4,{AGREED.replace('DKK', 'EUR')},L2,10,,",
        f"S5,{AGREED},L1,10,,",  # 7
        "S5,,,,,,L1,20,,",
        f",{AGREED},,10,,",  # 9, and what lies beside it
        f"S6,{AGREED},,10,,",
        f"S7,{AGREED},,10,,",
        f"S8,{AGREED.replace('DKK', 'XXX')},,10,,",  # 12
    ]
    assert [line for line, _ in refusals("\n".join(rows))] == [2, 4, 5, 7, 12]
    assert [row.line for row in read("\n".join(rows))] == [2, 3, 4, 5, 7, 11, 12]
    words = dict(refusals("\n".join(rows)))
    assert "more decimals than DKK" in words[2]
    assert "9 cells, the header 10" in words[4]
    assert "'EUR' and 'DKK' for one subscription" in words[5]


def test_bytes_that_are_no_text_and_quotes_without_an_end_are_refused() -> None:
    latin = f"{HEADER}\nS1,{AGREED},,10,Sl\xe5,\nS2,{AGREED},,10,,\n".encode("latin-1")
    assert refusals(latin) == [(2, "line 2 is not UTF-8")]
    ((line, why),) = refusals(f'{HEADER}\nS1,{AGREED},,10,"open,\nS2,{AGREED},,10,,\n')
    assert line == 2
    assert "is no CSV" in why


def test_a_row_is_the_same_event_whenever_it_is_read_and_reading_goes_on_anywhere() -> None:
    text = f'{HEADER}\nS1,{AGREED},L1,10.00,"two\nlines",\nS1,,,,,,L2,5,,\n\nS2,{AGREED},,7,,\nS2x,{AGREED},,7,,\n'
    all_of_it = read(text)
    for number, row in enumerate(all_of_it):
        rest = read(text, start=row.end)
        assert [(each.line, each.end, _event(each)) for each in rest] == [
            (each.line, each.end, _event(each)) for each in all_of_it[number + 1 :]
        ]
    assert len({_event(row)[0] for row in all_of_it}) == 3


def _event(row: Row) -> tuple[str, bytes]:
    assert not isinstance(row.event, Exception)
    return row.event.read().id, row.event.value


def test_a_line_of_ndjson_is_an_activation_or_a_cloud_event() -> None:
    agreement = {
        "subscription_id": "S1",
        "customer_id": "c",
        "currency": "DKK",
        "time_zone": "Europe/Copenhagen",
        "start_date": "2024-01-01",
        "interval": "P1M",
        "lines": [{"line_id": "L1", "amount": "10.00"}],
    }
    paid = {"type": "invoice-paid", "data": {"subscription_id": "S1", "invoice_id": "I", "paid_amount": "1"}}
    policy = {**paid, "type": "cancellation-policy-set", "id": "P", "source": "/erp", "data": {"tenant_id": "t"}}
    request = {**paid, "specversion": "1.0", "type": "cancellation-revoked", "time": "2026-01-01T00:00:00Z"}
    events = (agreement, paid, policy, request)
    rows = read("\n".join(map(json.dumps, events)), "ndjson")
    sent = [row.event for row in rows if not isinstance(row.event, Exception)]
    assert [event.topic for event in sent] == [
        *("subscription-lifecycle", "subscription-lifecycle", "cancellation-policy", "cancellation-requested")
    ]
    assert [event.key for event in sent] == [b"S1", b"S1", b"t", b"S1"]
    envelopes = [event.read() for event in sent]
    assert [each.source for each in envelopes] == ["/import", "/import", "/erp", "/import"]
    assert envelopes[2].id == "P"
    assert [each.type for each in envelopes[:2]] == ["subscription-activated", "invoice-paid"]


def test_lines_of_ndjson_that_are_no_events_are_refused() -> None:
    given = ["{", "[]", '{"data": {}, "type": "x"}', '{"data": 1}', '{"subscription_id": "S1"}', "", "\x00"]
    assert [line for line, _ in refusals("\n".join(given), "ndjson")] == [1, 2, 3, 4, 5, 7]
    twice = '{"type": "invoice-voided", "data": {"subscription_id": "a", "subscription_id": "b", "invoice_id": "I"}}'
    assert "twice" in refusals(twice, "ndjson")[0][1]


def test_a_file_is_known_by_its_name_or_its_beginning() -> None:
    assert form_of("-", BytesIO(b' {"a": 1}')) == "ndjson"
    assert form_of("book", BytesIO(HEADER.encode())) == "csv"
    assert form_of("book.jsonl", BytesIO(b"")) == "ndjson"


async def test_a_file_that_changes_while_it_is_checked_is_not_sent(tmp_path: Path) -> None:
    file, reading = tmp_path / "book.csv", Reading("csv", Topics(), "/import", utc_now())
    file.write_text(written("S", 1), "utf-8")
    with file.open("rb") as opened:
        work = Import(opened, reading, None, stamp(opened))
        with file.open("a", encoding="utf-8") as more:
            more.write(f"S2,{AGREED},,1.00,,\n")
        with pytest.raises(CarryingError, match="has changed"):
            await work.send(Settings(), Checkpoint(content="", reading="", target=""), lambda _at, _rows: None)


# What becomes of it.


async def test_nothing_is_sent_of_a_file_with_a_fault_unless_it_is_to_be_left_out(
    service: CommandLine, kafka: Client, tmp_path: Path
) -> None:
    name = f"i-{secrets.token_hex(4)}"
    file, refused = tmp_path / "book.csv", tmp_path / "refused.ndjson"
    file.write_text(written(name, 3).replace("1.50", "1.505"), "utf-8")
    code, out, err = await service("import", str(file), "--refused", str(refused))
    assert (code, out) == (1, "3 checked, 1 refused; nothing was sent\n")
    assert err.startswith("line 3: malformed: '1.505' has more decimals than DKK")
    assert [json.loads(line)["line"] for line in refused.read_text("utf-8").splitlines()] == [3]
    code, out, _ = await service("import", str(file), "--skip-refused")
    assert (code, out) == (1, "2 sent, 0 before, 1 refused\n")
    await kafka.until(lambda _: kafka.shown(f"{name}-0", 0) and kafka.shown(f"{name}-2", 0))
    assert not kafka.shown(f"{name}-1", 0)
    file.write_text(written(name, 3), "utf-8")
    code, _, err = await service("import", str(file))
    assert code == 1
    assert "is not the one of which" in err
    assert (await service("import", str(file), "--again"))[:2] == (0, "3 sent, 0 before, 0 refused\n")
    await kafka.until(lambda _: kafka.shown(f"{name}-1", 0))
    assert not [one for one in kafka.dead_letters if name in str(one.value)]


async def test_stdin_is_read_and_a_dry_run_needs_no_kafka(service: CommandLine, kafka: Client) -> None:
    name = f"i-{secrets.token_hex(4)}"
    code, out, _ = await service("import", "-", "--json", given=written(name, 2))
    assert (code, json.loads(out)) == (0, {"rows": 2, "refused": 0, "sent": 2, "before": 0})
    await kafka.until(lambda _: all(kafka.shown(f"{name}-{number}", 0) for number in range(2)))
    service.environment["KAFKA_BOOTSTRAP_SERVERS"] = "127.0.0.1:1"
    code, out, _ = await service("import", "-", "--dry-run", given=written(name, 2))
    assert (code, out) == (0, "2 checked, 0 refused; nothing was sent\n")
    code, _, err = await service("import", "-", given="subscription_id,amout\n")
    assert code == 1
    assert (
        "There is no column 'amout'" in (await service("import", "-", "--dry-run", given="id,amout\namout"))[2] or err
    )


async def test_an_import_that_is_killed_goes_on_and_loses_and_doubles_nothing(
    embedded: Servers, template: str, tmp_path: Path
) -> None:
    count = 25_000
    file = tmp_path / "book.csv"
    file.write_text(written("S", count), "utf-8")
    # A service of its own: so many timelines would be in the way of all other tests.
    async with started(embedded, template, {}) as running, client(running.kafka, running.topics) as kafka:
        service = CommandLine(running)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "service", "import", str(file)), env=service.environment
        )
        async with sent(running) as ids:
            while len(ids) <= AT_ONCE:  # the one after them is sent once they are acknowledged and noted
                await anext(ids)
            process.send_signal(signal.SIGKILL)
            assert await process.wait() == -signal.SIGKILL
        before = json.loads((tmp_path / "book.csv.import").read_bytes())["sent"]
        assert 0 < before < count
        code, out, err = await service("import", str(file), "--json")
        assert (code, err) == (0, "")
        assert json.loads(out) == {"rows": 0, "refused": 0, "sent": count - before, "before": before}
        async with sent(running) as ids:
            while len(set(ids)) < count:
                await anext(ids)

        def shown() -> set[bytes | None]:
            return {each.key for each in kafka.received if each.topic == "subscription-timeline"}

        await kafka.until(lambda _: len(shown()) == count, 180)
        connection = await asyncpg.connect(running.postgres)
        facts = await connection.fetchrow("select count(*), count(distinct (source, event_id)) from fact")
        await connection.close()
        assert tuple(facts) == (count, count)
        assert not kafka.dead_letters
        assert (await service("import", str(file)))[1] == f"0 sent, {count:,} before, 0 refused\n"


class Ids(list[str]):
    """The ids of the events of subscriptions' lives, as they are read off the topic, repeats and all."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        super().__init__()
        self._consumer = consumer

    def __aiter__(self) -> Ids:
        return self

    async def __anext__(self) -> None:
        for records in (await self._consumer.getmany(timeout_ms=200)).values():
            self.extend((dict(each.headers).get("ce_id") or b"").decode() for each in records)


@asynccontextmanager
async def sent(running: Running) -> AsyncIterator[Ids]:
    topic = running.topics["subscription-lifecycle"]
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=running.kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async with asyncio.timeout(120):
            yield Ids(consumer)
    finally:
        await consumer.stop()


async def test_timelines_are_exported_as_they_were_published(
    service: CommandLine, kafka: Client, tmp_path: Path
) -> None:
    tenant, names = f"t-{secrets.token_hex(4)}", ["a", "b", "c"]
    lines = [HEADER + ",tenant_id", *(f"{name},{AGREED},,10.00,Bladet,,{tenant}" for name in names)]
    assert (await service("import", "-", given="\n".join(lines)))[0] == 0

    def shown() -> dict[str, Any]:
        snapshots = [one.data for one in kafka.received if one.topic == "subscription-timeline"]
        return {each["subscription_id"]: each for each in snapshots if each["tenant_id"] == tenant}

    await kafka.until(lambda _: len(shown()) == len(names))
    code, out, err = await service("export", "--tenant", tenant)
    assert (code, err) == (0, "")
    exported = [json.loads(line) for line in out.splitlines()]
    assert exported == [shown()[name] for name in names]
    into = tmp_path / "timelines.ndjson"
    assert (await service("export", "--tenant", tenant, "--output", str(into)))[:2] == (0, "")
    assert into.read_text("utf-8") == out
    assert (await service("export", "--tenant", "nobody"))[:2] == (0, "")
