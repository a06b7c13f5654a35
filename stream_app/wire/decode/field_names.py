"""Names of a row's fields, as compiled code recognises them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np

from schemas.columns import COLUMNS, Column
from stream_app.columns.arrays import IntArray
from stream_app.columns.compiled import borrowing
from stream_app.wire.decode.tokens import QUOTE, Bytes, byte, string

#: Numbers of the fields: the readings follow in the table's order, then ``control``, then what is not known.
ASSET_ID, TIMESTAMP, FIRST_READING = 0, 1, 2


class FieldNames(NamedTuple):
    """Names in the order of their numbers.

    They are handed to compiled functions as an argument: machine code on disk is looked up by its own source file, so
    names that were compiled in would outlive a change of the table.

    Parameters
    ----------
    text
        All names one after the other.
    starts
        Shape ``(fields + 1,)``: where each name begins in ``text``, and the end of the last.
    control
        Number of the field ``control``, the last one.
    needed
        Bit ``1 << number`` of each field that a row must name.
    """

    text: Bytes
    starts: IntArray
    control: int
    needed: int

    @classmethod
    def of(cls, columns: Iterable[Column]) -> FieldNames:
        """Names of a row with the given columns."""
        columns = tuple(columns)
        names = ("asset_id", "timestamp", *(column.wire_name for column in columns), "control")
        required = (FIRST_READING + i for i, column in enumerate(columns) if column.required)
        return cls(
            text=np.frombuffer("".join(names).encode(), np.uint8),
            starts=np.cumsum([0, *map(len, names)]),
            control=len(names) - 1,
            needed=sum(1 << number for number in (ASSET_ID, TIMESTAMP, *required)),
        )


FIELD_NAMES: Final = FieldNames.of(COLUMNS)


@borrowing
def field_at(names: FieldNames, buffer: Bytes, i: int, end: int, guess: int) -> tuple[int, int]:
    """Number of the field whose name begins at ``i``, and the position behind its closing quote.

    It looks at number ``guess`` first: producers write fields in one order. A name that is not known has the number
    behind ``control``.
    """
    text, starts, control, _ = names
    known = control + 1
    for step in range(known):
        field = guess + step if guess + step < known else guess + step - known
        at, length = starts[field], starts[field + 1] - starts[field]
        if i + length < end and byte(buffer, i + length) == QUOTE:
            equal = True
            for x in range(length):
                if byte(buffer, i + x) != text[at + x]:
                    equal = False
                    break
            if equal:
                return field, i + length + 1
    return known, string(buffer, i, end)
