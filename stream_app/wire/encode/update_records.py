"""Updates as records of the metrics topic: key, text, and headers by which a consumer filters without parsing.

Headers are written as a record has them (KIP-82): a list of pairs for each update would cost as much as its text.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.metrics import KEY_SEPARATOR, EventHeaders, UpdateHeaders
from stream_app.columns.arrays import BoolArray, IntArray
from stream_app.columns.byte_column import ByteColumn
from stream_app.columns.compiled import compiled
from stream_app.columns.varints import put_varint
from stream_app.domain.views import Readings
from stream_app.wire.encode import json_columns
from stream_app.wire.encode.json_columns import STAMP_BYTES, Texts, put_text, texts, write_digits, write_stamp
from stream_app.wire.encode.update_list import UpdateBlock, UpdateList
from stream_app.wire.encode.updates import Labels, UpdateForm, labels_of, texts_of


def update_records(
    readings: Readings,
    asset_ids: Sequence[str] | Mapping[int, str],
    ended: Container[int] = (),
    *,
    form: UpdateForm,
    partition: int,
    closed: bool = False,
) -> Iterator[UpdateList]:
    """Write the update of each window, a block after the other.

    Parameters as in :func:`stream_app.wire.encode.updates.updates`.
    """
    if not len(readings.windows):
        return
    labels = labels_of(readings.windows, asset_ids, ended, partition=partition, closed=closed)
    assets = ByteColumn.of(labels.ids).at(labels.asset)
    keys = _keys(labels) if form.keyed_by_window else assets
    headers = _headers(labels, f"{form.event_source}/{partition}" if form.event_source else "")
    low = 0
    for texts_ in texts_of(readings, labels, form):
        rows = slice(low, low + len(texts_))
        yield UpdateList([UpdateBlock(assets[rows], keys[rows], texts_, headers[rows])])
        low = rows.stop


def _short(text: bytes) -> bytes:
    """A text of less than 64 bytes, with its length."""
    return bytes([2 * len(text)]) + text


def _counted(text: bytes) -> bytes:
    """A text, with its length."""
    out = np.empty(_LENGTH_BYTES, np.uint8)
    return out[: put_varint(out, 0, len(text))].tobytes() + text


_LENGTH_BYTES: Final = 5
_EVENT_NAMES: Final = tuple(field.alias or name for name, field in EventHeaders.model_fields.items())
_SIZE_NAME, _FINAL_NAME, _SEQ_NAME, _ASSET_NAME = (_short(name.encode()) for name in UpdateHeaders.model_fields)
#: How many headers there are, without those of an event and with them, and the name of the first; then each name, or
#: name and value.
_FIXED: Final = texts(
    [
        bytes([2 * len(UpdateHeaders.model_fields)]) + _SIZE_NAME,
        bytes([2 * (len(UpdateHeaders.model_fields) + len(_EVENT_NAMES))]) + _SIZE_NAME,
        _FINAL_NAME + _short(b"false"),
        _FINAL_NAME + _short(b"true"),
        _SEQ_NAME,
        _ASSET_NAME,
    ]
)
_SIZE, _EVENT_SIZE, _OPEN, _FINAL, _SEQ, _ASSET = range(len(_FIXED.ends))
#: Of the fixed texts, the longest offset, and the lengths of what is between them.
_HEADERS_BYTES: Final = int(_FIXED.ends[-1]) + 19 + 4 * 5
_SEPARATOR: Final = KEY_SEPARATOR.encode()
_SLASH: Final = _SEPARATOR[0]


def _headers(labels: Labels, event_source: str) -> ByteColumn:
    """Headers of each update; with those of an event if there is a source."""
    assets, sizes, event = texts(labels.ids), texts(labels.sizes), texts(_event(event_source))
    most = _most_bytes(assets, labels.asset) + _most_bytes(sizes, labels.size) + _HEADERS_BYTES * len(labels.asset)
    if event_source:
        most = 2 * most + (int(event.ends[0]) + STAMP_BYTES) * len(labels.asset)
    out, ends = np.empty(most, np.uint8), np.empty(len(labels.asset), np.int64)
    _write_headers(
        out,
        ends,
        _FIXED,
        (event, labels.start_us),
        assets,
        labels.asset,
        labels.is_final,
        sizes,
        labels.size,
        labels.seq,
    )
    return json_columns.column(out, ends)


def _event(source: str) -> list[bytes]:
    """Headers of an event that all updates of a partition have, and the name of its id, which comes last."""
    if not source:
        return []
    *names, id_name = _EVENT_NAMES
    shared = EventHeaders(ce_source=source, ce_id="").model_dump(by_alias=True)
    pairs = [_short(name.encode()) + _counted(shared[name].encode()) for name in names]
    return [b"".join(pairs) + _short(id_name.encode())]


def _keys(labels: Labels) -> ByteColumn:
    """Asset id, size and start of each window."""
    assets, sizes = texts(labels.ids), texts([_SEPARATOR + size + _SEPARATOR for size in labels.sizes])
    most = _most_bytes(assets, labels.asset) + _most_bytes(sizes, labels.size) + STAMP_BYTES * len(labels.asset)
    out, ends = np.empty(most, np.uint8), np.empty(len(labels.asset), np.int64)
    _write_keys(out, ends, assets, labels.asset, sizes, labels.size, labels.start_us)
    return json_columns.column(out, ends)


def _most_bytes(each: Texts, index: IntArray) -> int:
    return int((each.ends - each.starts)[index].sum())


@compiled
def _put_counted(out: NDArray[np.uint8], at: int, each: Texts, i: int) -> int:
    """Write the length of text ``i``, then the text; returns where it ends."""
    return put_text(out, put_varint(out, at, each.ends[i] - each.starts[i]), each, i)


@compiled
def _digits(number: int) -> int:
    digits, rest = 1, number // 10
    while rest:
        digits += 1
        rest //= 10
    return digits


@compiled
def _put_seq(out: NDArray[np.uint8], at: int, seq: int) -> int:
    """Write the length of a number in digits, then the digits; returns where they end."""
    digits = _digits(seq)
    at = put_varint(out, at, digits)
    write_digits(out, at, digits, seq)
    return at + digits


@compiled
def _put_event_id(
    out: NDArray[np.uint8], at: int, assets: Texts, asset: int, sizes: Texts, size: int, start_us: int, seq: int
) -> int:
    """Write asset, size, start and seq with what separates them, after their length; returns where they end."""
    begin = at + _LENGTH_BYTES  # first behind the room of the longest length
    end = put_text(out, begin, assets, asset)
    out[end] = _SLASH
    end = put_text(out, end + 1, sizes, size)
    out[end] = _SLASH
    end = write_stamp(out, end + 1, start_us)
    out[end] = _SLASH
    digits = _digits(seq)
    write_digits(out, end + 1, digits, seq)
    length = end + 1 + digits - begin
    at = put_varint(out, at, length)
    for k in range(length):
        out[at + k] = out[begin + k]
    return at + length


@compiled
def _write_headers(
    out: NDArray[np.uint8],
    ends: IntArray,
    fixed: Texts,
    event: tuple[Texts, IntArray],
    assets: Texts,
    asset: IntArray,
    is_final: BoolArray,
    sizes: Texts,
    size: IntArray,
    seq: IntArray,
) -> None:
    at = 0
    shared, start_us = event
    is_event = len(shared.ends) > 0
    for i in range(len(ends)):
        at = put_text(out, at, fixed, _EVENT_SIZE if is_event else _SIZE)
        at = _put_counted(out, at, sizes, size[i])
        at = put_text(out, at, fixed, _FINAL if is_final[asset[i]] else _OPEN)
        at = _put_seq(out, put_text(out, at, fixed, _SEQ), seq[i])
        at = _put_counted(out, put_text(out, at, fixed, _ASSET), assets, asset[i])
        if is_event:
            at = put_text(out, at, shared, 0)
            at = _put_event_id(out, at, assets, asset[i], sizes, size[i], start_us[i], seq[i])
        ends[i] = at


@compiled
def _write_keys(
    out: NDArray[np.uint8],
    ends: IntArray,
    assets: Texts,
    asset: IntArray,
    sizes: Texts,
    size: IntArray,
    start_us: IntArray,
) -> None:
    at = 0
    for i in range(len(ends)):
        at = put_text(out, at, assets, asset[i])
        at = put_text(out, at, sizes, size[i])
        at = ends[i] = write_stamp(out, at, start_us[i])
