"""Rows as messages: single rows, arrays, columns, Arrow."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from bench.formats import arrow, columns
from bench.workload import Rows

Message = tuple[bytes, bytes]  # key, value
Encode = Callable[[Rows, int, int, int], bytes]  # rows, asset, from row, to row


@dataclass(frozen=True, slots=True)
class Form:
    """What one message holds."""

    name: str
    title: str
    rows_per_message: int
    encode: Encode
    #: How many times as many rows as single ones a run takes: so that it lasts for seconds, too.
    times: int = 1

    def messages(self, rows: Rows) -> Iterator[Message]:
        """Messages in the order of their last rows, assets in turn."""
        keys = [asset_id.encode() for asset_id in rows.assets]
        for start in range(0, rows.per_asset, self.rows_per_message):
            end = min(start + self.rows_per_message, rows.per_asset)
            for asset in range(len(keys)):
                yield keys[asset], self.encode(rows, asset, start, end)


def _json_rows(rows: Rows, asset: int, start: int, end: int) -> Iterator[str]:
    asset_id = rows.assets[asset]
    readings = (each[start:end, asset].tolist() for each in (rows.current, rows.voltage, rows.soc))
    for stamp, current, voltage, soc in zip(rows.stamps[start:end], *readings, strict=True):
        yield (
            f'{{"asset_id":"{asset_id}","timestamp":"{stamp}",'
            f'"current":{current / 10},"voltage":{voltage / 10},"soc":{soc / 10}}}'
        )


def _array(rows: Rows, asset: int, start: int, end: int) -> bytes:
    return f"[{','.join(_json_rows(rows, asset, start, end))}]".encode()


class _SingleRows(Form):
    """One row a message; encoded asset by asset, which numpy likes better, some thousand seconds at a time."""

    def messages(self, rows: Rows) -> Iterator[Message]:
        keys = [asset_id.encode() for asset_id in rows.assets]
        for start in range(0, rows.per_asset, 2000):
            end = min(start + 2000, rows.per_asset)
            block = [_json_rows(rows, asset, start, end) for asset in range(len(keys))]
            values = itertools.chain.from_iterable(zip(*block, strict=True))
            yield from zip(itertools.cycle(keys), map(str.encode, values), strict=False)


def _one(rows: Rows, asset: int, start: int, end: int) -> bytes:
    return next(_json_rows(rows, asset, start, end)).encode()


FORMS: Final = {
    form.name: form
    for form in (
        _SingleRows("rows", "a JSON row a message", 1, _one),
        Form("arrays", "100 JSON rows a message", 100, _array),
        Form("columns", "1,000 rows a message as JSON columns", 1000, columns, times=4),
        Form("arrow", "1,000 rows a message as an Arrow IPC stream", 1000, arrow, times=4),
    )
}
