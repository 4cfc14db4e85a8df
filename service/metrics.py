"""What a worker counts and measures, for Prometheus at `/metrics` and for the operations page.

One registry a process. Names and units are Prometheus' own: seconds, `_total` for what only grows. What is counted on
the way of a batch is counted once a batch, after its transaction; what is read from the database or asked of Kafka is
read every few seconds (`service.ops.watching`). A label has few values, all of them known in advance but for topics
and partitions: no tenant, no subscription.

The Prometheus middleware of FastStream is not used: of a batch it sees the first record's topic only, and it fails on
a record without a value.
"""

from __future__ import annotations

from typing import get_args

from prometheus_client import (
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    PROCESS_COLLECTOR,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
)

from service import __version__
from service.domain.outcomes import RefusalCode

REGISTRY = CollectorRegistry()
for _collector in (PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
    REGISTRY.register(_collector)

REASONS = (
    *("empty", "not-json", "bad-header", "duplicate-key", "too-large", "unknown-type", "malformed", "too-many"),
    *("conflicting-content", "contradicting", "unknown-subscription", "reading-failed"),
)
"""Why a record becomes a dead letter."""

WAITS = (
    *("postgres", "migrations", "kafka", "assignment", "process", "outbox", "clock", "housekeeping", "relay"),
    *("books", "figures"),
)
"""What is tried again for as long as it fails."""

LOOPS = ("consumer", "clock", "relay")
AGES = ("1h", "1d", "7d", "older")
"""The upper bounds by which open adjustments are told apart."""

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_PREFIX = "cancellation"

Info("build", "The release that runs.", namespace=_PREFIX, registry=REGISTRY).info({"version": __version__})


def _counter(name: str, said: str, *labels: str) -> Counter:
    return Counter(name, said, labels, namespace=_PREFIX, registry=REGISTRY)


def _gauge(name: str, said: str, *labels: str) -> Gauge:
    return Gauge(name, said, labels, namespace=_PREFIX, registry=REGISTRY)


def _histogram(name: str, said: str, *labels: str, buckets: tuple[float, ...] = _SECONDS) -> Histogram:
    return Histogram(name, said, labels, namespace=_PREFIX, registry=REGISTRY, buckets=buckets)


# The way of a batch.
CONSUMED = _counter(
    "events_consumed",
    "Records taken in, repeats and unreadable ones (type unreadable) included.",
    *("topic", "type"),
)
DECIDED = _counter("events_decided", "Events decided, refusals included; type clock: what the clock has done.", "type")
REFUSED = _counter("refusals", "Commands refused.", "code")
DEAD_LETTERS = _counter("dead_letters", "Records set aside as dead letters.", "reason")
REPEATS = _counter("repeats", "Events that had been taken in before, and did nothing.")
FAILED = _counter("decisions_failed", "Decisions that failed: each holds its subscription.")
BATCH_RECORDS = _histogram(
    "batch_records", "Records in a batch.", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
)
BATCH_SECONDS = _histogram("batch_duration_seconds", "From a batch in hand to its commit, with all that is retried.")
TRANSACTION_SECONDS = _histogram(
    "transaction_duration_seconds", "One transaction that decides, from its begin to its commit.", "kind"
)
PUBLISHED = _counter("records_published", "Outcomes, snapshots and dead letters that Kafka has acknowledged.", "topic")
PUBLISH_SECONDS = _histogram("relay_publish_duration_seconds", "One round of the relay that had something to publish.")
RETRIES = _counter("retries", "Attempts that failed and are tried again.", "what")
REBALANCES = _counter("rebalances", "Assignments of partitions to this worker.")
OUTBOX_FULL = _counter("outbox_full", "Times that consuming has waited because the outbox was full.")
BOOKS_VERIFIED = _counter("books_verified_subscriptions", "Subscriptions that this worker has verified.")
LAST_SUCCESS = _gauge(
    "loop_last_success_timestamp_seconds", "When a loop last did its work, in seconds since 1970.", "loop"
)

# What is read every few seconds.
LAG = _gauge(
    "consumer_lag_records", "Records of a partition held by this worker, not decided yet.", *("topic", "partition")
)
KAFKA_UP = _gauge("kafka_up", "1 if Kafka told this worker the ends of its partitions when last asked, else 0.")
DATABASE_UP = _gauge("database_up", "1 if the database answered when last asked, else 0.")
COUNTED_TO = _gauge("count_limit", "Where counting rows stops: a gauge that has reached this may stand for more.")
OUTBOX_ROWS = _gauge("outbox_rows", "Records decided and not published yet, counted up to OUTBOX_MAX_RECORDS.")
OUTBOX_AGE = _gauge("outbox_oldest_age_seconds", "Age of the oldest record not published yet; 0 where there is none.")
HELD = _gauge("held_subscriptions", "Subscriptions held because a decision failed, up to the count limit.")
HELD_AGE = _gauge("held_oldest_age_seconds", "For how long the first of them has been held; 0 where there is none.")
OPEN = _gauge(
    "open_adjustment_subscriptions",
    "Subscriptions with an adjustment that is not carried out, by the age of their oldest, up to the count limit each.",
    "age",
)
OPEN_AGE = _gauge("open_adjustment_oldest_age_seconds", "Age of the oldest adjustment that is not carried out; else 0.")
DUE = _gauge("due_subscriptions", "Subscriptions for which the clock is late, up to the count limit.")
DUE_AGE = _gauge("due_oldest_age_seconds", "How late the clock is for the first of them; 0 where there is none.")
ENDING_NEXT_DAY = _gauge(
    "ending_next_day_subscriptions", "Subscriptions whose end lies in the next 24 hours, up to the count limit."
)
OUT_OF_BALANCE = _gauge(
    "books_out_of_balance_subscriptions",
    "Subscriptions found to be stored or published otherwise than their facts say, up to the count limit.",
)
BOOKS_ROUND = _gauge("books_round_subscriptions", "Subscriptions verified in the round under way.")
BOOKS_ROUND_AGE = _gauge("books_round_age_seconds", "How long ago that round began, when the one before had ended.")
BOOKS_LAST_ROUND = _gauge("books_last_round_subscriptions", "Subscriptions verified in the last whole round; else 0.")

# So that a first one counts as an increase, everything stands at nought from the start.
for _code in get_args(RefusalCode):
    REFUSED.labels(_code)
for _reason in REASONS:
    DEAD_LETTERS.labels(_reason)
for _what in WAITS:
    RETRIES.labels(_what)
for _kind in ("batch", "clock"):
    TRANSACTION_SECONDS.labels(_kind)


def succeeded(loop: str) -> None:
    """A loop has done its work, if it only was to see that there is none."""
    LAST_SUCCESS.labels(loop).set_to_current_time()


def total(counter: Counter) -> float:
    """A counter over all its labels."""
    return sum(each.value for metric in counter.collect() for each in metric.samples if each.name.endswith("_total"))


def value(gauge: Gauge) -> float:
    """What a gauge without labels stands at."""
    return next(each.value for metric in gauge.collect() for each in metric.samples)


def by_label(metric: Counter | Gauge, label: str) -> dict[str, float]:
    """A counter or gauge by one of its labels, summed over the others."""
    found: dict[str, float] = {}
    for family in metric.collect():
        for each in family.samples:
            if not each.name.endswith("_created"):
                found[each.labels[label]] = found.get(each.labels[label], 0.0) + each.value
    return found
