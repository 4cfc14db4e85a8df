"""A running service sends its spans where the environment says, in the traces of those around it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from opentelemetry import propagate
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from service.local import Servers
from tests.conftest import service
from tests.kafka import client, monthly

README = Path("README.md").read_text("utf-8")
CHARGE = {
    "charge_id": "C1",
    "line_id": "L1",
    "period": {"start": "2026-11-01", "end": "2026-12-01"},
    "amount": "30.00",
}
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@contextmanager
def collector() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    """What takes traces over HTTP: its address, and what it was sent."""
    received: list[ExportTraceServiceRequest] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = ExportTraceServiceRequest()
            request.ParseFromString(self.rfile.read(int(self.headers["Content-Length"])))
            received.append(request)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", received
        finally:
            server.shutdown()
            thread.join()


async def test_spans_reach_a_collector_before_the_service_has_stopped(embedded: Servers, template: str) -> None:
    with collector() as (address, received):
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_EXPORTER_OTLP_COMPRESSION": "none"}
        async with (
            service(embedded, template, environment) as running,
            client(running.kafka, running.topics) as kafka,
        ):
            lifecycle = ("subscription-lifecycle", "subscription-activated", "traced", monthly("traced"))
            await kafka.send(*lifecycle, traceparent=f"00-{TRACE}-{SPAN}-01")
            await kafka.until(lambda _: kafka.shown("traced", 0))
    resources = [resource for request in received for resource in request.resource_spans]
    spans = [span for resource in resources for scope in resource.scope_spans for span in scope.spans]
    names = {a.value.string_value for r in resources for a in r.resource.attributes if a.key == "service.name"}
    ours = {span.name: span for span in spans if span.trace_id.hex() == TRACE}
    assert names == {"subscription-cancellation"}
    assert ours[f"process {running.topics['subscription-lifecycle']}"].parent_span_id.hex() == SPAN
    assert {"process batch", "send batch"} <= {span.name for span in spans}


@contextmanager
def team(name: str, address: str) -> Iterator[TracerProvider]:
    """Another team's service with its own traces, which go to the same collector."""
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{address}/v1/traces")))
    yield provider
    provider.shutdown()


def tree(received: list[ExportTraceServiceRequest], root: str, topics: Mapping[str, str]) -> str:
    """The span of that name and all below it, with the service that each is of; topics by their default names."""
    default = {actual: name for name, actual in topics.items()}
    spans: list[tuple[Span, str]] = []
    for request in received:
        for resource in request.resource_spans:
            names = {each.key: each.value.string_value for each in resource.resource.attributes}
            spans += [(span, names["service.name"]) for scope in resource.scope_spans for span in scope.spans]
    lines: list[str] = []

    def add(span: Span, service: str, first: str, rest: str) -> None:
        name = " ".join(default.get(word, word) for word in span.name.split())
        lines.append(f"{first + name:<40}{service}")
        below = [each for each in spans if each[0].parent_span_id == span.span_id]
        below.sort(key=lambda each: (each[0].kind == Span.SPAN_KIND_INTERNAL, each[0].name))
        for number, each in enumerate(below, 1):
            branch, on = ("└── ", "    ") if number == len(below) else ("├── ", "│   ")
            add(*each, rest + branch, rest + on)

    add(*next(each for each in spans if each[0].name == root), "", "")
    return "\n".join(lines)


async def test_one_trace_goes_from_a_foreign_producer_to_the_invoicing_consumer(
    embedded: Servers, template: str
) -> None:
    """It is drawn in the README as a collector gets it from the three services."""
    with collector() as (address, received):
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_EXPORTER_OTLP_COMPRESSION": "none"}
        async with (
            service(embedded, template, environment) as running,
            client(running.kafka, running.topics) as kafka,
        ):
            issued = {"subscription_id": "traced", "invoice_id": "I1", "charges": [CHARGE]}
            await kafka.send("subscription-lifecycle", "subscription-activated", "a", monthly("traced"))
            await kafka.send("subscription-lifecycle", "invoice-issued", "i", issued)
            carried: dict[str, str] = {}
            with team("crm", address) as crm, crm.get_tracer("crm").start_as_current_span("the customer cancels"):
                propagate.inject(carried)
                wish = {"subscription_id": "traced", "end": {"mode": "on-date", "date": "2026-11-21"}}
                await kafka.send("cancellation-requested", "cancellation-requested", "c", wish, **carried)
            await kafka.until(lambda _: any(each.type == "credit-adjustment" for each in kafka.of("traced")))
            credit = next(each for each in kafka.of("traced") if each.type == "credit-adjustment")
            told = {"traceparent": credit.header("traceparent") or ""}
            with team("invoicing", address) as invoicing:
                context = propagate.extract(told, Context())
                invoicing.get_tracer("invoicing").start_span("the credit is booked", context).end()
    drawn = tree(received, "the customer cancels", running.topics)
    assert f"```\n{drawn}\n```" in README, f"the README is to show:\n{drawn}"
