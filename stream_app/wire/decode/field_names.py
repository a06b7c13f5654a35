"""Names of a row's fields, as compiled code recognises them."""

from __future__ import annotations

from typing import Final

import numpy as np

from schemas.columns import COLUMNS, REQUIRED
from stream_app.columns.compiled import compiled
from stream_app.wire.decode.tokens import QUOTE, Bytes, byte, string

#: Numbers of the fields: the readings follow in the table's order, then ``control``, then what is not known.
ASSET_ID, TIMESTAMP, FIRST_READING = 0, 1, 2

_NAMES: Final = ("asset_id", "timestamp", *(column.wire_name for column in COLUMNS), "control")

#: A line for each field by number, shape ``(fields, 1 + longest)``: the length of its name, and its bytes.
#:
#: It is handed to compiled functions as an argument. Machine code on disk is found by its own source file: names that
#: were compiled in would outlive a change of the table.
FIELD_NAMES: Final = np.zeros((len(_NAMES), 1 + max(map(len, _NAMES))), np.uint8)
for _line, _name in zip(FIELD_NAMES, _NAMES, strict=True):
    _line[: 1 + len(_name)] = [len(_name), *_name.encode()]

#: Bit ``1 << number`` of each field that a row must name.
NEEDED: Final = sum(1 << _NAMES.index(name) for name in ("asset_id", "timestamp", *REQUIRED))


@compiled
def field_at(names: Bytes, buffer: Bytes, i: int, end: int, guess: int) -> tuple[int, int]:
    """Number of the field whose name begins at ``i``, and the position behind its closing quote.

    Number ``guess`` is tried first: producers write fields in one order. A name that is not known has the number behind
    ``control``.
    """
    known = len(names)
    for step in range(known):
        field = guess + step if guess + step < known else guess + step - known
        length: int = np.int64(names[np.uint64(field), 0])  # type: ignore[assignment]  # numba: signed, as i is
        if i + length < end and byte(buffer, i + length) == QUOTE:
            equal = True
            for x in range(length):
                if byte(buffer, i + x) != names[np.uint64(field), np.uint64(1 + x)]:
                    equal = False
                    break
            if equal:
                return field, i + length + 1
    return known, string(buffer, i, end)
