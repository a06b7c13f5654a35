"""Metrics updates as JSON, written column by column: a dict per metric and window would cost ten times as much."""

from __future__ import annotations

import numpy as np
import orjson

from schemas.asset import window_size_name
from stream_app.columns.arrays import BoolArray, FloatArray, IntArray
from stream_app.columns.byte_column import ByteColumn
from stream_app.columns.text_builder import Pieces
from stream_app.domain.catalogue import Catalogue
from stream_app.domain.metrics._base import Metric, MetricValues, Reasons
from stream_app.domain.state import Fleet
from stream_app.domain.views import LIFETIME, Readings, Windows
from stream_app.wire.encode import json_columns

LIFETIME_NAME = "lifetime"

#: JSON of the numbers, by metric and field of it; the metric "" stands for the window itself.
_Texts = dict[tuple[str, str], ByteColumn]


def iso_times(time_us: IntArray) -> list[str]:
    """ISO 8601 in UTC, each with as many digits as it needs."""
    return [text.decode() for text in json_columns.stamps(time_us) if text is not None]


def updates(catalogue: Catalogue, fleet: Fleet, readings: Readings, *, closed: bool) -> list[tuple[bytes, bytes]]:
    """Asset id and JSON of each window (:class:`schemas.metrics.MetricsUpdate`).

    ``closed`` windows are final, and so is an ended asset's life. What is null is left out, but for ``value`` and
    ``end``.
    """
    windows = readings.windows
    texts = _texts(catalogue, readings)
    codes, asset = np.unique(windows.code, return_inverse=True)
    ids = [fleet.ids[code] for code in codes.tolist()]
    final = np.array([closed or code in fleet.ended for code in codes.tolist()])
    pieces = Pieces(len(windows))
    pieces.add_choice(asset, [b'{"asset_id":' + orjson.dumps(asset_id) for asset_id in ids])
    _add_window(pieces, windows)
    pieces.add(b',"seq":')
    pieces.add_column(texts["", "seq"])
    pieces.add_choice(final[asset], [b',"final":false,"metrics":{', b',"final":true,"metrics":{'])
    timed = Pieces(len(windows))
    _add_where_known(timed, b',"coverage":', texts["", "coverage"], readings.coverage)
    coverage = timed.joined()
    for number, metric in enumerate(catalogue.metrics):
        pieces.add(b"," if number else b"")
        _add_metric(pieces, metric, readings.by_metric[metric.name], texts)
        if metric.timed:
            pieces.add_column(coverage)
        pieces.add(b"}")
    pieces.add(b"}}")
    keys = [asset_id.encode() for asset_id in ids]
    joined = pieces.joined()
    buffer = joined.buffer.data
    return [
        (keys[i], buffer[start:end].tobytes())
        for i, start, end in zip(asset.tolist(), joined.starts.tolist(), joined.ends.tolist(), strict=True)
    ]


def _texts(catalogue: Catalogue, readings: Readings) -> _Texts:
    floats: dict[tuple[str, str], FloatArray] = {("", "coverage"): readings.coverage}
    whole: dict[tuple[str, str], IntArray] = {("", "seq"): readings.windows.seq}
    for metric in catalogue.metrics:
        reading = readings.by_metric[metric.name]
        if metric.count and reading.value.ndim == 1:
            whole[metric.name, "value"] = np.nan_to_num(reading.value).astype(np.int64)
        else:
            floats[metric.name, "value"] = reading.value
        if reading.sigma is not None:
            floats[metric.name, "sigma"] = reading.sigma
        if reading.unchecked is not None:
            floats[metric.name, "unchecked"] = reading.unchecked
    return json_columns.numbers(floats) | json_columns.numbers(whole)


def _add_window(pieces: Pieces, windows: Windows) -> None:
    sizes_us, size = np.unique(windows.size_us, return_inverse=True)
    names = [LIFETIME_NAME if us == LIFETIME else window_size_name(us // 1_000_000) for us in sizes_us.tolist()]
    life = windows.size_us == LIFETIME
    pieces.add_choice(size, [b',"window":{"size":"' + name.encode() + b'","start":"' for name in names])
    pieces.add_column(json_columns.stamps(windows.start_us))
    pieces.add_choice(life, [b'","end":"', b'","end":null}'])
    pieces.add_column(_emptied(json_columns.stamps(windows.start_us + windows.size_us), life))
    pieces.add_choice(life, [b'"}', b""])


def _add_metric(pieces: Pieces, metric: Metric, reading: MetricValues, texts: _Texts) -> None:
    """Add name and value of a metric, but for its coverage and the end."""
    begin, end = (b"[", b"]") if reading.value.ndim > 1 else (b"", b"")
    begin_value = orjson.dumps(metric.name) + b':{"value":'
    unit = b',"unit":' + orjson.dumps(metric.unit)
    reasons = Reasons.of(reading.reason)
    null = reasons.codes != 0
    if null.any():
        told = [unit + b',"reason":' + orjson.dumps(name) for name in reasons.names[1:]]
        pieces.add_choice(null, [begin_value + begin, begin_value + b"null"])
        pieces.add_column(_emptied(texts[metric.name, "value"], null))
        pieces.add_choice(reasons.codes, [end + unit, *told])
    else:
        pieces.add(begin_value + begin)
        pieces.add_column(texts[metric.name, "value"])
        pieces.add(end + unit)
    if reading.sigma is not None:
        _add_where_known(pieces, b',"sigma":', texts[metric.name, "sigma"], reading.sigma)
    if reading.unchecked is not None:
        _add_where_known(pieces, b',"value_unchecked":', texts[metric.name, "unchecked"], reading.unchecked, null)


def _add_where_known(
    pieces: Pieces, name: bytes, text: ByteColumn, numbers: FloatArray, where: BoolArray | None = None
) -> None:
    """Add a field where its number is known (and ``where`` holds), nothing elsewhere."""
    begin, end = (name + b"[", b"]") if numbers.ndim > 1 else (name, b"")
    known = np.isfinite(numbers)
    shown: BoolArray = np.logical_and.reduce(known, axis=1) if numbers.ndim > 1 else known
    if where is not None:
        shown = shown & where
    if shown.all():
        pieces.add(begin)
        pieces.add_column(text)
        pieces.add(end)
    elif shown.any():
        pieces.add_choice(shown, [b"", begin])
        pieces.add_column(_emptied(text, ~shown))
        pieces.add_choice(shown, [b"", end])


def _emptied(column: ByteColumn, where: BoolArray) -> ByteColumn:
    return ByteColumn(column.buffer, column.starts, np.where(where, column.starts, column.ends))
