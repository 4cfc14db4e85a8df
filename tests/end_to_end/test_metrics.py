"""A running service says at /metrics what it does, in Prometheus' own words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from prometheus_client.parser import text_string_to_metric_families

from service.metrics import REASONS, WAITS
from tests.conftest import Running
from tests.kafka import client, monthly
from tests.scraping import LAG, once_it_has_looked, scrape

Samples: TypeAlias = Mapping[tuple[str, tuple[str, ...]], float]


def samples(text: str) -> Samples:
    """Every sample by its name and the values of its labels, in the order of the labels' names."""
    return {
        (each.name, tuple(value for _, value in sorted(each.labels.items()))): each.value
        for family in text_string_to_metric_families(text)
        for each in family.samples
    }


async def test_a_scrape_follows_an_event_through_the_service(running: Running) -> None:
    topic = running.topics["subscription-lifecycle"]
    consumed = ("cancellation_events_consumed_total", (topic, "subscription-activated"))
    published = ("cancellation_records_published_total", (running.topics["subscription-timeline"],))
    async with client(running.kafka, running.topics) as kafka:
        await kafka.send("subscription-lifecycle", "subscription-activated", "measured", monthly("measured"))
        await kafka.until(lambda _: kafka.shown("measured", 0))
    assert (await scrape(running.http))[0].startswith("text/plain; version=")
    after = samples(await once_it_has_looked(running.http))
    assert after[consumed] >= 1
    assert after[published] >= 1
    assert after["cancellation_batch_records_count", ()] > 0
    assert after["cancellation_batch_duration_seconds_sum", ()] > 0
    assert after["cancellation_relay_publish_duration_seconds_count", ()] > 0
    assert after["cancellation_rebalances_total", ()] >= 1
    assert after["cancellation_database_up", ()] == after["cancellation_kafka_up", ()] == 1
    lags = {labels: value for (name, labels), value in after.items() if name == LAG}
    assert {labels for labels in lags if labels[1] == topic} == {(str(number), topic) for number in range(4)}
    assert {labels for name, labels in after if name == "cancellation_loop_last_success_timestamp_seconds"} == {
        *(("consumer",), ("clock",), ("relay",))
    }


async def test_every_name_and_unit_is_as_prometheus_has_them(running: Running) -> None:
    families = list(text_string_to_metric_families((await scrape(running.http))[1]))
    ours = [family for family in families if family.name.startswith("cancellation_")]
    assert len(ours) > 25
    for family in ours:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", family.name)
        assert not re.search(r"_(ms|minutes|hours|days|kb)$", family.name)
        assert family.documentation.endswith("."), family.name
        if family.type == "counter":
            assert all(each.name.endswith(("_total", "_created")) for each in family.samples)


def test_every_reason_and_every_wait_in_the_code_is_known_in_advance() -> None:
    code = "\n".join(file.read_text("utf-8") for file in sorted(Path("service").rglob("*.py")))
    assert set(re.findall(r'UnreadableError\("([a-z-]+)"', code)) == set(REASONS)
    assert {*re.findall(r'patiently\("([a-z]+)"', code), "relay", "books"} == set(WAITS)
