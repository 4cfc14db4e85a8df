"""What each user may do at Kafka is what `service.access` grants, and every attempt beyond it is refused.

The attempts are made with librdkafka, by each user at the door for passwords, on every topic and every group there is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from service.access import Principal, principals
from service.settings import Settings, Topics
from tests.security.attempts import attempts
from tests.security.transport.broker import Secured

PRINCIPALS = principals(Settings(), Topics())
TOPICS = sorted(Topics().model_dump().values())
GROUPS = ("subscription-cancellation", "invoicing-eu", "somebody-else")
ATTEMPTS = attempts("2-access")
DENIED = {"TOPIC_AUTHORIZATION_FAILED", "GROUP_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED"}
SECONDS = 20

Try: TypeAlias = Callable[["User", str], None]


class User:
    """One user with a producer, a consumer and an administrator's client of its own."""

    def __init__(self, broker: Secured, name: str) -> None:
        self.name = name
        self.keys: dict[str, str | int | float | bool] = {
            "bootstrap.servers": broker.doors["SCRAM"],
            "security.protocol": "SASL_SSL",
            "ssl.ca.location": str(broker.authority.file),
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": name,
            "sasl.password": broker.passwords[name],
            "log_level": 0,
        }
        self.admin = AdminClient(self.keys)
        self.producer = Producer({**self.keys, "message.timeout.ms": SECONDS * 1000})

    def write(self, topic: str) -> None:
        told: list[Any] = []
        self.producer.produce(topic, b"{}", b"key", on_delivery=lambda error, _: told.append(error))
        self.producer.flush(SECONDS)
        (error,) = told
        if error is not None:
            raise KafkaException(error)

    def read(self, topic: str) -> None:
        """Reads by itself; that the client would have liked to be in a group is not what is tried."""
        consumer = Consumer({**self.keys, "group.id": "none", "enable.auto.commit": False})
        try:
            if (hidden := consumer.list_topics(topic, SECONDS).topics[topic].error) is not None:
                raise KafkaException(hidden)
            consumer.assign([TopicPartition(topic, 0, 0)])
            error = "GROUP_AUTHORIZATION_FAILED"
            while error == "GROUP_AUTHORIZATION_FAILED":
                record = consumer.poll(SECONDS)
                assert record is not None, f"nothing came of {topic}"
                if (fault := record.error()) is None:
                    return
                error = fault.name()
            raise KafkaException(fault)
        finally:
            consumer.close()

    def join(self, group: str) -> None:
        """Keeps a place in the group, on a topic that there is not."""
        place = ConsumerGroupTopicPartitions(group, [TopicPartition("nowhere", 0, 1)])
        (told,) = self.admin.alter_consumer_group_offsets([place], request_timeout=SECONDS).values()
        for partition in told.result(SECONDS).topic_partitions:  # who may only look at the group is told here
            if partition.error is not None and partition.error.name() == "GROUP_AUTHORIZATION_FAILED":
                raise KafkaException(partition.error)

    def create(self, topic: str) -> None:
        try:
            _done(self.admin.create_topics([NewTopic(topic, 1, 1)]))
        except KafkaException as error:
            if error.args[0].name() != "TOPIC_ALREADY_EXISTS":
                raise

    def delete(self, topic: str) -> None:
        """Takes no record off the topic, for which Kafka asks as much as for all of it; a hidden one as a whole."""
        try:
            _done(self.admin.delete_records([TopicPartition(topic, 0, 0)]))
        except KafkaException as error:
            if error.args[0].name() != "_NOENT":
                raise
            _done(self.admin.delete_topics([topic]))

    def describe_configs(self, topic: str) -> None:
        _done(self.admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, topic)]))

    def alter(self, topic: str) -> None:
        entry = ConfigEntry("retention.ms", "1", incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
        _done(self.admin.incremental_alter_configs([resource]))

    def grant(self, topic: str) -> None:
        user, every = f"User:{self.name}", ResourcePatternType.LITERAL
        wanted = AclBinding(ResourceType.TOPIC, topic, every, user, "*", AclOperation.ALL, AclPermissionType.ALLOW)
        _done(self.admin.create_acls([wanted]))


def _done(futures: dict[Any, Any]) -> None:
    for future in futures.values():
        future.result(SECONDS)


TRIED: dict[str, tuple[Try, tuple[str, ...]]] = {
    "Write": (User.write, tuple(TOPICS)),
    "Read": (User.read, tuple(TOPICS)),
    "Join": (User.join, GROUPS),
    "Create": (User.create, tuple(TOPICS)),
    "Delete": (User.delete, tuple(TOPICS)),
    "DescribeConfigs": (User.describe_configs, tuple(TOPICS)),
    "Alter": (User.alter, tuple(TOPICS)),
    "Grant": (User.grant, tuple(TOPICS[:1])),
}


def due(principal: Principal) -> Iterator[tuple[str, str]]:
    """What a principal may do, in the words of the attempts."""
    for grant in principal.grants:
        for operation in set(grant.operations) - {"Describe"}:
            if grant.resource == "topic":
                yield operation, grant.name
            else:
                yield from (("Join", group) for group in GROUPS if _meant(grant.name, group, prefixed=grant.prefixed))


def _meant(name: str, group: str, *, prefixed: bool) -> bool:
    return group.startswith(name) if prefixed else group == name


def tried(user: User) -> tuple[set[tuple[str, str]], dict[str, set[str]]]:
    """What a user could do of all there is, and the words in which the rest was refused."""
    permitted, refusals = set(), dict[str, set[str]]()
    for name, (attempt, targets) in TRIED.items():
        for target in targets:
            try:
                attempt(user, target)
            except KafkaException as error:
                refusals.setdefault(name, set()).add(error.args[0].name())
            else:
                permitted.add((name, target))
    return permitted, refusals


def test_each_attempt_of_the_table_is_tried() -> None:
    assert TRIED.keys() == ATTEMPTS.keys()


@pytest.fixture(scope="session")
def filled(broker: Secured) -> Secured:
    """A record in every topic."""
    producer = Producer({"bootstrap.servers": broker.inside})
    for topic in TOPICS:
        producer.produce(topic, b"{}", b"key")
    assert producer.flush(SECONDS) == 0
    return broker


@pytest.mark.parametrize("principal", PRINCIPALS, ids=lambda each: each.name)
async def test_a_user_can_do_what_is_its_due_and_nothing_else(principal: Principal, filled: Secured) -> None:
    permitted, refusals = await asyncio.to_thread(tried, User(filled, principal.name))
    assert permitted == set(due(principal))
    assert {name: " ".join(words) for name, words in refusals.items()} == {
        name: ATTEMPTS[name].refusal for name in refusals
    }
