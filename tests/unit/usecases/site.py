"""An ingest, its tables and its log, for tests of the command side."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from schemas.metrics import MetricsUpdate
from stream_app.domain.catalogue import Catalogue
from stream_app.domain.metrics import REGISTRY
from stream_app.domain.metrics._base import Metric
from stream_app.usecases.admission import AdmissionRules
from stream_app.usecases.asset_views import AssetViews
from stream_app.usecases.ingest import Ingest
from stream_app.usecases.layouts import StoredLayouts
from stream_app.usecases.ports import MARKER_KEY, Changed, RowTranslator, WholeCheckpoint
from stream_app.usecases.spans import KeptWindows
from stream_app.wire.batch import Fetch
from stream_app.wire.encode.updates import NESTED, UpdateForm
from tests.updates import updates_of

START_S = 1_649_808_000


class MemoryTables:
    """Tables of one partition, written by checkpoints."""

    def __init__(self) -> None:
        self.assets: dict[bytes, bytes] = {}
        self.closed: dict[bytes, bytes] = {}

    def take(self, checkpoint: WholeCheckpoint) -> None:
        for table, entries in ((self.closed, checkpoint.windows), (self.assets, checkpoint.assets)):
            for entry in entries:
                if (value := entry.value) is None:
                    table.pop(entry.key, None)
                else:
                    table[entry.key] = value

    def partitions(self) -> Iterable[int]:
        return [0]

    def asset(self, partition: int, key: bytes) -> bytes | None:
        return self.assets.get(key)

    def asset_keys(
        self, partition: int, *, prefix: bytes = b"", after: bytes = b"", limit: int | None = None
    ) -> Sequence[bytes]:
        keys = self.assets.keys() - {MARKER_KEY}
        return sorted(key for key in keys if key.startswith(prefix) and key > after)[:limit]

    def windows(self, partition: int, prefix: bytes) -> Mapping[bytes, bytes]:
        return {key: self.closed[key] for key in sorted(self.closed) if key.startswith(prefix)}

    def window_keys(self, partition: int, prefix: bytes) -> Sequence[bytes]:
        return sorted(key for key in self.closed if key.startswith(prefix))

    def changed(self, partition: int, since_ns: int) -> Changed:
        return Changed(since_ns, sorted(self.assets.keys() - {MARKER_KEY}), whole=True)

    def received_ns(self, partition: int, key: bytes) -> int | None:
        return None


class Site:
    """An ingest, its tables, and a log that is fetched from."""

    def __init__(
        self,
        tables: MemoryTables | None = None,
        *metrics: Metric,
        lateness_s: float = 0,
        emit_interval_s: float = 0,
        update_form: UpdateForm = NESTED,
        admission: AdmissionRules | None = None,
        translator: RowTranslator | None = None,
    ) -> None:
        self.tables = tables or MemoryTables()
        self.catalogue = Catalogue((*REGISTRY.values(), *metrics))
        self.views = AssetViews(self.catalogue, StoredLayouts(self.tables))
        self.log: list[tuple[bytes | None, bytes | None]] = []
        self.lateness_s, self.emit_interval_s, self.update_form = lateness_s, emit_interval_s, update_form
        self.admission, self.translator = admission or AdmissionRules(), translator
        self.stamps_ms: dict[int, int] = {}  # Kafka timestamps by offset, where a test sets them
        self.now_s = 0.0
        self.record_ms = 5  # Kafka time of all records: too early to be one, rows are not checked against it
        self.ingest = self.restarted()

    def restarted(self) -> Ingest:
        self.ingest = Ingest(
            tables=self.tables,
            catalogue=self.catalogue,
            window_sizes_s=(60, 3600),
            lateness_s=self.lateness_s,
            kept_windows=KeptWindows({60: 2}, 24),
            emit_interval_s=self.emit_interval_s,
            update_form=self.update_form,
            admission=self.admission,
            translator=self.translator,
            clock=lambda: self.now_s,
        )
        return self.ingest

    def add(self, asset: str, *rows: dict[str, Any]) -> None:
        self.log += [(asset.encode(), json.dumps({"asset_id": asset, **row}).encode()) for row in rows]

    def fetch(self, start: int = 0, end: int | None = None) -> Fetch:
        end = len(self.log) if end is None else end
        part = self.log[start:end]
        return Fetch(
            topic="measurements",
            partition=0,
            start=start,
            end=end,
            offsets=range(start, end),
            keys=[key for key, _ in part],
            values=[value for _, value in part],
            timestamps_ms=[self.stamps_ms.get(offset, self.record_ms) for offset in range(start, end)],
            headers=[[("trace", b"1")]] * len(part),
        )

    def written(self) -> WholeCheckpoint:
        checkpoint = self.ingest.checkpoint(0)
        assert checkpoint is not None
        self.tables.take(checkpoint)
        self.ingest.written(checkpoint)
        return checkpoint

    def rows(self, asset: str) -> int:
        return self.views.summary(asset, self.tables.assets[asset.encode()]).rows

    def lifetime(self, asset: str) -> MetricsUpdate:
        readings = self.views.asset(asset, self.tables.assets[asset.encode()]).readings
        assert readings is not None
        return updates_of(self.catalogue, readings, asset)[0]

    def closed_windows(self) -> list[MetricsUpdate]:
        """All that the table holds, by key."""
        closed = []
        for key, value in sorted(self.tables.closed.items()):
            asset, size, _ = key.split(b"\0")
            readings = self.views.windows(asset.decode(), int(size), [(key, value)])
            closed += updates_of(self.catalogue, readings, asset.decode(), closed=True)
        return closed


def a_row(i: int, soc: float = 50, **more: Any) -> dict[str, Any]:
    return {"timestamp": START_S + i, "current": 10, "voltage": 800, "soc": soc, **more}
