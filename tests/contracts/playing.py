"""Events by the service's own batches, one at a time, each at its own time: what it publishes, as records."""

from __future__ import annotations

import json
from collections.abc import Iterable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

from service.batch import Batch, read
from service.domain.subscription import Subscription
from service.settings import Settings, Topics
from service.store.policies import Policies
from service.store.records import Incoming
from service.store.subscriptions import Key, Parked
from tests.lives import Event

DEAD = Topics.model_construct().cancellation_dead_letter
Data = dict[str, Any]


class Player:
    """A service with its memory in a dict, for any number of subscriptions."""

    def __init__(self) -> None:
        self.published: list[Data] = []
        self._known: dict[Key, Subscription | None] = {}
        self._due: dict[Key, datetime | None] = {}
        self._policies: Policies = {}
        self._claimed: dict[bytes, set[bytes]] = {}
        self._waiting: list[Parked] = []
        self._offset = 0

    def play(self, events: Iterable[tuple[str, Data, Data]]) -> None:
        """Takes in events, each a topic, its headers and its data, at their own times."""
        for topic, headers, data in events:
            now = datetime.fromisoformat(headers["ce_time"]).astimezone(UTC)
            self.look_at_the_clock(now)
            self._take(topic, headers, data, now)

    def look_at_the_clock(self, now: datetime) -> None:
        """Ends what is due by then."""
        for key, due in list(self._due.items()):
            subscription = self._known[key]
            if due is not None and due <= now and subscription is not None:
                batch = Batch(Settings(), Topics(), now, self._policies)
                batch.tick(subscription)
                self._close(batch)
        late = [each for each in self._waiting if each.expires_at is not None and each.expires_at <= now]
        if late:
            batch = Batch(Settings(), Topics(), now, {}, dict.fromkeys({each.key for each in late}))
            batch.expire(late)
            self._waiting = [each for each in self._waiting if each not in late]
            self._close(batch)

    def end_all(self) -> None:
        """Lets so much time pass that everything is sealed."""
        self.look_at_the_clock(datetime(2200, 1, 1, tzinfo=UTC) + timedelta(days=1))

    def _take(self, topic: str, headers: Data, data: Data, now: datetime) -> None:
        self._offset += 1
        encoded = [(name, value.encode()) for name, value in headers.items()]
        arrival = read(Incoming(topic, 0, self._offset, 0, None, json.dumps(data).encode(), encoded), now)
        known = {} if arrival.key is None else {arrival.key: self._known.get(arrival.key)}
        mine = [each for each in self._waiting if each.key == arrival.key]
        wake = arrival.activates and arrival.key is not None and known[arrival.key] is None
        waiting = {arrival.key: mine} if wake and arrival.key is not None else {}
        batch = Batch(Settings(), Topics(), now, self._policies, known, deepcopy(self._claimed), waiting)
        batch.take(arrival)
        if arrival.claim is not None:
            self._claimed.setdefault(arrival.claim[0], set()).add(arrival.claim[1])
        if waiting:
            self._waiting = [each for each in self._waiting if each.key != arrival.key]
        self._waiting += batch.parked
        for stored in batch.policies:
            before = self._policies.get(stored.tenant_id, ())
            self._policies[stored.tenant_id] = tuple(
                sorted((*before, (stored.time, stored.policy)), key=lambda p: p[0])
            )
        self._close(batch)

    def _close(self, batch: Batch) -> None:
        for key in batch.undrawn:
            batch.draw(key)
        for subscription, due in batch.changed:
            key = (subscription.tenant_id, subscription.subscription_id)
            self._known[key], self._due[key] = subscription, due
        for record in batch.published:
            headers = {name: (value or b"").decode() for name, value in record.headers}
            self.published.append(
                {
                    "topic": record.topic,
                    "key": (record.key or b"").decode(),
                    "type": headers.get("ce_type"),
                    "headers": headers,
                    "payload": json.loads(record.value or b"null"),
                }
            )


def sent(event: Event) -> tuple[str, Data, Data]:
    """An event of a life as a player takes it."""
    attributes = {"specversion": "1.0", "id": event.id, "source": event.source, "type": event.type, "time": event.time}
    return event.topic, {f"ce_{name}": value for name, value in attributes.items()}, event.data
