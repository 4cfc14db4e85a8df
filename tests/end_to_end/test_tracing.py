"""A running service sends its spans where the environment says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from service.local import Servers
from tests.conftest import service
from tests.kafka import client

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
            data = {
                "subscription_id": "traced",
                "customer_id": "customer",
                "currency": "EUR",
                "time_zone": "Europe/Berlin",
                "start_date": "2026-11-01",
                "interval": "P1M",
                "billing": "in-advance",
                "lines": [{"line_id": "L1", "amount": "30.00"}],
            }
            lifecycle = ("subscription-lifecycle", "subscription-activated", "traced", data)
            await kafka.send(*lifecycle, traceparent=f"00-{TRACE}-{SPAN}-01")
            await kafka.until(lambda _: kafka.shown("traced", 0))
    resources = [resource for request in received for resource in request.resource_spans]
    spans = [span for resource in resources for scope in resource.scope_spans for span in scope.spans]
    names = {a.value.string_value for r in resources for a in r.resource.attributes if a.key == "service.name"}
    ours = {span.name: span for span in spans if span.trace_id.hex() == TRACE}
    assert names == {"subscription-cancellation"}
    assert ours[f"process {running.topics['subscription-lifecycle']}"].parent_span_id.hex() == SPAN
    assert {"process batch", "send batch"} <= {span.name for span in spans}
