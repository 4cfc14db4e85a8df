"""A trace goes from another team's producer through the decision to another team's consumer."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from service.flow import Flow, Relay
from service.settings import Settings, Topics
from service.store.records import Incoming
from service.tracing import Tracing, from_environment
from tests.flow.conftest import World


class Sent:
    """In place of a producer: keeps what it is given, and acknowledges it."""

    def __init__(self) -> None:
        self.records: list[tuple[str, dict[str, bytes]]] = []

    async def partitions_for(self, _: str) -> set[int]:
        return {0, 1, 2}

    def create_batch(self) -> Batch:
        return Batch()

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> Any:  # noqa: ANN401
        assert partition in await self.partitions_for(topic)
        self.records += [(topic, headers) for headers in batch.headers]
        acknowledged = asyncio.get_running_loop().create_future()
        acknowledged.set_result(None)
        return acknowledged


class Batch:
    """Takes every record."""

    def __init__(self) -> None:
        self.headers: list[dict[str, bytes]] = []

    def append(self, *, key: bytes, value: bytes, headers: list[tuple[str, bytes]], **_: object) -> bool:
        assert key
        assert value
        self.headers.append(dict(headers))
        return True


class Team:
    """A service with traces of its own, all of which end in one place."""

    def __init__(self, name: str, collected: InMemorySpanExporter) -> None:
        self.provider = TracerProvider(resource=Resource.create({"service.name": name}))
        self.provider.add_span_processor(SimpleSpanProcessor(collected))
        self.tracer = self.provider.get_tracer(name)

    def sends(self, record: Incoming, span: str) -> Incoming:
        """The record with the headers of a span in which it was sent."""
        carrier: dict[str, str] = {}
        with self.tracer.start_as_current_span(span, Context()):
            propagate.inject(carrier)
        headers = [*record.headers, *((name, value.encode()) for name, value in carrier.items())]
        return Incoming(
            record.topic, record.partition, record.offset, record.timestamp, record.key, record.value, headers
        )

    def consumes(self, headers: dict[str, bytes], span: str) -> None:
        """Goes on in the trace that the headers name."""
        carrier = {name: value.decode() for name, value in headers.items()}
        self.tracer.start_span(span, propagate.extract(carrier, Context())).end()


@pytest.fixture
def collected() -> InMemorySpanExporter:
    return InMemorySpanExporter()


async def through(world: World, records: list[Incoming], tracing: Tracing) -> Sent:
    """Takes records the whole way."""
    sent = Sent()
    await Flow(world.pool, Settings(), Topics(), lambda: world.now, tracing).process(records)
    async with world.pool.acquire() as connection:
        await Relay(connection, cast("Any", sent), Settings(), tracing).once()
        await connection.execute("select pg_advisory_unlock_all()")
    return sent


def named(spans: tuple[ReadableSpan, ...], name: str) -> ReadableSpan:
    """The one span of that name."""
    (found,) = [span for span in spans if span.name == name]
    return found


def service_of(span: ReadableSpan) -> object:
    return span.resource.attributes["service.name"]


async def test_one_trace_goes_from_a_producer_to_a_consumer(world: World, collected: InMemorySpanExporter) -> None:
    crm, ours, invoicing = (Team(name, collected) for name in ("crm", "subscription-cancellation", "invoicing"))
    wish = crm.sends(world.cancel(), "the customer cancels")
    sent = await through(world, [world.activated(), world.issued(), wish], Tracing(ours.provider))
    adjustment = next(headers for topic, headers in sent.records if topic == "credit-adjustment")
    invoicing.consumes(adjustment, "the credit is booked")

    spans = collected.get_finished_spans()
    asked, booked = named(spans, "the customer cancels"), named(spans, "the credit is booked")
    decided, published = named(spans, "process cancellation-requested"), named(spans, "send credit-adjustment")
    assert asked.context is not None
    for span in (decided, published, booked):
        assert span.context is not None
        assert span.parent is not None
        assert span.context.trace_id == asked.context.trace_id
        assert span.parent.span_id == asked.context.span_id
    assert [service_of(span) for span in (asked, decided, published, booked)] == [
        *("crm", "subscription-cancellation", "subscription-cancellation", "invoicing"),
    ]
    assert decided.attributes is not None
    assert decided.attributes["cloudevents.event_id"] == "cancel"
    assert decided.attributes["cloudevents.event_subject"] == "s"
    assert decided.start_time is not None
    assert decided.end_time is not None
    assert decided.start_time < decided.end_time


async def test_a_batch_is_linked_with_the_traces_of_its_records(world: World, collected: InMemorySpanExporter) -> None:
    crm, ours = Team("crm", collected), Team("subscription-cancellation", collected)
    wishes = [crm.sends(world.cancel(f"s{number}", f"c{number}"), f"wish {number}") for number in range(3)]
    await through(world, [world.activated(f"s{n}", f"a{n}") for n in range(3)] + wishes, Tracing(ours.provider))
    spans = collected.get_finished_spans()
    batch = named(spans, "process batch")
    asked = [named(spans, f"wish {number}").context for number in range(3)]
    assert batch.parent is None
    assert {link.context.span_id for link in batch.links} == {context.span_id for context in asked if context}
    assert batch.attributes is not None
    assert batch.attributes["messaging.batch.message_count"] == 6
    each = [span for span in spans if span.name == "process cancellation-requested"]
    assert [link.context for span in each for link in span.links] == [batch.context] * 3
    assert not [span for span in spans if span.name == "process subscription-lifecycle"], "nobody traces these"


async def test_what_a_producer_does_not_sample_is_left_out(world: World, collected: InMemorySpanExporter) -> None:
    ours = Team("subscription-cancellation", collected)
    record = world.cancel()
    unsampled = [*record.headers, ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")]
    record = world.record(record.topic, record.value, unsampled)
    await through(world, [world.activated(), record], Tracing(ours.provider))
    assert {span.name for span in collected.get_finished_spans()} == {"process batch", "send batch"}


@pytest.mark.parametrize("garbled", ["", "nonsense", "00-0-0-00", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"])
async def test_a_trace_that_is_none_is_carried_on_and_stops_nothing(
    world: World, collected: InMemorySpanExporter, garbled: str
) -> None:
    record = world.cancel()
    record = world.record(record.topic, record.value, [*record.headers, ("traceparent", garbled.encode())])
    sent = await through(world, [world.activated(), record], Tracing(Team("ours", collected).provider))
    assert {headers.get("traceparent") for topic, headers in sent.records if topic == "cancellation-status"} == {
        garbled.encode()
    }
    assert "process cancellation-requested" not in {span.name for span in collected.get_finished_spans()}


async def test_tracing_changes_no_record(world: World, collected: InMemorySpanExporter) -> None:
    crm = Team("crm", collected)
    wish = crm.sends(world.cancel(), "wish")
    sent = await through(world, [world.activated(), world.issued(), wish], Tracing(crm.provider))
    given = dict(wish.headers)["traceparent"]
    outcomes = [headers for topic, headers in sent.records if topic != "subscription-timeline"]
    assert {headers["traceparent"] for headers in outcomes} == {given}


@pytest.mark.parametrize(
    ("environment", "on"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_it_is_off_unless_the_environment_names_where_traces_go(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], *, on: bool
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    provider = from_environment()
    assert (provider is not None) == on
    if provider is not None:
        assert provider.resource.attributes["service.name"] == "subscription-cancellation"
        provider.shutdown()
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider), "nothing is set for the whole process"
