"""What many subscriptions need, worked out from what one event and one subscription were measured to cost.

    python -m tests.benchmarks.capacity      writes deploy/CAPACITY.md from tests/benchmarks/figures.json

Every number of that page comes from here; a test proves that it is fresh, and does the sums another way.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path

FIGURES = Path(__file__).with_name("figures.json")
PAGE = Path(__file__).parents[2] / "deploy" / "CAPACITY.md"
_MONTH = 30 * 86_400
_GB, _MB = 1e9, 1e6


@dataclass(frozen=True, slots=True)
class Assumed:
    """What is supposed of the business; change these to get a page of one's own."""

    events_a_month: float = 3.0
    cancelled_a_month: float = 0.03
    commands_a_cancellation: float = 1.3
    months_kept: int = 24
    peak_share: float = 0.5
    peak_hours: float = 6.0
    busy_share: float = 0.6
    database_cores: int = 32
    replication: int = 3
    topic_days: int = 30
    inbox_days: int = 90


@dataclass(frozen=True, slots=True)
class Cost:
    """What was measured: microseconds of processor time, and bytes, for each event, fact or subscription."""

    worker_us: float
    postgres_us: float
    broker_us: float
    wal_bytes: float
    outcome_bytes: float
    subscription_bytes: float
    fact_bytes: float
    inbox_bytes: float

    @classmethod
    def measured(cls, figures: Mapping[str, float]) -> Cost:
        """From the figures of the benchmark."""
        return cls(
            worker_us=figures["worker_us_per_event"],
            postgres_us=figures["postgres_us_per_event"],
            broker_us=figures["broker_us_per_event"],
            wal_bytes=figures["wal_bytes_per_event"],
            outcome_bytes=figures["outcome_bytes_per_event"],
            subscription_bytes=figures["subscription_bytes"],
            fact_bytes=figures["fact_bytes"],
            inbox_bytes=figures["inbox_bytes"],
        )


FACTS_MEASURED = 15
"""The history of the subscriptions that were measured; a state grows with it."""


@dataclass(frozen=True, slots=True)
class Need:
    """What so many subscriptions need. Rates are events a second, sizes GB, streams MB a second."""

    subscriptions: int
    events_a_month: float
    average_rate: float
    peak_rate: float
    workers: int
    partitions: int
    broker_cores: int
    databases: int
    postgres_cores: int
    state_gb: float
    facts_gb: float
    inbox_gb: float
    wal_mb: float
    outcomes_mb: float
    topics_gb: float


def need(subscriptions: int, cost: Cost, assumed: Assumed) -> Need:
    """The sums, one below the other."""
    commands = assumed.cancelled_a_month * assumed.commands_a_cancellation
    events = subscriptions * (assumed.events_a_month + commands)
    peak = events * assumed.peak_share / (assumed.peak_hours * 3600)

    def cores(microseconds: float) -> int:
        return ceil(peak * microseconds / 1e6 / assumed.busy_share)

    workers, history = cores(cost.worker_us), assumed.events_a_month * assumed.months_kept
    outcomes = peak * cost.outcome_bytes
    return Need(
        subscriptions=subscriptions,
        events_a_month=events,
        average_rate=events / _MONTH,
        peak_rate=peak,
        workers=workers,
        partitions=ceil(workers * 2 / 12) * 12,
        broker_cores=cores(cost.broker_us),
        databases=ceil(cores(cost.postgres_us) / assumed.database_cores),
        postgres_cores=cores(cost.postgres_us),
        state_gb=subscriptions * cost.subscription_bytes * max(history / FACTS_MEASURED, 1) / _GB,
        facts_gb=subscriptions * history * cost.fact_bytes / _GB,
        inbox_gb=events * assumed.inbox_days / 30 * cost.inbox_bytes / _GB,
        wal_mb=peak * cost.wal_bytes / _MB,
        outcomes_mb=outcomes / _MB,
        topics_gb=events * assumed.topic_days / 30 * cost.outcome_bytes * assumed.replication / _GB,
    )


