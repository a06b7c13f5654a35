"""Traces by OpenTelemetry: request → measurements topic → batch → checkpoint → metrics topic.

What joins them is W3C's ``traceparent``, a header of requests and of records. They are off unless a deployment asks for
them: no library is imported then, and each hook is a comparison per request, fetch or checkpoint.

A span has one parent. A batch of records of one trace is that trace's child, one of records of several is linked to
them. The same holds for a checkpoint and the batches in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final

from stream_app import __version__
from stream_app.errors import ExpectedError
from stream_app.wire.batch import Fetch, Headers, messages_with

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span, SpanContext

TRACEPARENT: Final = "traceparent"
#: Traces that a span is linked to, at most: a batch may have records of thousands of requests.
MOST_LINKS: Final = 32
_NO_HEADERS: Final[Headers] = ()


class CheckpointSpan:
    """Span of a partition's checkpoint; this one is of no trace."""

    #: Header of the updates.
    traceparent: bytes | None = None

    def end(self, *, is_written: bool) -> None:
        """Tell whether Kafka has acknowledged the checkpoint."""


class _Recorded(CheckpointSpan):
    def __init__(self, span: Span, traceparent: bytes) -> None:
        self._span, self.traceparent = span, traceparent

    def end(self, *, is_written: bool) -> None:
        self._span.set_attribute("stream.is_written", is_written)
        self._span.end()


class Traces:
    """Makes spans.

    Parameters
    ----------
    service
        Name by which a backend finds the traces, unless ``OTEL_SERVICE_NAME`` says another.
    exporter
        Gets the spans, in a thread of its own; None: OTLP over HTTP, as ``OTEL_EXPORTER_OTLP_…`` say.

    Raises
    ------
    ExpectedError
        The libraries are not installed.
    """

    def __init__(self, service: str, exporter: SpanExporter | None = None) -> None:
        try:
            from opentelemetry import trace  # noqa: PLC0415  # an extra
            from opentelemetry.context import Context  # noqa: PLC0415
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
            from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
            from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
            from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415
        except ImportError as error:
            msg = (
                f"STREAM_TRACING is on, and a library of it is not installed ({error.name}): "
                "pip install 'stream-app[tracing]', or set STREAM_TRACING=false"
            )
            raise ExpectedError(msg) from None
        own = Resource({"service.name": service, "service.version": __version__})
        self._provider = TracerProvider(resource=Resource.get_empty().merge(own).merge(OTELResourceDetector().detect()))
        self._provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
        self._api, self._context = trace, Context
        self._tracer = self._provider.get_tracer("stream_app", __version__)
        self._w3c = TraceContextTextMapPropagator()
        #: Batches of each partition that no checkpoint includes yet.
        self._batches: defaultdict[int, list[SpanContext]] = defaultdict(list)

    def flush(self) -> None:
        """Export what has ended."""
        self._provider.force_flush()

    @contextmanager
    def request(self, method: str, traceparent: str | None) -> Iterator[Span]:
        """Trace a request; what it writes to Kafka is of its trace."""
        parent = self._w3c.extract({} if traceparent is None else {TRACEPARENT: traceparent})
        with self._tracer.start_as_current_span(
            method, parent, self._api.SpanKind.SERVER, {"http.request.method": method}
        ) as span:
            yield span

    def headers(self) -> Headers:
        """Headers of records that are written in the present span."""
        carrier: dict[str, str] = {}
        self._w3c.inject(carrier)
        return tuple((name, value.encode()) for name, value in carrier.items() if name == TRACEPARENT)

    @contextmanager
    def batch(self, fetch: Fetch) -> Iterator[None]:
        """Trace the application of a fetch, if any of its records is of a trace."""
        callers = self._callers(fetch)
        if not callers:
            yield
            return
        about = {
            "messaging.system": "kafka",
            "messaging.operation.type": "process",
            "messaging.destination.name": fetch.topic,
            "messaging.destination.partition.id": str(fetch.partition),
            "messaging.batch.message_count": len(fetch.offsets),
            "messaging.kafka.offset": fetch.start,
        }
        span = self._start(f"process {fetch.topic}", callers, self._api.SpanKind.CONSUMER, about)
        with self._api.use_span(span, end_on_exit=True):
            yield
        batches = self._batches[fetch.partition]
        if len(batches) < MOST_LINKS:
            batches.append(span.get_span_context())

    def checkpoint(self, partition: int) -> CheckpointSpan:
        """Trace a partition's checkpoint, if a batch of a trace is in it."""
        batches = self._batches.pop(partition, [])
        if not batches:
            return NO_SPAN
        about = {"stream.partition": partition}
        span = self._start("checkpoint", batches, self._api.SpanKind.PRODUCER, about)
        carrier: dict[str, str] = {}
        self._w3c.inject(carrier, self._api.set_span_in_context(span))
        return _Recorded(span, carrier[TRACEPARENT].encode())

    def _callers(self, fetch: Fetch) -> Sequence[SpanContext]:
        """Of a fetch's records: the first of each span, up to the bound."""
        found: dict[bytes, SpanContext] = {}
        for i in messages_with(fetch.headers, TRACEPARENT):
            value = next((value for name, value in fetch.headers[i] if name == TRACEPARENT), None)
            if value is None or value in found:
                continue
            carried = self._w3c.extract({TRACEPARENT: value.decode("ascii", "replace")})
            context = self._api.get_current_span(carried).get_span_context()
            if context.is_valid:  # whatever a producer writes into the header
                found[value] = context
            if len(found) == MOST_LINKS:
                break
        return list(found.values())

    def _start(self, name: str, of: Sequence[SpanContext], kind: Any, about: dict[str, Any]) -> Span:
        if len({context.trace_id for context in of}) == 1:
            parent = self._api.set_span_in_context(self._api.NonRecordingSpan(of[0]))
            links = [self._api.Link(context) for context in of[1:]]
        else:
            parent, links = self._context(), [self._api.Link(context) for context in of]
        return self._tracer.start_span(name, parent, kind, about, links)


NO_SPAN: Final = CheckpointSpan()
_NOTHING: Final = nullcontext()
_traces: Traces | None = None


def use_traces(traces: Traces | None) -> None:
    """Trace from now on, or not any more."""
    global _traces  # noqa: PLW0603  # one per process, as the log is
    _traces = traces


def traced_request(method: str, traceparent: str | None) -> AbstractContextManager[Span | None]:
    """Trace a request, if traces are on."""
    return _NOTHING if _traces is None else _traces.request(method, traceparent)


def traced_batch(fetch: Fetch) -> AbstractContextManager[None]:
    """Trace the application of a fetch, if traces are on."""
    return _NOTHING if _traces is None else _traces.batch(fetch)


def traced_checkpoint(partition: int) -> CheckpointSpan:
    """Trace a partition's checkpoint, if traces are on."""
    return NO_SPAN if _traces is None else _traces.checkpoint(partition)


def trace_headers() -> Headers:
    """Headers of records that are written now; none unless a request is traced."""
    return _NO_HEADERS if _traces is None else _traces.headers()
