"""Messages of many rows as columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson

from bench.workload import START_S, Rows
from stream_app.wire.decode.arrow import write

_NAMES = ("current", "voltage", "soc")


def _readings(rows: Rows, asset: int, start: int, end: int) -> dict[str, Any]:
    return {name: getattr(rows, name)[start:end, asset] / 10 for name in _NAMES}


def columns(rows: Rows, asset: int, start: int, end: int) -> bytes:
    """JSON: an object of columns; stamps in milliseconds since 1970."""
    stamps = ((START_S + np.arange(start, end)) * 1000).tolist()
    readings = {name: values.tolist() for name, values in _readings(rows, asset, start, end).items()}
    return orjson.dumps({"asset_id": rows.assets[asset], "timestamp": stamps, **readings})


def arrow(rows: Rows, asset: int, start: int, end: int) -> bytes:
    """Arrow: an IPC stream of one record batch; stamps as ``timestamp[ms, UTC]``, the asset is the message's key."""
    stamps = ((START_S + np.arange(start, end)) * 1000).view("datetime64[ms]")
    return write(stamps, _readings(rows, asset, start, end))
