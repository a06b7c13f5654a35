"""Metrics updates as JSON (:class:`schemas.metrics.MetricsUpdate`): the one writer, for the topic and for look-ups.

All numbers of all windows become text in one call; a compiled walk then puts each update together from those and from
texts that are the same every time. A dict per metric and window would cost ten times as much.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from schemas.asset import window_size_name
from stream_app.columns.arrays import BoolArray, IntArray
from stream_app.columns.byte_column import ByteColumn
from stream_app.columns.numbering import numbered
from stream_app.domain.lines import NEVER
from stream_app.domain.reading import LIFETIME
from stream_app.domain.since import LateMetric
from stream_app.domain.value_code import ReadingColumns, ReadingLayout
from stream_app.domain.views import Readings, Windows
from stream_app.wire.encode import json_columns
from stream_app.wire.encode.json_columns import Texts
from stream_app.wire.encode.metric_text import FIXED, LINE, NONE
from stream_app.wire.encode.update_text import Heads, write_updates

LIFETIME_NAME = "lifetime"

#: Updates that are written at once: their texts stay in the processor's cache until they are in a batch.
UPDATES_PER_BLOCK: Final = 100

#: Names and brackets of what only some updates have, and the text of a coverage, which stands with many metrics.
_OPTIONAL_BYTES: Final = len(b',"sigma":,"value_unchecked":[],"coverage":') + 24


class _Plan(NamedTuple):
    """Texts that are the same in every update, and where each metric has its texts and numbers (LINE)."""

    texts: Texts
    lines: NDArray[np.void]
    most_bytes: int  # of the texts in one update


def iso_times(time_us: IntArray) -> list[str]:
    """ISO 8601 in UTC, each with as many digits as it needs."""
    return [text.decode() for text in json_columns.stamps(time_us) if text is not None]


@dataclass(frozen=True, slots=True)
class UpdateForm:
    """What an update of the metrics topic tells of its metrics, one of the two at least, and what its key is.

    Parameters
    ----------
    has_metrics
        Each metric as an object, with its unit, and the reason where it is null.
    has_values
        The defined numbers alone, in a flat map.
    keyed_by_window
        Whether each window has a key of its own; else the key is the asset's.
    event_source
        What the source of an update begins with, as a CloudEvent (its partition follows); "": it is none.
    """

    has_metrics: bool = True
    has_values: bool = False
    keyed_by_window: bool = False
    event_source: str = ""


NESTED: Final = UpdateForm()


class Labels(NamedTuple):
    """Which asset and window each of ``k`` updates is about; the rows are of one ``partition``.

    Asset and size of an update are ``ids[asset[i]]`` and ``sizes[size[i]]``; whether it is final is
    ``is_final[asset[i]]``. ``size_us``, ``start_us`` and ``seq`` have shape ``(k,)``.
    """

    ids: list[bytes]
    asset: IntArray
    is_final: BoolArray
    sizes: list[bytes]
    size: IntArray
    size_us: IntArray
    start_us: IntArray
    seq: IntArray
    partition: int


def updates(
    readings: Readings,
    asset_ids: Sequence[str] | Mapping[int, str],
    ended: Container[int] = (),
    *,
    partition: int,
    closed: bool = False,
) -> list[bytes]:
    """JSON of each window; what is null is left out, but for ``value`` and ``end``.

    Parameters
    ----------
    readings
        Of any windows.
    asset_ids
        Id of each asset that ``readings.windows.slot`` names.
    ended
        Assets that are complete: their windows are final.
    partition
        Where their rows live.
    closed
        Whether the windows are closed, and so final.
    """
    if not len(readings.windows):
        return []
    labels = labels_of(readings.windows, asset_ids, ended, partition=partition, closed=closed)
    return [text for block in texts_of(readings, labels, NESTED) for text in block if text is not None]


def labels_of(
    windows: Windows,
    asset_ids: Sequence[str] | Mapping[int, str],
    ended: Container[int],
    *,
    partition: int,
    closed: bool,
) -> Labels:
    """Label windows, one at least; parameters as in :func:`updates`."""
    slots, asset = numbered(windows.slot)
    sizes_us, size = numbered(windows.size_us)
    names = [LIFETIME_NAME if us == LIFETIME else window_size_name(us // 1_000_000) for us in sizes_us]
    return Labels(
        ids=[asset_ids[slot].encode() for slot in slots],
        asset=asset,
        is_final=np.array([closed or slot in ended for slot in slots]),
        sizes=[name.encode() for name in names],
        size=size,
        size_us=np.ascontiguousarray(windows.size_us),
        start_us=np.ascontiguousarray(windows.start_us),
        seq=np.ascontiguousarray(windows.seq),
        partition=partition,
    )


def texts_of(readings: Readings, labels: Labels, form: UpdateForm) -> Iterator[ByteColumn]:
    """JSON of each window, one at least, UPDATES_PER_BLOCK in a column."""
    plan, heads = _plan(readings.layout), _heads(labels)
    for low in range(0, len(labels.asset), UPDATES_PER_BLOCK):
        yield _block(readings, heads, form, plan, slice(low, low + UPDATES_PER_BLOCK))


def _block(readings: Readings, heads: Heads, form: UpdateForm, plan: _Plan, rows: slice) -> ByteColumn:
    """JSON of some windows."""
    heads = heads.part(rows)
    numbers, whole = json_columns.numbers(readings.numbers[rows]), json_columns.numbers(readings.whole[rows])
    number_bytes = (len(numbers) + len(whole)) * (form.has_metrics + form.has_values)
    out = np.empty(len(heads.asset) * plan.most_bytes + number_bytes + heads.most_bytes(), np.uint8)
    ends = np.empty(len(heads.asset), np.int64)
    write_updates(
        out,
        ends,
        plan.texts,
        plan.lines,
        (numbers, np.empty(readings.layout.numbers + 1, np.int64)),
        (whole, np.empty(readings.layout.whole + 1, np.int64)),
        readings.codes[rows],
        heads,
        form.has_metrics,
        form.has_values,
    )
    written = json_columns.column(out, ends)
    if not readings.late or not form.has_metrics:
        return written
    timed = frozenset(columns.name for columns in readings.layout.metrics if columns.timed)
    late = {name: LateMetric(metric.coverage[rows], metric.since_us[rows]) for name, metric in readings.late.items()}
    return _with_late(written, late, timed)


def _with_late(written: ByteColumn, late: Mapping[str, LateMetric], timed: frozenset[str]) -> ByteColumn:
    """Tell of metrics that were added after their window began: what they cover, and since when.

    Rare (the weeks after an upgrade), so it goes through Python's values.
    """
    told = []
    for i, text in enumerate(written):
        update = orjson.loads(text or b"")
        for name, metric in late.items():
            reading = update["metrics"][name]
            reading.pop("coverage", None)
            if name in timed and np.isfinite(metric.coverage[i]):
                reading["coverage"] = float(metric.coverage[i])
            if metric.since_us[i] != NEVER:
                reading["since"] = iso_times(metric.since_us[i : i + 1])[0]
        told.append(orjson.dumps(update))
    return ByteColumn.of(told)


@lru_cache(maxsize=8)
def _plan(layout: ReadingLayout) -> _Plan:
    texts = list(FIXED)
    lines = np.zeros(len(layout.metrics), LINE)
    most = sum(map(len, FIXED))

    def add(*added: bytes) -> int:
        texts.extend(added)
        return len(texts) - len(added)

    for number, (line, columns) in enumerate(zip(lines, layout.metrics, strict=True)):
        begin = (b"}," if number else b"") + orjson.dumps(columns.name) + b':{"value":'
        unit = b',"unit":' + orjson.dumps(columns.unit)
        bracket, end = (b"", b"") if columns.bins is None else (b"[", b"]")
        reasons = [unit + b',"reason":' + orjson.dumps(name) for name in columns.reasons[1:]]
        line["begin"], line["null"] = add(begin + bracket), add(begin + b"null")
        line["unit"] = add(end + unit, *reasons)
        line["bins"], line["timed"] = columns.bins or 1, columns.timed
        line["whole"], line["value"] = (columns.value, NONE) if columns.whole else (NONE, columns.value)
        line["sigma"], line["sigma_begin"] = _or_none(columns.sigma), add(b',"sigma":')
        line["unchecked"] = _or_none(columns.unchecked)
        line["unchecked_begin"], line["unchecked_end"] = add(b',"value_unchecked":' + bracket), add(end)
        names = flat_names(columns)
        line["names"] = add(*(b"," + orjson.dumps(name) + b":" for name in names))
        most += sum(len(name.encode()) for name in names) + len(b',"":') * len(names)
        most += len(begin) + len(b"[null]") + max(map(len, (end + unit, *reasons))) + _OPTIONAL_BYTES
    return _Plan(json_columns.texts(texts), lines, most)


def flat_names(columns: ReadingColumns) -> list[str]:
    """Names that a metric has among the flat values: its own, or one for each number of its list, from 0."""
    return [columns.name] if columns.bins is None else [f"{columns.name}.{k}" for k in range(columns.bins)]


def _or_none(column: int | None) -> int:
    return NONE if column is None else column


def _heads(labels: Labels) -> Heads:
    """What is told of the windows before their metrics."""
    where = b',"partition":%d' % labels.partition
    return Heads(
        assets=json_columns.texts(
            [b'{"asset_id":' + orjson.dumps(asset_id.decode()) + where for asset_id in labels.ids]
        ),
        asset=labels.asset,
        is_final=labels.is_final,
        sizes=json_columns.texts([b',"window":{"size":"' + name + b'","start":"' for name in labels.sizes]),
        size=labels.size,
        size_us=labels.size_us,
        start_us=labels.start_us,
    )
