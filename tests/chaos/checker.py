"""What came out, read from the beginning by a plain client and laid beside books kept from the events sent.

It knows nothing of the service: not its code, not its tables. Repeated ids are dropped first, as a consumer would.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord

from tests.books import TIMELINE, check, keep
from tests.lives import Life

DEAD = "cancellation-dead-letter"
OUTCOMES = (
    *("period-shortened", "renewal-cancelled", "credit-adjustment", "cancellation-status"),
    TIMELINE,
    DEAD,
)
ENDED = "subscription-ended"
_SHOWN = 12
Data = dict[str, Any]


@dataclass
class Findings:
    """What was found, in figures; all but the first four are to be nothing."""

    outcomes: int = 0
    repeats: int = 0
    ended: int = 0
    books: str = ""
    lost: int = 0
    contradictions: int = 0
    out_of_order: int = 0
    off_the_books: int = 0
    ends_untold: int = 0
    dead_letters: int = 0
    stale_snapshots: int = 0
    complaints: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether nothing was lost, contradicted, disordered or miscounted."""
        return not (
            self.lost
            or self.contradictions
            or self.out_of_order
            or self.off_the_books
            or self.ends_untold
            or self.dead_letters
            or self.stale_snapshots
        )

    def say(self, complaint: str) -> None:
        """Keeps the first few complaints, for a person."""
        if len(self.complaints) < _SHOWN:
            self.complaints.append(complaint)


@dataclass
class _Told:
    """What has been read of one subscription, repeats dropped."""

    numbered: dict[int, Data] = field(default_factory=dict)
    highest: int = 0
    snapshot: Data | None = None
    last_on_topic: int = 0


async def examine(bootstrap: str, topics: Mapping[str, str], lives: Mapping[str, Life], *, sealed: bool) -> Findings:
    """Reads all outcomes and checks them; `sealed`: every end must have been told as reached."""
    reader = _Reader({topics[name]: name for name in OUTCOMES})
    await _read(bootstrap, reader)
    return await asyncio.to_thread(reader.judge, lives, sealed=sealed)


async def _read(bootstrap: str, reader: _Reader) -> None:
    consumer = AIOKafkaConsumer(
        *reader.names, bootstrap_servers=bootstrap, auto_offset_reset="earliest", fetch_max_bytes=8_000_000
    )
    await consumer.start()
    try:
        while {tp.topic for tp in consumer.assignment()} != reader.names.keys():
            await asyncio.sleep(0.1)
        ends = await consumer.end_offsets(consumer.assignment())
        left = {tp for tp, end in ends.items() if end > 0}
        while left:
            for records in (await consumer.getmany(timeout_ms=1000, max_records=2000)).values():
                for record in records:
                    reader.take(record)
            left = {tp for tp in left if await consumer.position(tp) < ends[tp]}
    finally:
        await consumer.stop()


class _Reader:
    """Takes the records in, partition by partition in their order."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names
        self.found = Findings()
        self._told: dict[str, _Told] = defaultdict(_Told)
        self._seen: dict[str, bytes] = {}
        self._order: dict[tuple[str, int, bytes | None], int] = {}

    def take(self, record: ConsumerRecord[bytes, bytes]) -> None:
        """One record: a repeat is compared and dropped, all else is kept."""
        name, found = self.names[record.topic], self.found
        headers = dict(record.headers)
        event_id = (headers.get("ce_id") or b"").decode()
        if name == DEAD:
            found.dead_letters += 1
            found.say(f"dead letter: {headers.get('dlq_reason')!r} {headers.get('dlq_error')!r}")
            return
        parts = [record.topic.encode(), record.key or b"", record.value or b""]
        parts += [part for header, value in sorted(record.headers) for part in (header.encode(), value or b"")]
        content = hashlib.blake2b(b"\0".join(parts), digest_size=16).digest()
        data: Data = json.loads(record.value or b"{}")
        told = self._told[data["subscription_id"]]
        if name == TIMELINE:
            told.last_on_topic = data["sequence"]
        if (before := self._seen.get(event_id)) is not None:
            found.repeats += 1
            if before != content:
                found.contradictions += 1
                found.say(f"{event_id} of {data['subscription_id']} came again with other content")
            return
        self._seen[event_id] = content
        found.outcomes += 1
        place = (record.topic, record.partition, record.key)
        number = data["sequence"]
        if number < self._order.get(place, 0) or (number == self._order.get(place) and name != TIMELINE):
            found.out_of_order += 1
            found.say(f"{data['subscription_id']}: {number} after {self._order[place]} on {name}")
        self._order[place] = number
        kind = (headers.get("ce_type") or b"").decode()
        outcome = {"topic": name, "type": kind, "id": event_id, "data": data}
        told.highest = max(told.highest, number)
        if name == TIMELINE:
            told.snapshot = outcome
        elif number in told.numbered:
            found.contradictions += 1
            found.say(f"{data['subscription_id']}: two outcomes are number {number}")
        else:
            told.numbered[number] = outcome

    def judge(self, lives: Mapping[str, Life], *, sealed: bool) -> Findings:
        """Everything is in: each life beside its books."""
        found = self.found
        for unknown in self._told.keys() - lives.keys():
            found.off_the_books += 1
            found.say(f"{unknown}: nobody has told of it")
        digest = hashlib.blake2b(digest_size=8)
        for name in sorted(lives):
            digest.update(self._life(lives[name], sealed=sealed))
        found.books = digest.hexdigest()
        return found

    def _life(self, life: Life, *, sealed: bool) -> bytes:
        found, told = self.found, self._told[life.subscription_id]
        missing = sorted(set(range(1, told.highest + 1)) - told.numbered.keys())
        if missing or told.snapshot is None:
            found.lost += max(len(missing), 1)
            found.say(f"{life.subscription_id}: {missing or 'its timeline'} of {told.highest} never came")
        snapshots = [told.snapshot] if told.snapshot is not None else []
        complaints = check(life, [*told.numbered.values(), *snapshots])
        if complaints:
            found.off_the_books += 1
            found.say(complaints[0])
        if told.snapshot is not None and told.last_on_topic < told.snapshot["data"]["sequence"]:
            found.stale_snapshots += 1
            found.say(f"{life.subscription_id}: an older timeline came again after the last one")
        ends = sum(outcome["type"] == ENDED for outcome in told.numbered.values())
        found.ended += ends
        if sealed and ends != (keep(life).end is not None):
            found.ends_untold += 1
            found.say(f"{life.subscription_id}: subscription-ended came {ends} times")
        return _final(life, told.snapshot)


def _final(life: Life, snapshot: Data | None) -> bytes:
    """What must come out the same however the events were disturbed: dates and money, not the way there."""
    if snapshot is None:
        return b"nothing"
    data = snapshot["data"]
    charges = sorted((c["charge_id"], c["billed"], c["kept"], c["credited"]) for c in data["charges"])
    return json.dumps([life.subscription_id, data.get("end_date"), data.get("last_active_day"), charges]).encode()
