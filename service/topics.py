"""The topics: created explicitly, with partitions, retention and compaction as the settings say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from service import clients
from service.settings import Settings, Topics


def wanted(settings: Settings, topics: Topics) -> list[NewTopic]:
    """Every topic the service reads or writes."""
    retention = str(int(settings.topic_retention.total_seconds() * 1000))
    kept = {"cleanup.policy": "delete", "retention.ms": retention}
    lag = str(int(settings.compaction_lag.total_seconds() * 1000))
    compacted = {"cleanup.policy": "compact", "max.compaction.lag.ms": lag}
    special = {
        topics.subscription_timeline: compacted,
        topics.cancellation_policy: compacted,
        topics.cancellation_dead_letter: {
            "cleanup.policy": "delete",
            "retention.ms": str(int(settings.dead_letter_retention.total_seconds() * 1000)),
            "max.message.bytes": str(settings.largest_record),
        },
    }
    largest = {"max.message.bytes": str(settings.topic_max_message_bytes)}
    return [
        NewTopic(
            name,
            settings.topic_partitions,
            settings.topic_replication_factor,
            topic_configs={**largest, **special.get(name, kept)},
        )
        for name in topics.model_dump().values()
    ]


async def create(settings: Settings, topics: Topics) -> list[str]:
    """Creates the topics that are missing; returns their names. Existing ones are left as they are.

    Raises:
        KafkaError: the broker is not reachable, or refuses one of them.
    """
    async with clients.administering(settings) as admin:
        existing = set(await admin.list_topics())
        missing = [topic for topic in wanted(settings, topics) if topic.name not in existing]
        response = await admin.create_topics(missing) if missing else None
        for name, code, *message in response.topic_errors if response is not None else ():
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                raise error(f"topic {name}: {message[0] if message else 'refused'}")
        return [topic.name for topic in missing]


async def kept_for(settings: Settings, names: Sequence[str], now: datetime) -> dict[str, datetime | None]:
    """When nothing that topics hold by now is on them any more, by their own settings; None where that is never.

    A record goes with its segment: after its retention, and as long as the segment may be written to.
    """
    async with clients.administering(settings) as admin:
        wanted = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        found: dict[str, datetime | None] = {}
        for response in await admin.describe_configs(wanted):
            for error, message, _, name, entries in response.resources:
                if error:
                    raise for_code(error)(f"topic {name}: {message}")
                said = {entry[0]: entry[1] for entry in entries}
                retention, segment = int(said["retention.ms"]), int(said["segment.ms"])
                expires = "delete" in said["cleanup.policy"] and retention >= 0
                found[name] = now + timedelta(milliseconds=retention + segment) if expires else None
        return found
