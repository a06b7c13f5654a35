"""Figures of a worker for Prometheus."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from stream_app.domain.catalogue import Catalogue
from stream_app.infra.kafka.arrivals import Arrivals
from stream_app.infra.kafka.figures import WorkerFigures
from stream_app.infra.kafka.packed_values import PackedValues
from stream_app.infra.kafka.worker import Worker
from stream_app.settings import Settings
from stream_app.usecases.entry import packed
from stream_app.usecases.ingest import Ingest
from stream_app.usecases.ports import Tables
from stream_app.usecases.spans import KeptWindows


def an_ingest(tables: Tables) -> Ingest:
    return Ingest(tables=tables, catalogue=Catalogue(), window_sizes_s=(60,), kept_windows=KeptWindows({}, 1))


async def test_a_worker_that_has_not_started_has_figures(tmp_path: Path) -> None:
    """It is not ready, and nothing is known of the lag: no number stands for that."""
    registry = CollectorRegistry()
    registry.register(WorkerFigures(Worker(Settings(data_dir=tmp_path), an_ingest)))
    lines = generate_latest(registry).decode().splitlines()
    assert "stream_worker_ready 0.0" in lines
    assert "stream_topic_partitions 0.0" in lines
    assert [line for line in lines if line.startswith("stream_consumer_lag")] == []


def test_the_oldest_record_that_waits_tells_the_lag() -> None:
    """Until a checkpoint includes it; then it is the next one."""
    now_s = 1000.0
    arrivals = Arrivals(lambda: now_s)
    arrivals.begin(0)
    now_s = 1003.0
    assert arrivals.waiting_s(0) == 3  # nothing was read yet
    arrivals.took(0, 10, 990_000, 991_000)
    arrivals.took(0, 20, 995_000, 996_000)
    assert arrivals.waiting_s(0) == 13
    arrivals.took(0, 20, 995_000, 996_000)  # read again
    arrivals.written(0, 10)
    assert arrivals.waiting_s(0) == 8
    arrivals.written(0, 20)
    assert arrivals.waiting_s(0) == 7  # what waits came after the newest that was read
    arrivals.took(0, 30, -1, -1)
    assert arrivals.waiting_s(0) == 7  # records without a time tell nothing


def test_a_clock_that_is_behind_makes_no_negative_lag() -> None:
    """Kafka's clock may be ahead of the worker's."""
    arrivals = Arrivals(lambda: 10.0)
    arrivals.took(0, 1, 12_000, 12_000)
    assert arrivals.waiting_s(0) == 0


@pytest.mark.parametrize("size", [0, 100, 10_000])
def test_the_size_of_stored_values_is_counted_along(size: int) -> None:
    """Whatever is set, replaced and deleted."""
    values = PackedValues()
    values.put(b"a", packed(bytes(64 + size)))
    alone = values.size_bytes
    values.put(b"b", packed(bytes(64)))
    values.put(b"a", packed(bytes(64)))
    values.put(b"a", packed(bytes(64 + size)))
    assert 0 < alone < 64 + size + 100
    values.remove(b"b")
    assert values.size_bytes == alone
