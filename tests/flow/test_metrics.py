"""What is counted of a batch, and what is read of what waits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import get_args

import asyncpg
import pytest
from aiokafka.errors import ConsumerStoppedError, KafkaConnectionError

from service import batch as batch_module
from service import metrics
from service.domain.outcomes import RefusalCode
from service.health import Health
from service.http import serve
from service.metrics import REGISTRY
from service.ops import watching
from service.ops.watching import Watch
from service.retry import patiently
from service.settings import Settings, Topics
from tests.flow.conftest import LIFECYCLE, REQUESTED, World
from tests.scraping import scrape


def value(name: str, **labels: str) -> float:
    """What a metric stands at; none is nought."""
    return REGISTRY.get_sample_value(f"cancellation_{name}", labels) or 0.0


class Before:
    """What metrics stood at, to say by how much they have gone up."""

    def __init__(self) -> None:
        self._values = self._read()

    def risen(self) -> Mapping[str, float]:
        """By how much each counter has gone up, where it has."""
        now = self._read()
        return {name: now[name] - self._values.get(name, 0) for name in now if now[name] != self._values.get(name, 0)}

    @staticmethod
    def _read() -> dict[str, float]:
        return {
            " ".join([each.name.removeprefix("cancellation_"), *each.labels.values()]): each.value
            for family in REGISTRY.collect()
            for each in family.samples
            if each.name.startswith("cancellation_") and each.name.endswith(("_total", "_count"))
        }


@pytest.fixture
def watch(world: World) -> Watch:
    return Watch(world.pool, Settings(), lambda: world.now)


async def test_a_batch_is_counted_once_it_is_committed(world: World) -> None:
    batch = [
        world.activated(),
        world.issued(),
        world.cancel(),
        world.cancel(),
        world.record(REQUESTED, b"{", []),
        world.cancel(event_id="too late", date="2020-01-01"),
    ]
    before = Before()
    await world.flow.process(batch)
    assert before.risen() == {
        f"events_consumed_total {LIFECYCLE} subscription-activated": 1,
        f"events_consumed_total {LIFECYCLE} invoice-issued": 1,
        f"events_consumed_total {REQUESTED} cancellation-requested": 3,
        f"events_consumed_total {REQUESTED} unreadable": 1,
        "events_decided_total subscription-activated": 1,
        "events_decided_total invoice-issued": 1,
        "events_decided_total cancellation-requested": 2,
        "refusals_total end-before-start": 1,
        "dead_letters_total not-json": 1,
        "repeats_total": 1,
        "transaction_duration_seconds_count batch": 1,
    }
    before = Before()
    await world.flow.process(batch)
    assert before.risen() == {"transaction_duration_seconds_count batch": 1}, "they are behind the offset"


async def test_what_is_rolled_back_is_not_counted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def failing(*_: object) -> None:
        raise ConnectionError

    monkeypatch.setattr("service.store.outbox.append", failing)
    before = Before()
    with pytest.raises(ConnectionError):
        await world.flow.process([world.activated(), world.cancel()])
    assert before.risen() == {}


async def test_what_the_clock_does_is_counted_as_its_own(world: World) -> None:
    await world.flow.process([world.activated(), world.cancel(), world.cancel("unknown", "u")])
    world.pass_by(days=30)
    before = Before()
    await world.flow.end_due()
    assert before.risen() == {
        "events_decided_total clock": 1,
        "refusals_total unknown-subscription": 1,
        "transaction_duration_seconds_count clock": 1,
    }


async def test_what_waits_is_counted_with_its_age(world: World, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    await watch.look()
    assert {name: value(name) for name in ("outbox_rows", "outbox_oldest_age_seconds", "held_subscriptions")} == {
        "outbox_rows": 0,
        "outbox_oldest_age_seconds": 0,
        "held_subscriptions": 0,
    }
    await world.flow.process([world.activated(), world.issued(), world.cancel()])
    with monkeypatch.context() as patched:
        patched.setattr(batch_module, "decide", lambda *_: 1 / 0)
        before = Before()
        await world.flow.process([world.activated("t", "t"), world.cancel("t", "ct")])
        assert before.risen()["decisions_failed_total"] == 1
    world.pass_by(minutes=90)
    await watch.look()
    rows = await world.pool.fetchval("select count(*) from outbox")
    assert value("outbox_rows") == rows > 0
    assert value("outbox_oldest_age_seconds") == value("held_oldest_age_seconds") == 90 * 60
    assert value("held_subscriptions") == 1
    assert value("open_adjustment_oldest_age_seconds") == 90 * 60
    assert metrics.by_label(metrics.OPEN, "age") == {"1h": 0, "1d": 1, "7d": 0, "older": 0}
    assert value("database_up") == 1


async def test_what_ends_in_the_next_day_is_told_from_what_is_due(world: World, watch: Watch) -> None:
    await world.flow.process([world.activated(), world.cancel()])
    ends = "2026-11-20T23:00:00+00:00"
    for seconds_before, ending, due in ((86_401, 0, 0), (86_400, 1, 0), (1, 1, 0), (0, 0, 0), (-60, 0, 1)):
        world.now = type(world.now).fromisoformat(ends) - timedelta(seconds=seconds_before)
        await watch.look()
        assert (value("ending_next_day_subscriptions"), value("due_subscriptions")) == (ending, due), seconds_before
    world.pass_by(hours=1)
    await watch.look()
    assert value("due_oldest_age_seconds") == 3600


async def test_a_last_period_that_begins_is_no_end(world: World, watch: Watch) -> None:
    await world.flow.process([world.activated(), world.cancel(date="2027-02-15")])
    world.now = type(world.now).fromisoformat("2027-01-31T00:00:00+00:00")
    due = await world.pool.fetchval("select due_at from subscription")
    assert world.now < due < world.now + timedelta(days=1), "something is due that is no end"
    await watch.look()
    assert value("ending_next_day_subscriptions") == 0


async def test_rows_are_counted_to_a_limit(world: World, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "COUNTED_TO", 2)
    await world.flow.process([world.activated(f"s{n}", f"a{n}") for n in range(3)])
    await world.flow.process([world.cancel(f"s{n}", f"c{n}") for n in range(3)])
    world.pass_by(days=30)
    await watch.look()
    assert value("due_subscriptions") == 2


async def test_whoever_asks_gets_what_was_seen_last_and_the_database_is_not_read_for_it(
    world: World, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_EVERY_SECONDS", 3600.0)
    settings = Settings(http_bind="127.0.0.1:0")
    async with serve(settings, Topics(), world.pool, Health(), watch=watch) as address:
        await watch.seen.wait()
        await world.flow.process([world.activated(), world.cancel()])
        for _ in range(5):
            assert "cancellation_outbox_rows 0.0" in (await scrape(address))[1]
    await watch.look()
    assert value("outbox_rows") > 0


async def test_a_look_that_fails_keeps_nobody_waiting(watch: Watch) -> None:
    async def broken() -> dict[tuple[str, int], int]:
        raise ZeroDivisionError

    watch.lags = broken
    with pytest.raises(ZeroDivisionError):
        await watch.look()
    assert watch.seen.is_set()


@pytest.mark.parametrize("fault", [KafkaConnectionError, ConsumerStoppedError, TimeoutError])
async def test_without_servers_what_was_last_read_stands_and_is_said_to_be_old(
    world: World, watch: Watch, fault: type[Exception]
) -> None:
    async def known() -> dict[tuple[str, int], int]:
        return {("topic", 0): 3}

    async def away() -> dict[tuple[str, int], int]:
        raise fault

    await world.flow.process([world.activated(), world.cancel()])
    watch.lags = known
    await watch.look()
    rows = value("outbox_rows")
    assert (value("kafka_up"), value("consumer_lag_records", topic="topic", partition="0")) == (1, 3)
    watch.lags = away
    await world.pool.close()
    await watch.look()
    assert (value("kafka_up"), value("database_up"), value("outbox_rows")) == (0, 0, rows)


async def test_the_lag_of_a_partition_taken_away_is_reported_no_more(watch: Watch) -> None:
    held = {("topic", 0): 3, ("topic", 1): 4}

    async def known() -> dict[tuple[str, int], int]:
        return held

    watch.lags = known
    await watch.look()
    del held["topic", 0]
    await watch.look()
    assert metrics.by_label(metrics.LAG, "partition") == {"1": 4}


async def test_each_attempt_that_fails_is_counted_by_what_it_was() -> None:
    left = [asyncpg.InterfaceError("closed"), OSError()]

    async def attempt() -> None:
        if left:
            raise left.pop()

    before = Before()
    await patiently("clock", attempt)
    assert before.risen() == {"retries_total clock": 2}


def test_refusals_and_reasons_stand_at_nought_before_the_first() -> None:
    assert set(metrics.by_label(metrics.REFUSED, "code")) == set(get_args(RefusalCode))
    assert set(metrics.by_label(metrics.DEAD_LETTERS, "reason")) >= set(metrics.REASONS)
