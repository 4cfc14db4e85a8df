"""Records as they were read: an event with the subscription it is about, or the reason why it is none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from service.domain.facts import Command, Fact, Received
from service.messages import dead_letters
from service.messages.envelope import LARGEST_VALUE, Envelope, UnreadableError, decode
from service.messages.inputs import Input, SubscriptionActivated
from service.outgoing import Origin, event_origin
from service.store.inbox import event_key
from service.store.records import Incoming, Outgoing
from service.store.subscriptions import Key, Parked

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record as it was read; `conflicting` when its event's id had been used before with other content."""

    record: Incoming
    recorded_at: datetime
    event: Envelope | UnreadableError
    conflicting: bool = False

    @property
    def key(self) -> Key | None:
        """The subscription it is about; a policy is about none."""
        if isinstance(self.event, Envelope) and isinstance(self.event.data, Input):
            return self.event.data.tenant_id, self.event.data.subscription_id
        return None

    @property
    def tenant(self) -> str | None:
        """The tenant it is about."""
        return self.event.data.tenant_id if isinstance(self.event, Envelope) else None

    @property
    def labels(self) -> tuple[str, str]:
        """What it is counted by: its topic and the event's type."""
        return self.record.topic, self.event.type if isinstance(self.event, Envelope) else "unreadable"

    @property
    def claim(self) -> tuple[bytes, bytes] | None:
        """Who it is and what it says, for the inbox."""
        return claim_of(self.event) if isinstance(self.event, Envelope) else None

    @property
    def activates(self) -> bool:
        """Whether a subscription begins with it."""
        return isinstance(self.event, Envelope) and isinstance(self.event.data, SubscriptionActivated)


def read(record: Incoming, now: datetime) -> Arrival:
    """Reads a record; never fails."""
    try:
        return Arrival(record, now, decode(record))
    except UnreadableError as error:
        # Anew, for the one that was raised holds what no collector sees: the frames of its cause, and they this batch.
        return Arrival(record, now, UnreadableError(error.reason, str(error)))
    except Exception as error:  # a bug of ours: its neighbours go on, and it is kept to be replayed
        log.exception("reading-failed", topic=record.topic, partition=record.partition, offset=record.offset)
        return Arrival(record, now, UnreadableError("reading-failed", f"{type(error).__name__}: {error}"))


def read_again(parked: Parked) -> Arrival:
    """Reads a record that has waited."""
    arrival = read(parked.record, parked.recorded_at)
    return Arrival(arrival.record, arrival.recorded_at, arrival.event, parked.conflicting)


def claim_of(event: Envelope) -> tuple[bytes, bytes]:
    """Who an event is and what it says, in 16 bytes each."""
    return event_key(event.source, event.id), event.content


def received(named: tuple[str, str, str], time: datetime, now: datetime, body: Fact | Command) -> Received:
    """An input as it is decided on, with its time in UTC: how it was written is not kept, and decides nothing."""
    return Received(*named, time.astimezone(UTC), now, body)


def origin(event: Envelope) -> Origin:
    """An event as the cause of what is decided on it."""
    return event_origin(event.source, event.id, event.content, event.trace)


def dead_letter(topic: str, record: Incoming, why: UnreadableError, now: datetime, largest: int) -> Outgoing:
    """The original bytes, and why nothing could be made of them; of a value that no topic of ours takes, the start."""
    headers = dead_letters.written(record.topic, record.partition, record.offset, why.reason, str(why))
    value = record.value
    if value is not None and len(value) > largest:
        headers.append((dead_letters.BYTES, str(len(value)).encode()))
        value = value[:LARGEST_VALUE]
    return Outgoing(topic, record.key, value, [*record.headers, *headers], now)
