"""Messages of many rows as columns. When the project has an encoder for one, its function here is all that changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson

from bench.workload import START_S, Rows

_NAMES = ("current", "voltage", "soc")


class FormatMissingError(Exception):
    """A message format needs a package that is not installed."""


def _readings(rows: Rows, asset: int, start: int, end: int) -> dict[str, Any]:
    return {name: getattr(rows, name)[start:end, asset] / 10 for name in _NAMES}


def columns(rows: Rows, asset: int, start: int, end: int) -> bytes:
    """JSON: an object of columns; stamps in milliseconds since 1970."""
    stamps = ((START_S + np.arange(start, end)) * 1000).tolist()
    readings = {name: values.tolist() for name, values in _readings(rows, asset, start, end).items()}
    return orjson.dumps({"asset_id": rows.assets[asset], "timestamp": stamps, **readings})


def arrow(rows: Rows, asset: int, start: int, end: int) -> bytes:
    """Arrow: an IPC stream of one record batch; stamps as ``timestamp[ms, UTC]``, the asset is the message's key."""
    try:
        import pyarrow  # noqa: PLC0415  # no part of the project yet
    except ImportError:
        msg = "pyarrow is not installed"
        raise FormatMissingError(msg) from None
    stamps = pyarrow.array((START_S + np.arange(start, end)) * 1000, pyarrow.timestamp("ms", tz="UTC"))
    batch = pyarrow.record_batch({"timestamp": stamps, **_readings(rows, asset, start, end)})
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    content: bytes = sink.getvalue().to_pybytes()
    return content
