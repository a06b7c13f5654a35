"""A trace goes from an upload to the updates that it causes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from aiokafka import AIOKafkaConsumer
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from stream_app.bootstrap import build_worker
from stream_app.domain.catalogue import Catalogue
from stream_app.errors import ExpectedError
from stream_app.http_settings import HttpSettings
from stream_app.infra import traces
from stream_app.infra.kafka.log import topics
from stream_app.infra.kafka.topic_partition import TopicPartition
from stream_app.infra.traces import MOST_LINKS, Traces, use_traces
from stream_app.settings import KafkaSettings, Settings
from stream_app.wire.batch import Fetch
from tests.ports import free_port

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
FILE = "timestamp,current,voltage,soc\n" + "".join(f"{1_649_808_000 + i},-40,890,{50 - i}\n" for i in range(5))


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    use_traces(Traces("test", exporter))
    yield exporter
    use_traces(None)


def spans(exporter: InMemorySpanExporter) -> list[ReadableSpan]:
    assert traces._traces is not None
    traces._traces.flush()
    return list(exporter.get_finished_spans())


@pytest.mark.kafka
async def test_an_upload_is_traced_to_its_updates(
    kafka_settings: KafkaSettings, exporter: InMemorySpanExporter
) -> None:
    """Request, batch and checkpoint are spans of the caller's trace; the updates name the checkpoint's."""
    kafka, port = kafka_settings, free_port()
    await topics.ensure(kafka)
    worker = build_worker(Settings(kafka=kafka, http=HttpSettings(port=port)), Catalogue())
    stop = asyncio.Event()
    run = asyncio.create_task(worker.run(stop))
    consumer = AIOKafkaConsumer(
        kafka.metrics_topic, bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest"
    )
    try:
        async with consumer, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            while (await _status(client)) != 200:
                assert not run.done(), run.result()
                await asyncio.sleep(0.05)  # over HTTP
            answer = await client.post(
                "/api/v1/metrics",
                files={"data": ("a.csv", FILE.encode(), "text/csv")},
                data={"nominal_capacity": "100"},
                headers={"traceparent": PARENT},
            )
            assert answer.is_success, answer.text
            record = await consumer.getone()
    finally:
        stop.set()
        await run
    of_trace = [span for span in spans(exporter) if f"{span.context.trace_id:032x}" == TRACE]
    by_name = {span.name: span for span in reversed(of_trace)}
    request, batch, checkpoint = (
        by_name[name] for name in ("POST /api/v1/metrics", f"process {kafka.measurements_topic}", "checkpoint")
    )
    assert [span.parent.span_id for span in (request, batch, checkpoint) if span.parent is not None] == [
        int(PARENT.split("-")[2], 16),
        request.context.span_id,
        batch.context.span_id,
    ]
    assert checkpoint.attributes is not None
    assert checkpoint.attributes["stream.is_written"] is True
    written = {f"00-{TRACE}-{span.context.span_id:016x}-01" for span in of_trace if span.name == "checkpoint"}
    assert dict(record.headers)["traceparent"].decode() in written
    assert not [span.name for span in spans(exporter) if "/health/" in span.name]


async def _status(client: httpx.AsyncClient) -> int:
    try:
        return (await client.get("/health/ready")).status_code
    except httpx.TransportError:
        return 0


def test_a_batch_of_many_traces_has_links(exporter: InMemorySpanExporter) -> None:
    """Up to a bound, each once; what is no traceparent is left out; without one there is no span."""
    callers = [f"00-{number:032x}-{number:016x}-01" for number in range(1, 2 * MOST_LINKS)]
    for headers in ([PARENT, PARENT, "of whatever", *callers], [], ["none"]):
        place = TopicPartition("measurements", 3)
        none = [b""] * len(headers)
        sent = [(("traceparent", each.encode()),) for each in headers]
        fetch = Fetch(
            *place, start=0, end=9, offsets=range(len(headers)), keys=none, values=none, timestamps_ms=(), headers=sent
        )
        with traces.traced_batch(fetch):
            pass
        traces.traced_checkpoint(3).end(is_written=True)
    batch, checkpoint = spans(exporter)
    assert batch.parent is None
    assert [f"{link.context.trace_id:032x}" for link in batch.links] == [
        TRACE,
        *(f"{number:032x}" for number in range(1, MOST_LINKS)),
    ]
    assert checkpoint.parent == batch.context


def test_they_are_off(tmp_path: Path) -> None:
    """Nothing is traced, and no header is written."""
    assert traces.trace_headers() == ()
    assert traces.traced_checkpoint(0).traceparent is None
    assert not Settings(data_dir=tmp_path).tracing


def test_a_missing_library_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the cure."""
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(ExpectedError, match=r"not installed.*pip install 'stream-app\[tracing\]'"):
        Traces("test")