def page(figures: Mapping[str, float], assumed: Assumed) -> str:
    """The whole page, as Markdown."""
    cost = Cost.measured(figures)
    small, large = (need(number, cost, assumed) for number in (100_000_000, 1_000_000_000))
    rows = [
        ("events a month", *(f"{n.events_a_month / 1e6:,.0f} million" for n in (small, large))),
        ("events a second, on average", *(f"{n.average_rate:,.0f}" for n in (small, large))),
        ("events a second, at the month's end", *(f"{n.peak_rate:,.0f}" for n in (small, large))),
        ("workers, one core each", *(f"{n.workers:,}" for n in (small, large))),
        ("partitions of each input topic", *(f"{n.partitions:,}" for n in (small, large))),
        ("cores for the brokers' leaders", *(f"{n.broker_cores:,}" for n in (small, large))),
        ("cores for Postgres", *(f"{n.postgres_cores:,}" for n in (small, large))),
        (f"databases of {assumed.database_cores} cores", *(f"{n.databases:,}" for n in (small, large))),
        ("states, with indexes", *(f"{n.state_gb:,.0f} GB" for n in (small, large))),
        (f"facts of {assumed.months_kept} months", *(f"{n.facts_gb:,.0f} GB" for n in (small, large))),
        (f"inbox of {assumed.inbox_days} days", *(f"{n.inbox_gb:,.0f} GB" for n in (small, large))),
        ("write-ahead log, at the month's end", *(f"{n.wal_mb:,.0f} MB/s" for n in (small, large))),
        ("outcomes, at the month's end", *(f"{n.outcomes_mb:,.0f} MB/s" for n in (small, large))),
        (
            f"outcome topics, {assumed.topic_days} days, {assumed.replication} replicas",
            *(f"{n.topics_gb:,.0f} GB" for n in (small, large)),
        ),
    ]
    measured = [
        ("processor time of a worker", f"{cost.worker_us:,.0f} µs an event"),
        ("processor time of Postgres", f"{cost.postgres_us:,.0f} µs an event"),
        ("processor time of a broker", f"{cost.broker_us:,.0f} µs an event"),
        ("write-ahead log", f"{cost.wal_bytes:,.0f} bytes an event"),
        ("outcomes and snapshot, uncompressed", f"{cost.outcome_bytes:,.0f} bytes an event"),
        (f"state, with {FACTS_MEASURED} facts behind it", f"{cost.subscription_bytes:,.0f} bytes a subscription"),
        ("fact, with its index", f"{cost.fact_bytes:,.0f} bytes"),
        ("inbox, with its index", f"{cost.inbox_bytes:,.0f} bytes an event"),
    ]
    return _TEXT.format(
        assumed=assumed,
        cancelled=assumed.cancelled_a_month * 100,
        peak=assumed.peak_share * 100,
        busy=assumed.busy_share * 100,
        measured="\n".join(f"| {what} | {value} |" for what, value in measured),
        needs="\n".join(f"| {what} | {a} | {b} |" for what, a, b in rows),
    )


_TEXT = """\
<!-- Written by python -m tests.benchmarks.capacity; edit that instead. -->
# Capacity

What 100 million and 1 billion subscriptions need, worked out from what `make bench` measured on two cores that the
worker shares with broker, database and the load itself. The sums stand in `tests/benchmarks/capacity.py`; measure on
your own machines and run it again.

## Measured

| | |
|---|---|
{measured}

## Supposed

A subscription has {assumed.events_a_month:g} events a month (renewed, invoiced, paid). {cancelled:g} % are cancelled
each month, with {assumed.commands_a_cancellation:g} commands each. {peak:g} % of a month's events come within
{assumed.peak_hours:g} hours at its end. Processors are kept {busy:g} % busy. History is kept for {assumed.months_kept}
months, and a state grows with it. Every event is counted at the price of a command, which most are not.

## Needed

| | 100 million | 1 billion |
|---|---|---|
{needs}

## How it spreads

* **Workers** share nothing: a consumer group spreads the partitions over them, and a key stays on its partition. Two
  partitions a worker leave room to add workers without moving keys. More partitions later move keys, so begin
  with enough: while a subscription's events lie on two partitions, their order is not known.
* **Postgres** is the first to be full. A transaction touches the rows of the subscriptions in its batch, their facts,
  the inbox and the outbox, each by its key, so a database for each range of tenants is the simplest way to have
  several: one group of workers and topics for each. Within one database, `subscription`, `fact` and `parked` can be
  partitioned by hash of tenant and subscription without a change to any statement, for each names both.
* **At the month's end** nothing is lost when it is too much: lag grows, outcomes come later, and back-pressure keeps
  the outbox small. Workers can be added for the day: KEDA on lag, up to the number of partitions.
* **The clock** ends what is due by an index, in batches, with as many workers as there are: rows that one has locked
  the others pass over.
"""


def main() -> None:
    """Writes the page."""
    PAGE.write_text(page(json.loads(FIGURES.read_text(encoding="utf-8")), Assumed()), encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
