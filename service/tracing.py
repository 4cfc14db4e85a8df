"""Traces, for OpenTelemetry: from the producer of an event to whoever consumes its outcomes.

Off unless the environment names where they go, as OpenTelemetry has it: `OTEL_EXPORTER_OTLP_ENDPOINT` and its kin, over
HTTP. An event with a `traceparent` gets a span in its producer's trace once it is decided, an outcome one once it is
published. A batch is a span of its own, linked with those of its records, for it belongs to no single trace.

Outcomes carry the producer's `traceparent` on as it came. A decision makes the same records however often it is made,
so no span of ours, which is another each time, can stand in them; what a consumer makes of it is still the same trace.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from time import monotonic, time_ns
from typing import TYPE_CHECKING, TypeAlias

from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanKind, TracerProvider, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from service import __version__
from service.arrivals import Arrival
from service.messages.envelope import Envelope
from service.store.records import Outgoing

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider as Exporting

NAME = "subscription-cancellation"
_ASKING = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_CONTEXT = TraceContextTextMapPropagator()
_Attributes: TypeAlias = dict[str, str | int]


class Tracing:
    """Makes spans of what has been done; without a provider, none."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._tracer = None if provider is None else provider.get_tracer(NAME, __version__)

    def decided(self, group: str, arrivals: Sequence[Arrival], began: float) -> None:
        """A batch that is committed; `began` is when its transaction did, by the clock that nobody steps."""
        if self._tracer is None:
            return
        start, end = _interval(began)
        parents = [_context(a.event.trace) if isinstance(a.event, Envelope) else None for a in arrivals]
        common: _Attributes = {
            "messaging.system": "kafka",
            "messaging.operation.type": "process",
            "messaging.consumer.group.name": group,
        }
        batch = self._tracer.start_span(
            "process batch",
            Context(),
            SpanKind.CONSUMER,
            {**common, "messaging.batch.message_count": len(arrivals)},
            _links(parents),
            start,
        )
        for arrival, parent in zip(arrivals, parents, strict=True):
            record, event = arrival.record, arrival.event
            if parent is None or not isinstance(event, Envelope):
                continue
            said: _Attributes = {
                **common,
                "messaging.destination.name": record.topic,
                "messaging.destination.partition.id": str(record.partition),
                "messaging.kafka.offset": record.offset,
                "cloudevents.event_id": event.id,
                "cloudevents.event_source": event.source,
                "cloudevents.event_type": event.type,
                "cloudevents.event_subject": "" if arrival.key is None else arrival.key[1],
            }
            links = [Link(batch.get_span_context())]
            self._tracer.start_span(f"process {record.topic}", parent, SpanKind.CONSUMER, said, links, start).end(end)
        batch.end(end)

    def published(self, records: Sequence[Outgoing], began: float) -> None:
        """Records that Kafka has acknowledged."""
        if self._tracer is None or not records:
            return
        start, end = _interval(began)
        said = [{name: (value or b"").decode(errors="replace") for name, value in r.headers} for r in records]
        parents = [_context(headers.items()) for headers in said]
        common: _Attributes = {"messaging.system": "kafka", "messaging.operation.type": "send"}
        count: _Attributes = {**common, "messaging.batch.message_count": len(records)}
        batch = self._tracer.start_span("send batch", Context(), SpanKind.CLIENT, count, _links(parents), start)
        for record, headers, parent in zip(records, said, parents, strict=True):
            if parent is not None:
                self._tracer.start_span(
                    f"send {record.topic}",
                    parent,
                    SpanKind.PRODUCER,
                    {
                        **common,
                        "messaging.destination.name": record.topic,
                        "cloudevents.event_id": headers.get("ce_id", ""),
                        "cloudevents.event_type": headers.get("ce_type", ""),
                    },
                    [Link(batch.get_span_context())],
                    start,
                ).end(end)
        batch.end(end)


UNTRACED = Tracing()


def from_environment() -> Exporting | None:
    """Where traces go, if the environment names it; whoever asks shuts it down."""
    wanted = any(os.environ.get(name) for name in _ASKING) and os.environ.get("OTEL_TRACES_EXPORTER", "otlp") == "otlp"
    if not wanted or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    # Only where it is asked for: it takes its time and some memory.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider as Provider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    named = {"service.name": os.environ.get("OTEL_SERVICE_NAME", NAME), "service.version": __version__}
    provider = Provider(resource=Resource.create(named))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _interval(began: float) -> tuple[int, int]:
    """From then until now, in nanoseconds since 1970."""
    end = time_ns()
    return end - int((monotonic() - began) * 1e9), end


def _context(carried: Iterable[tuple[str, str]]) -> Context | None:
    """The producer's place in its trace; None where it has said none, or none that can be."""
    said = dict(carried)
    if "traceparent" not in said:
        return None
    found = _CONTEXT.extract(said, Context())
    return found if get_current_span(found).get_span_context().is_valid else None


def _links(parents: Iterable[Context | None]) -> list[Link]:
    return [Link(get_current_span(parent).get_span_context()) for parent in parents if parent is not None]
