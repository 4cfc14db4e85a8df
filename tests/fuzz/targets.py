"""What the enemy's records are sent against, and the books of what became of each: nothing may be missing in them."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog

from service.arrivals import Arrival
from service.batch import Batch, read
from service.domain.subscription import Subscription
from service.messages.envelope import Envelope, UnreadableError, decode
from service.messages.inputs import CancellationCommand, SubscriptionActivated
from service.settings import Settings, Topics
from service.store.policies import Policies
from service.store.records import Incoming
from service.store.subscriptions import Held, Key, Parked, read_state, state_json

NOW = datetime(2026, 11, 12, 8, tzinfo=UTC)
LONGEST_WORDS = 501
DEAD = Topics().cancellation_dead_letter


def quiet() -> None:
    """No log lines: a million dead letters are a million warnings."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@dataclass
class Books:
    """How many records came, and what became of them."""

    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def fail(self, what: str, record: Incoming) -> None:
        """Notes what must not be, with the record that brought it about."""
        self.counts["failures"] += 1
        if len(self.failures) < 20:
            self.failures.append(f"{what}: {record!r:.3000}")


def decoded(record: Incoming, books: Books) -> None:
    """Reads a record: an event or a reason, and no other error."""
    books.counts["decoded"] += 1
    try:
        event = decode(record)
    except UnreadableError as error:
        books.counts[f"decoded_as_{error.reason}"] += 1
        if not 0 < len(str(error)) <= LONGEST_WORDS:
            books.fail("no words, or too many", record)
    except Exception as error:  # noqa: BLE001  what must not be
        books.fail(f"decode raised {type(error).__name__}: {error}", record)
    else:
        books.counts["decoded_as_event"] += 1
        if books.counts["decoded_as_event"] % 64 == 0:
            _once_more(event, record, books)


def _once_more(event: Envelope, record: Incoming, books: Books) -> None:
    """What was read is read the same from its canonical form."""
    names = ("id", "source", "type", "time")
    headers = [("ce_specversion", b"1.0")]
    headers += [
        (f"ce_{n}", (v.isoformat() if isinstance(v := getattr(event, n), datetime) else v).encode()) for n in names
    ]
    again = decode(Incoming("t", 0, 0, record.timestamp, None, event.raw, headers))
    if (again.data, again.raw, again.content, again.time) != (event.data, event.raw, event.content, event.time):
        books.fail("read otherwise the second time", record)


class _Counted(Batch):
    """A batch that tells which decisions changed nothing."""

    books: Books
    slowest: tuple[float, str] = (0.0, "")

    def _decide(self, arrival: Arrival, key: Key) -> None:
        before = (len(self.facts), len(self.released), len(self.held))
        dead = len(self.published)
        began = time.perf_counter()
        super()._decide(arrival, key)
        took = time.perf_counter() - began
        if took > self.slowest[0]:
            self.slowest = (took, f"{arrival.record!r:.2000}")
        if (len(self.facts), len(self.released), len(self.held)) == before and len(self.published) == dead:
            self.books.counts["received_said_before"] += 1
            event = arrival.event
            if not (
                isinstance(event, Envelope) and isinstance(event.data, CancellationCommand | SubscriptionActivated)
            ):
                self.books.fail("dropped without a word", arrival.record)


@dataclass
class Receiving:
    """The whole way of a record but for Kafka and Postgres, whose part is played by dictionaries."""

    books: Books
    known: dict[Key, Subscription | None] = field(default_factory=dict)
    claimed: dict[bytes, set[bytes]] = field(default_factory=dict)
    waiting: dict[Key, list[Parked]] = field(default_factory=dict)
    digests: dict[Key, bytes] = field(default_factory=dict)
    held: dict[Key, Held] = field(default_factory=dict)
    policies: Policies = field(default_factory=dict)
    slowest: tuple[float, str] = (0.0, "")
    now: datetime = NOW

    def receive(self, records: Sequence[Incoming]) -> None:
        """Decides a batch, and checks that every record in it has come to something."""
        self.now += timedelta(seconds=1)
        counts, arrivals = self.books.counts, [read(record, self.now) for record in records]
        counts["received"] += len(arrivals)
        keys = {arrival.key for arrival in arrivals if arrival.key is not None}
        known = {key: self.known.get(key) for key in keys}
        going = {a.key for a in arrivals if a.activates and a.key is not None and known[a.key] is None}
        waiting = {key: self.waiting.pop(key) for key in going - self.held.keys() if key in self.waiting}
        back = sum(map(len, waiting.values()))
        claims = {claim[0] for arrival in arrivals if (claim := arrival.claim) is not None}
        claimed = {event: set(self.claimed.get(event, ())) for event in claims}
        batch = _Counted(
            Settings(), Topics(), self.now, self.policies, known, claimed, waiting, self.digests, self.held
        )
        batch.books = self.books
        said_before = counts["received_said_before"]
        repeats = sum(self._take(batch, arrival) for arrival in arrivals)
        for key in batch.undrawn:
            batch.draw(key)
        dead = sum(record.topic == DEAD for record in batch.published)
        parked = len(batch.parked)
        said_before = counts["received_said_before"] - said_before
        came_to = len(batch.facts) + len(batch.policies) + dead + repeats + parked - back + said_before
        if came_to != len(records):
            self.books.fail(f"{len(records)} records came, {came_to} came to something", records[0])
        refused = sum(dict(r.headers).get("ce_type") == b"cancellation-rejected" for r in batch.published)
        counts["received_refused"] += refused
        counts["received_decided"] += len(batch.facts) - refused
        counts["received_policies"] += len(batch.policies)
        counts["received_dead_letters"] += dead
        counts["received_repeats"] += repeats
        counts["received_still_waiting"] += parked - back
        counts["outcomes"] += len(batch.published) - dead
        self._write(batch, records)

    def _take(self, batch: _Counted, arrival: Arrival) -> bool:
        """Takes one; whether it was a repeat by the reckoning of this file."""
        claim, seen = arrival.claim, batch._seen  # noqa: SLF001  looked at, not touched
        repeat = claim is not None and claim[1] in seen.get(claim[0], ())
        try:
            batch.take(arrival)
        except Exception as error:  # noqa: BLE001  what must not be
            self.books.fail(f"the batch raised {type(error).__name__}: {error}", arrival.record)
        if isinstance(arrival.event, UnreadableError) and arrival.event.reason == "reading-failed":
            self.books.fail("reading failed", arrival.record)
        return repeat

    def _write(self, batch: _Counted, records: Sequence[Incoming]) -> None:
        """What the transaction would have written."""
        for subscription, _ in batch.changed:
            key = (subscription.tenant_id, subscription.subscription_id)
            self.known[key] = subscription
        if batch.changed and self.books.counts["received"] % 10 == 0:
            subscription, _ = batch.changed[0]
            if state_json(read_state(state_json(subscription))) != state_json(subscription):
                self.books.fail("a state is read back otherwise", records[0])
        for event, content in batch._seen.items():  # noqa: SLF001
            self.claimed[event] = set(content)
        for parked in batch.parked:
            self.waiting.setdefault(parked.key, []).append(parked)
        self.digests = batch.digests
        self.policies = {**self.policies, **batch._policies}  # noqa: SLF001
        self.slowest = max(self.slowest, batch.slowest)
        for key, held in batch.held.items():
            if held is not None:
                self.held[key] = held
                self.books.fail(f"{key} is held because {held.because}", records[-1])
