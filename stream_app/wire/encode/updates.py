"""Metrics updates as JSON (:class:`schemas.metrics.MetricsUpdate`): the one writer, for the topic and for look-ups.

All numbers of all windows become text in one call; a compiled walk then puts each update together from those and from
texts that are the same every time. A dict per metric and window would cost ten times as much.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from schemas.asset import window_size_name
from stream_app.columns.arrays import IntArray
from stream_app.domain.catalogue import Catalogue
from stream_app.domain.lines import NEVER
from stream_app.domain.metrics._base import Metric, MetricValues, Reasons
from stream_app.domain.since import LateMetric
from stream_app.domain.views import LIFETIME, Readings, Windows
from stream_app.wire.encode import json_columns
from stream_app.wire.encode.json_columns import Texts
from stream_app.wire.encode.update_text import FIXED, LINE, NONE, Heads, write_updates

LIFETIME_NAME = "lifetime"

#: Names and brackets of what only some updates have, and the text of a coverage, which stands with many metrics.
_OPTIONAL_BYTES: Final = len(b',"sigma":,"value_unchecked":[],"coverage":}') + 24
_COVERAGE, _FIRST_FLOAT = 0, 1  # columns of numbers


class _Shape(NamedTuple):
    """What the texts of a metric depend on, beside its numbers; bins are None where there is one number, no array."""

    name: str
    unit: str
    timed: bool
    whole: bool
    bins: int | None
    has_sigma: bool
    has_unchecked: bool
    reasons: tuple[str, ...]


class _Plan(NamedTuple):
    """Texts that are the same in every update, and where each metric has its texts and numbers (LINE)."""

    texts: Texts
    lines: NDArray[np.void]
    seq: int  # column of it
    most_bytes: int  # of the texts in one update


def iso_times(time_us: IntArray) -> list[str]:
    """ISO 8601 in UTC, each with as many digits as it needs."""
    return [text.decode() for text in json_columns.stamps(time_us) if text is not None]


def updates(
    catalogue: Catalogue,
    readings: Readings,
    asset_ids: Sequence[str] | Mapping[int, str],
    ended: Container[int] = (),
    *,
    closed: bool = False,
) -> list[tuple[bytes, bytes]]:
    """Asset id and JSON of each window; what is null is left out, but for ``value`` and ``end``.

    Parameters
    ----------
    catalogue
        The metrics, in the order in which they are written.
    readings
        Of any windows.
    asset_ids
        Id of each asset that ``readings.windows.slot`` names.
    ended
        Assets that are complete: their windows are final.
    closed
        Whether the windows are closed, and so final.
    """
    windows = readings.windows
    if not len(windows):
        return []
    floats, whole = [readings.coverage], [windows.seq]
    shapes, codes = [], []
    for metric in catalogue.metrics:
        reading = readings.by_metric[metric.name]
        reasons = Reasons.of(reading.reason)
        shape = _shape(metric, reading, reasons.names)
        if shape.whole:
            whole.append(np.nan_to_num(reading.value).astype(np.int64))
        else:
            floats.append(reading.value)
        floats += [numbers for numbers in (reading.sigma, reading.unchecked) if numbers is not None]
        shapes.append(shape)
        codes.append(reasons.codes)
    plan = _plan(tuple(shapes))
    flat, flat_whole = (np.concatenate([array.reshape(-1) for array in arrays]) for arrays in (floats, whole))
    numbers = json_columns.numbers(flat, flat_whole)
    is_finite = np.concatenate([np.isfinite(flat), np.ones(len(flat_whole), np.bool)])
    keys, heads = _heads(windows, asset_ids, ended, closed=closed)
    out = np.empty(len(windows) * plan.most_bytes + len(numbers.buffer) + heads.most_bytes(), np.uint8)
    ends = np.empty(len(windows), np.int64)
    write_updates(out, ends, plan.texts, plan.lines, numbers, is_finite, np.array(codes), heads, plan.seq)
    starts = [0, *ends[:-1].tolist()]
    written = [
        (keys[asset], out[start:end].tobytes())
        for asset, start, end in zip(heads.asset.tolist(), starts, ends.tolist(), strict=True)
    ]
    if not readings.late:
        return written
    timed = frozenset(metric.name for metric in catalogue.metrics if metric.timed)
    return _with_late(written, readings.late, timed)


def _with_late(
    written: list[tuple[bytes, bytes]], late: Mapping[str, LateMetric], timed: frozenset[str]
) -> list[tuple[bytes, bytes]]:
    """Tell of metrics that were added after their window began: what they cover, and since when.

    Rare (the weeks after an upgrade), so it goes through Python's values.
    """
    told = []
    for i, (key, text) in enumerate(written):
        update = orjson.loads(text)
        for name, metric in late.items():
            reading = update["metrics"][name]
            reading.pop("coverage", None)
            if name in timed and np.isfinite(metric.coverage[i]):
                reading["coverage"] = float(metric.coverage[i])
            if metric.since_us[i] != NEVER:
                reading["since"] = iso_times(metric.since_us[i : i + 1])[0]
        told.append((key, orjson.dumps(update)))
    return told


def _shape(metric: Metric, reading: MetricValues, reasons: tuple[str, ...]) -> _Shape:
    bins = reading.value.shape[1] if reading.value.ndim > 1 else None
    return _Shape(
        metric.name,
        metric.unit,
        metric.timed,
        metric.count and bins is None,
        bins,
        reading.sigma is not None,
        reading.unchecked is not None,
        reasons,
    )


@lru_cache(maxsize=64)  # they differ by the reasons that a metric tells, if at all
def _plan(shapes: tuple[_Shape, ...]) -> _Plan:
    texts = list(FIXED)
    lines = np.zeros(len(shapes), LINE)
    column = _FIRST_FLOAT
    most = sum(map(len, FIXED))

    def add(*added: bytes) -> int:
        texts.extend(added)
        return len(texts) - len(added)

    for line, shape in zip(lines, shapes, strict=True):
        begin = (b"" if shape is shapes[0] else b",") + orjson.dumps(shape.name) + b':{"value":'
        unit = b',"unit":' + orjson.dumps(shape.unit)
        bracket, end = (b"", b"") if shape.bins is None else (b"[", b"]")
        bins = shape.bins or 1
        line["begin"] = add(begin + bracket)
        line["null"] = add(begin + b"null")
        line["unit"] = add(end + unit, *(unit + b',"reason":' + orjson.dumps(name) for name in shape.reasons[1:]))
        line["value_bins"] = bins
        if not shape.whole:
            line["value"], column = column, column + bins
        line["sigma"] = line["unchecked"] = NONE
        if shape.has_sigma:
            line["sigma_begin"] = add(b',"sigma":')
            line["sigma"], column = column, column + 1
        if shape.has_unchecked:
            line["unchecked_begin"] = add(b',"value_unchecked":' + bracket)
            line["unchecked_end"] = add(end)
            line["unchecked"], line["unchecked_bins"], column = column, bins, column + bins
        line["coverage"] = _COVERAGE if shape.timed else NONE
        longest_unit = max(map(len, texts[line["unit"] : line["unit"] + len(shape.reasons) or None]))
        most += len(begin) + len(b"[null]") + longest_unit + _OPTIONAL_BYTES
    seq = column
    for line, shape in zip(lines, shapes, strict=True):
        if shape.whole:
            column += 1
            line["value"] = column
    return _Plan(json_columns.texts(texts), lines, seq, most)


def _heads(
    windows: Windows, asset_ids: Sequence[str] | Mapping[int, str], ended: Container[int], *, closed: bool
) -> tuple[list[bytes], Heads]:
    """Ids of the assets, and what is told of the windows before their metrics."""
    slots, asset = np.unique(windows.slot, return_inverse=True)
    sizes_us, size = np.unique(windows.size_us, return_inverse=True)
    names = [LIFETIME_NAME if us == LIFETIME else window_size_name(us // 1_000_000) for us in sizes_us.tolist()]
    ids = [asset_ids[slot] for slot in slots.tolist()]
    final = np.array([closed or slot in ended for slot in slots.tolist()])
    start, start_bytes = json_columns.stamp_lines(windows.start_us)
    end, end_bytes = json_columns.stamp_lines(windows.start_us + windows.size_us)
    return [asset_id.encode() for asset_id in ids], Heads(
        assets=json_columns.texts([b'{"asset_id":' + orjson.dumps(asset_id) for asset_id in ids]),
        asset=asset,
        sizes=json_columns.texts([b',"window":{"size":"' + name.encode() + b'","start":"' for name in names]),
        size=size,
        is_life=windows.size_us == LIFETIME,
        is_final=final[asset],
        start=start,
        start_bytes=start_bytes,
        end=end,
        end_bytes=end_bytes,
    )
