"""Who may do what in Kafka: each principal with the least that its work needs, as data.

The table of `deploy/SECURITY.md` and the manifests of `deploy/` are made from it, and the tests hold a real authorizer
to it. What is not granted is refused. In Kafka, Read and Write bring Describe along, and whoever may write to a topic
may do so idempotently.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from service.settings import Settings, Topics

Resource: TypeAlias = Literal["topic", "group"]
Operation: TypeAlias = Literal["Create", "Delete", "Describe", "DescribeConfigs", "Read", "Write"]


@dataclass(frozen=True, slots=True)
class Grant:
    """What may be done with one resource, or with `prefixed` with all whose names begin so."""

    resource: Resource
    name: str
    operations: tuple[Operation, ...]
    why: str
    prefixed: bool = False


@dataclass(frozen=True, slots=True)
class Principal:
    """A user of Kafka: `name` is how deployments name it by default, `who` what stands behind it."""

    name: str
    who: str
    grants: tuple[Grant, ...]


def principals(settings: Settings, topics: Topics) -> tuple[Principal, ...]:
    """All principals, with the topics and the consumer group as they are named here."""
    inputs = (topics.subscription_lifecycle, topics.cancellation_requested, topics.cancellation_policy)
    billing = (topics.period_shortened, topics.renewal_cancelled, topics.credit_adjustment, topics.cancellation_status)
    shown = (topics.subscription_timeline, topics.cancellation_dead_letter)
    events = (topics.subscription_lifecycle, topics.cancellation_requested, *billing)
    every = (*inputs, *billing, *shown)
    return (
        Principal(
            "cancellation-service",
            "the workers: `python -m service run`",
            (
                *_topics(inputs, ("Read",), "what is decided"),
                *_topics(inputs, ("Write",), "a dead letter is replayed to where it came from"),
                *_topics((*billing, *shown), ("Write",), "outcomes, timelines, dead letters"),
                Grant("group", settings.consumer_group, ("Read",), "the partitions of each worker, and lag"),
            ),
        ),
        Principal(
            "cancellation-commands",
            "whoever lets customers cancel, and support: `cancel`, `move`, `revoke`",
            _topics((topics.cancellation_requested,), ("Write",), "how subscriptions are to end"),
        ),
        Principal(
            "cancellation-lifecycle",
            "whoever keeps subscriptions and bills them",
            _topics((topics.subscription_lifecycle,), ("Write",), "subscriptions and invoices"),
        ),
        Principal(
            "cancellation-policies",
            "whoever keeps the merchants' policies",
            _topics((topics.cancellation_policy,), ("Write",), "policies"),
        ),
        Principal(
            "cancellation-invoicing",
            "invoicing, which carries the outcomes out",
            (
                *_topics(billing, ("Read",), "what to shorten, stop, credit and debit"),
                Grant("group", "invoicing", ("Read",), "its place in them", prefixed=True),
            ),
        ),
        Principal(
            "cancellation-operations",
            "support and operations, who look: timelines, `dead-letters list` and `show`",
            _topics(shown, ("Read",), "how subscriptions stand, and what was set aside; without a group"),
        ),
        Principal(
            "cancellation-import",
            "`import`, for as long as subscriptions are brought along",
            _topics(inputs, ("Write",), "the events of the file"),
        ),
        Principal(
            "cancellation-scaler",
            "KEDA, which starts more workers while there is lag",
            (
                *_topics(inputs, ("Describe",), "how far each partition goes"),
                Grant("group", settings.consumer_group, ("Describe",), "how far the workers are"),
            ),
        ),
        Principal(
            "cancellation-forget",
            "`forget`, while it runs: Kafka has no lesser right to take records off a topic than to delete it",
            (
                Grant(
                    "topic", topics.cancellation_dead_letter, ("Read", "Write", "Delete"), "letters are taken off it"
                ),
                *_topics(events, ("DescribeConfigs",), "until when they hold what was sent"),
            ),
        ),
        Principal(
            "cancellation-topics",
            "`topics`, where no operator of the cluster creates them",
            _topics(every, ("Create", "Describe"), "those that are missing"),
        ),
    )


def _topics(names: tuple[str, ...], operations: tuple[Operation, ...], why: str) -> tuple[Grant, ...]:
    return tuple(Grant("topic", name, operations, why) for name in names)
