"""Dead letters say where they came from, in our own headers, in Kafka Connect's or in Spring's."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.messages.dead_letters import Origin, origin, original, written
from service.messages.envelope import Headers

EVENT: list[tuple[str, bytes | None]] = [("ce_id", b"e1"), ("x-tenant", None)]
CONNECT: list[tuple[str, bytes | None]] = [
    ("__connect.errors.topic", b"cancellation-requested"),
    ("__connect.errors.partition", b"3"),
    ("__connect.errors.offset", b"4711"),
    ("__connect.errors.connector.name", b"mirror"),
    ("__connect.errors.task.id", b"0"),
    ("__connect.errors.stage", b"VALUE_CONVERTER"),
    ("__connect.errors.class.name", b"org.apache.kafka.connect.json.JsonConverter"),
    ("__connect.errors.exception.class.name", b"org.apache.kafka.connect.errors.DataException"),
    ("__connect.errors.exception.message", b"Converting byte[] to Kafka Connect data failed"),
    ("__connect.errors.exception.stacktrace", b"at \xff"),
]
SPRING: list[tuple[str, bytes | None]] = [
    ("kafka_dlt-original-topic", b"cancellation-requested"),
    ("kafka_dlt-original-partition", bytes([0, 0, 0, 3])),
    ("kafka_dlt-original-offset", bytes([0, 0, 0, 0, 0, 0, 0x12, 0x67])),
    ("kafka_dlt-original-timestamp", bytes(8)),
    ("kafka_dlt-original-consumer-group", b"billing"),
    ("kafka_dlt-exception-fqcn", b"org.springframework.kafka.listener.ListenerExecutionFailedException"),
    ("kafka_dlt-exception-cause-fqcn", b"java.lang.IllegalStateException"),
    ("kafka_dlt-exception-message", b"no such tenant"),
]


def test_ours_say_the_topic_the_place_and_the_reason() -> None:
    headers = [*EVENT, *written("cancellation-requested", 3, 4711, "malformed", "end: Field required")]
    assert origin(headers) == Origin("cancellation-requested", 3, 4711, "malformed", "end: Field required")
    assert original(headers) == EVENT


def test_those_of_kafka_connect_are_understood() -> None:
    why = "DataException", "Converting byte[] to Kafka Connect data failed"
    assert origin([*EVENT, *CONNECT]) == Origin("cancellation-requested", 3, 4711, *why)
    assert original([*EVENT, *CONNECT]) == EVENT


def test_those_of_spring_are_understood_with_their_numbers_as_java_lays_them_out() -> None:
    assert origin([*EVENT, *SPRING]) == Origin(
        "cancellation-requested", 3, 4711, "IllegalStateException", "no such tenant"
    )
    assert original([*EVENT, *SPRING]) == EVENT


def test_of_two_styles_on_one_record_ours_counts_and_none_is_left_in_a_replay() -> None:
    headers = [*EVENT, *SPRING, *CONNECT, *written("subscription-lifecycle", 0, 7, "not-json", "…")]
    assert origin(headers).topic == "subscription-lifecycle"
    assert original(headers) == EVENT


def test_a_header_the_sender_made_up_does_not_stand_for_ours() -> None:
    headers = [("dlq_topic", b"credit-adjustment"), *written("cancellation-requested", 3, 4711, "malformed", "")]
    assert origin(headers).topic == "cancellation-requested"


def test_a_record_without_any_such_header_comes_from_nowhere() -> None:
    assert origin(EVENT) == Origin()


NAMES = [name for name, _ in [*CONNECT, *SPRING, *written("t", 0, 0, "r", "e")]]


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.none() | st.binary(max_size=12))))
def test_garbled_headers_are_never_an_error(headers: Headers) -> None:
    assert original(headers) == []
    assert origin(headers).reason
