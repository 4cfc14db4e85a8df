"""The topics: created explicitly, with partitions, retention and compaction as the settings say."""

from __future__ import annotations

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from service import clients
from service.settings import Settings, Topics


def wanted(settings: Settings, topics: Topics) -> list[NewTopic]:
    """Every topic the service reads or writes."""
    retention = str(int(settings.topic_retention.total_seconds() * 1000))
    kept = {"cleanup.policy": "delete", "retention.ms": retention}
    special = {
        topics.subscription_timeline: {"cleanup.policy": "compact"},
        topics.cancellation_policy: {"cleanup.policy": "compact"},
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
    admin = AIOKafkaAdminClient(**clients.kafka(settings))
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        missing = [topic for topic in wanted(settings, topics) if topic.name not in existing]
        response = await admin.create_topics(missing) if missing else None
        for name, code, *message in response.topic_errors if response is not None else ():
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                raise error(f"topic {name}: {message[0] if message else 'refused'}")
        return [topic.name for topic in missing]
    finally:
        await admin.close()
