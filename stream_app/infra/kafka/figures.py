"""What a worker is at the moment, in figures for Prometheus: read when somebody scrapes, never counted along.

No figure has an asset's id: a fleet would make as many series as it has assets.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from stream_app import __version__
from stream_app.infra.kafka.worker import Worker


class WorkerFigures(Collector):
    """Gauges of a worker."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def describe(self) -> Iterator[Metric]:
        """Nothing: registering must not ask a worker that has not started."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Read the figures."""
        worker, status = self._worker, self._worker.status()
        is_ready = status.phase == "ready" and status.connected and not status.obstacle
        yield _gauge("stream_worker_ready", "1: the worker is ready, as /health/ready says", float(is_ready))
        yield _gauge("stream_topic_partitions", "Partitions of the measurements topic", worker.partition_count())
        build = GaugeMetricFamily("stream_build_info", "Release of the worker; always 1", labels=["version"])
        build.add_metric([__version__], 1)
        yield build
        yield from self._lag()
        yield self._restore()
        yield from self._state()

    def _lag(self) -> Iterator[Metric]:
        worker = self._worker
        records = GaugeMetricFamily(
            "stream_consumer_lag_records",
            "Records of a partition of this worker that no checkpoint includes yet",
            labels=["topic", "partition"],
        )
        seconds = GaugeMetricFamily(
            "stream_consumer_lag_seconds",
            "How long the oldest of these records has waited by its Kafka timestamp; 0: there is none",
            labels=["topic", "partition"],
        )
        for number in sorted(worker.tables.partitions()):
            lag = worker.lag(number)
            if lag is not None:  # while Kafka does not answer nobody knows
                place = [worker.engine.source, str(number)]
                records.add_metric(place, lag)
                seconds.add_metric(place, worker.waiting_s(number) if lag else 0.0)
        yield records
        yield seconds

    def _restore(self) -> Metric:
        remaining = GaugeMetricFamily(
            "stream_restore_remaining_records",
            "Records of a changelog that are to be read before its partition is served",
            labels=["topic", "partition"],
        )
        for tp, left in sorted(self._worker.restore_remaining().items()):
            remaining.add_metric([tp.topic, str(tp.partition)], left)
        return remaining

    def _state(self) -> Iterator[Metric]:
        size = GaugeMetricFamily(
            "stream_state_bytes", "Stored values in memory, compressed, without keys", labels=["table", "partition"]
        )
        assets = GaugeMetricFamily("stream_state_assets", "Assets of a partition", labels=["partition"])
        tables = self._worker.tables
        for table in tables.tables():
            for number in sorted(tables.partitions()):
                size.add_metric([table.name, str(number)], table.size_bytes(number))
        for number in sorted(tables.partitions()):
            assets.add_metric([str(number)], tables.asset_count(number))
        yield size
        yield assets


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)
