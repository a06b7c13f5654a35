"""Messages of the measurements topic, right and wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from pyarrow import ipc

from stream_app.wire.batch import Batch, Fetch
from stream_app.wire.decode import Decoder

STAMP = "2022-04-13T00:00:02Z"
STAMP_US = 1_649_808_002_000_000
ROW: dict[str, Any] = {"asset_id": "a", "timestamp": STAMP, "current": -40.0, "voltage": 890.5, "soc": 51.0}
BATCH: dict[str, Any] = {
    "asset_id": "a",
    "timestamp": [STAMP, "2022-04-13T00:00:03Z"],
    "current": [1, 2],
    "voltage": [3.5, None],
    "soc": [50, 51],
}
#: Columns of an Arrow message.
TABLE: dict[str, Any] = {
    "timestamp": pa.array([STAMP_US, STAMP_US + 1_500_000, STAMP_US + 3_000_000], pa.timestamp("us", tz="UTC")),
    "current": pa.array([-40.0, None, 1.5]),
    "voltage": pa.array([890, 891, 892], pa.int16()),
    "soc": pa.array([51.0, 51.5, 52.0], pa.float32()),
}


def fetch(*messages: tuple[bytes | None, bytes | None]) -> Fetch:
    """Messages at every second offset from 100."""
    n = len(messages)
    return Fetch(
        topic="measurements",
        partition=3,
        start=99,
        end=100 + 2 * n,
        offsets=range(100, 100 + 2 * n, 2),
        keys=[key for key, _ in messages],
        values=[value for _, value in messages],
        timestamps_ms=range(n),
        headers=[()] * n,
    )


def decode(*values: bytes | None, key: bytes | None = b"a") -> Batch:
    return Decoder().decode(fetch(*((key, value) for value in values)))


def dump(content: object) -> bytes:
    return json.dumps(content).encode()


def row(**changes: object) -> bytes:
    return dump({**ROW, **changes})


def without(name: str) -> bytes:
    return dump({key: value for key, value in ROW.items() if key != name})


def arrow_stream(*tables: Mapping[str, Any], **options: Any) -> bytes:
    """An Arrow IPC stream with a record batch per table."""
    batches = [pa.record_batch(dict(table)) for table in tables]
    sink = pa.BufferOutputStream()
    with ipc.new_stream(sink, batches[0].schema, options=ipc.IpcWriteOptions(**options)) as writer:
        for batch in batches:
            writer.write_batch(batch)
    content: bytes = sink.getvalue().to_pybytes()
    return content
