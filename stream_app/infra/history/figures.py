"""What monitoring reads of the history process: counters, lag, and whether it is as it should be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

CONSUMING: Final = "consuming"
_SECONDS: Final = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30)


class Figures:
    """Figures in a registry of their own (port ``HistoryFigures``).

    Parameters
    ----------
    lags
        Records that are not read yet, and how long ago the last that was read was written [s], by partition.
    """

    def __init__(self, lags: Callable[[], Mapping[int, tuple[int, float]]]) -> None:
        self.registry = CollectorRegistry()
        self.state = ("starting", "")
        self._updates = Counter("stream_history_updates", "Updates read", registry=self.registry)
        self._rows = Counter("stream_history_rows", "Windows and lifetimes written", registry=self.registry)
        self._batch = Histogram(
            "stream_history_batch_seconds", "Merge and commit of a batch", buckets=_SECONDS, registry=self.registry
        )
        left_out = Counter("stream_history_left_out", "Updates left out", ["why"], registry=self.registry)
        self._left_out = {why: left_out.labels(why) for why in ("poison", "expired")}  # there from the start, at 0
        self._up = Gauge("stream_history_up", "1: it reads and writes; 0: it waits", registry=self.registry)
        self._lags = lags
        self.registry.register(self)

    def read(self, updates: int) -> None:
        """Updates were read (port)."""
        self._updates.inc(updates)

    def written(self, rows: int, seconds: float) -> None:
        """A batch was committed (port)."""
        self._rows.inc(rows)
        self._batch.observe(seconds)

    def left_out(self, why: Literal["poison", "expired"]) -> None:
        """An update was left out (port)."""
        self._left_out[why].inc()

    def phase(self, phase: str, detail: str) -> None:
        """What the process does now (port)."""
        self.state = (phase, detail)
        self._up.set(phase == CONSUMING)

    def collect(self) -> Iterable[Metric]:
        """The lag at the time of a scrape."""
        lag = GaugeMetricFamily("stream_history_lag_records", "Updates that are not read yet", labels=["partition"])
        delay = GaugeMetricFamily(
            "stream_history_lag_seconds", "Age of what was read last; 0: all is read", labels=["partition"]
        )
        for partition, (records, seconds) in sorted(self._lags().items()):
            lag.add_metric([str(partition)], records)
            delay.add_metric([str(partition)], seconds)
        yield lag
        yield delay
