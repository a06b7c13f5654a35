"""Metrics updates as JSON, written column by column: a dict per metric and window would cost ten times as much."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import orjson

from schemas.asset import window_size_name
from stream_app.domain.catalogue import Catalogue
from stream_app.domain.metrics._base import Metric, Reading
from stream_app.domain.rows import FloatArray, IntArray
from stream_app.domain.state import Fleet
from stream_app.domain.windows import LIFETIME, Readings

LIFETIME_NAME = "lifetime"
_NUMPY = orjson.OPT_SERIALIZE_NUMPY


def iso_times(time_us: IntArray) -> list[str]:
    """ISO 8601 in UTC, each with as many digits as it needs."""
    texts = np.datetime_as_string(time_us.astype("datetime64[us]"), unit="us").tolist()
    return [text[:-7] + "Z" if text.endswith(".000000") else text + "Z" for text in texts]


def updates(catalogue: Catalogue, fleet: Fleet, readings: Readings, *, closed: bool) -> Iterator[tuple[str, bytes]]:
    """Asset id and JSON of each window (:class:`schemas.metrics.MetricsUpdate`).

    ``closed`` windows are final, and so is an ended asset's life. What is null is left out, but for ``value`` and
    ``end``.
    """
    windows = readings.windows
    coverage = _parts(b',"coverage":', readings.coverage)
    columns = [_metric(metric, readings.by_metric[metric.name], coverage) for metric in catalogue.metrics]
    starts, ends = iso_times(windows.start_us), iso_times(windows.start_us + np.maximum(windows.size_us, 0))
    for code, size_us, start, end, seq, *values in zip(
        windows.code.tolist(), windows.size_us.tolist(), starts, ends, windows.seq.tolist(), *columns, strict=True
    ):
        life = size_us == LIFETIME
        asset_id = fleet.ids[code]
        head = {
            "asset_id": asset_id,
            "window": {
                "size": LIFETIME_NAME if life else window_size_name(size_us // 1_000_000),
                "start": start,
                "end": None if life else end,
            },
            "seq": seq,
            "final": closed or code in fleet.ended,
        }
        yield asset_id, b"".join((orjson.dumps(head)[:-1], b',"metrics":{', b",".join(values), b"}}"))


def _metric(metric: Metric, reading: Reading, coverage: Sequence[bytes]) -> list[bytes]:
    """Name and value of one metric, of each window."""
    begin = orjson.dumps(metric.name) + b':{"value":'
    unit = b',"unit":' + orjson.dumps(metric.unit)
    texts = _texts(reading.value, whole=metric.count)
    reasons = reading.reason
    if any(reasons):
        texts = [b"null" if reason else text for text, reason in zip(texts, reasons, strict=True)]
    parts: list[Sequence[bytes]] = [[begin + text + unit for text in texts]]
    if any(reasons):
        told = {reason: b',"reason":' + orjson.dumps(reason) if reason else b"" for reason in set(reasons)}
        parts.append([told[reason] for reason in reasons])
    if reading.sigma is not None:
        parts.append(_parts(b',"sigma":', reading.sigma))
    if reading.unchecked is not None and any(reasons):
        unchecked = _parts(b',"value_unchecked":', reading.unchecked)
        parts.append([text if reason else b"" for text, reason in zip(unchecked, reasons, strict=True)])
    if metric.timed:
        parts.append(coverage)
    return [b"".join((*some, b"}")) for some in zip(*parts, strict=True)]


def _parts(name: bytes, numbers: FloatArray) -> list[bytes]:
    """A field for each number, nothing where there is none."""
    known = np.isfinite(numbers)
    texts = [name + text for text in _texts(numbers, whole=False)]
    return texts if known.all() else [text if is_known else b"" for text, is_known in zip(texts, known, strict=True)]


def _texts(values: FloatArray, *, whole: bool) -> list[bytes]:
    """JSON of each number, or of each row of numbers."""
    if not len(values):
        return []
    if values.ndim > 1:
        return orjson.dumps(np.ascontiguousarray(values), option=_NUMPY)[1:-1].replace(b"],[", b"]\n[").split(b"\n")
    if whole:
        values = np.nan_to_num(values).astype(np.int64)
    return orjson.dumps(np.ascontiguousarray(values), option=_NUMPY)[1:-1].split(b",")
