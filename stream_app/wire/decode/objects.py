"""Objects of a message, read by compiled code: by a template if one fits, else token by token."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from schemas.columns import COLUMNS
from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.columns.compiled import borrowing, inlined
from stream_app.columns.words import PADDING
from stream_app.wire.decode.field_names import ASSET_ID, FIRST_READING, TIMESTAMP, FieldNames, field_at
from stream_app.wire.decode.fitting import FITTED, MEASURED, NUMBERS, REMEMBERED, ROWS, STAMPS, Templates, fit
from stream_app.wire.decode.plain_stamps import stamp
from stream_app.wire.decode.timestamps import UNREAD
from stream_app.wire.decode.tokens import (
    COLON,
    COMMA,
    LBRACKET,
    NULL,
    ODD,
    QUOTE,
    RBRACE,
    RBRACKET,
    Bytes,
    blank,
    byte,
    literal,
    number,
    punctuation,
    same,
    scalar,
)

#: Remembered, too: rows that no template fitted, and where an object of them begins and ends.
UNFIT, EXAMPLE, EXAMPLE_END, ALL_REMEMBERED = REMEMBERED, REMEMBERED + 1, REMEMBERED + 2, REMEMBERED + 3


class Rows(NamedTuple):
    """Where rows are written, with room for all of them.

    Parameters
    ----------
    time_us, columns, stamps, numbers
        As in :class:`stream_app.wire.decode.scan.Scanned`.
    used
        How many stamps and numbers there are, and a bit for each column that is measured.
    remembered
        From row to row.
    """

    time_us: IntArray
    columns: FloatArray
    stamps: IntArray
    numbers: IntArray
    used: IntArray
    remembered: IntArray

    @classmethod
    def of(cls, most: int) -> Rows:
        """Room for as many rows; what every row must name counts as measured."""
        return cls(
            time_us=np.empty(most, np.int64),
            columns=np.empty((len(COLUMNS), most)),
            stamps=np.empty((most, 3), np.int64),
            numbers=np.empty((most * len(COLUMNS), 4), np.int64),
            used=np.array([0, 0, sum(column.required << i for i, column in enumerate(COLUMNS))], np.int64),
            remembered=np.zeros(ALL_REMEMBERED, np.int64),
        )


@inlined
def read_object(
    names: FieldNames,
    templates: Templates,
    buffer: Bytes,
    i: int,
    end: int,
    key: Bytes,
    n: int,
    rows: Rows,
) -> tuple[int, int]:
    """Read an object: position behind it, and its rows; as a negative number when it is a columnar batch."""
    time_us, columns, stamps, numbers, used, remembered = rows
    known, padded_end = len(templates.table), min(end, len(buffer) - PADDING)
    for step in range(known):
        template = remembered[FITTED] + step
        if template >= known:
            template -= known
        behind, count, measured = fit(
            templates, template, buffer, i, padded_end, key, n, time_us, columns, numbers, used, remembered
        )
        if behind != ODD:
            if measured != used[MEASURED]:
                _settle(columns, used, measured, n, abs(count))
            remembered[FITTED] = template
            templates.table[template, ROWS] += abs(count)
            return behind, count
    behind, count = _scanned(names, buffer, i + 1, end, key, n, time_us, columns, stamps, numbers, used)
    if behind != ODD:
        remembered[UNFIT] += abs(count)
        remembered[EXAMPLE], remembered[EXAMPLE_END] = i, behind
    return behind, count


@borrowing
def _measure(columns: FloatArray, used: IntArray, column: int, row: int) -> None:
    """Begin a column with its first reading: one that nobody measures is left out, and needs no NaN in each row."""
    used[MEASURED] |= 1 << column
    for r in range(row):
        columns[column, r] = np.nan


@borrowing
def _settle(columns: FloatArray, used: IntArray, measured: int, n: int, rows: int) -> None:
    """Begin columns that are measured for the first time; rows that do not measure the others have NaN there."""
    for column in range(len(columns)):
        here, before = measured & (1 << column), used[MEASURED] & (1 << column)
        if here and not before:
            _measure(columns, used, column, n)
        elif before and not here:
            for row in range(n, n + rows):
                columns[column, row] = np.nan


@borrowing
def _scanned(  # noqa: PLR0912, PLR0915  # to hand its arrays on costs a third of the time
    names: FieldNames,
    buffer: Bytes,
    i: int,
    end: int,
    key: Bytes,
    n: int,
    time_us: IntArray,
    columns: FloatArray,
    stamps: IntArray,
    numbers: IntArray,
    used: IntArray,
) -> tuple[int, int]:
    """Read an object: position behind it, and its rows; as a negative number when it is a columnar batch."""
    control, needed = names.control, names.needed
    seen, lists, guess, length = 0, 0, 0, -1
    i = blank(buffer, i, end)
    while i < end and byte(buffer, i) == QUOTE:
        field, i = field_at(names, buffer, i + 1, end, guess)
        if i == ODD or field == control or (field < control and seen & (1 << field)):
            return ODD, 0
        i = punctuation(buffer, i, end, COLON)
        if i == ODD or i >= end:
            return ODD, 0
        if field > control:
            i = scalar(buffer, i, end)
        else:
            seen |= 1 << field
            guess = field + 1
            if field == ASSET_ID:
                i = same(buffer, i, end, key)
            else:
                is_list, row = byte(buffer, i) == LBRACKET, n
                if is_list:
                    i = blank(buffer, i + 1, end)
                while i < end:
                    start = i
                    if field == TIMESTAMP:
                        i, time = stamp(buffer, i, end)
                        time_us[row] = time
                        if time == UNREAD and i != ODD:
                            at = used[STAMPS]
                            stamps[at, 0], stamps[at, 1], stamps[at, 2] = row, start, i
                            used[STAMPS] = at + 1
                    elif byte(buffer, i) == NULL[0]:
                        columns[field - FIRST_READING, row] = np.nan
                        i = literal(buffer, i, end, NULL)
                    else:
                        i, value, exact = number(buffer, i, end)
                        columns[field - FIRST_READING, row] = value
                        if not used[MEASURED] & (1 << (field - FIRST_READING)):
                            _measure(columns, used, field - FIRST_READING, row)
                        if not exact and i != ODD:
                            at = used[NUMBERS]
                            numbers[at, 0], numbers[at, 1] = field - FIRST_READING, row
                            numbers[at, 2], numbers[at, 3] = start, i
                            used[NUMBERS] = at + 1
                    row += 1
                    if i == ODD or not is_list:
                        break
                    i = blank(buffer, i, end)
                    if i >= end or byte(buffer, i) != COMMA:
                        break
                    i = blank(buffer, i + 1, end)
                if is_list:
                    if i == ODD or i >= end or byte(buffer, i) != RBRACKET or (length >= 0 and row - n != length):
                        return ODD, 0
                    lists |= 1 << field
                    i, length = i + 1, row - n
        if i == ODD:
            return ODD, 0
        i = blank(buffer, i, end)
        if i >= end or byte(buffer, i) != COMMA:
            break
        i = blank(buffer, i + 1, end)
        if i >= end or byte(buffer, i) != QUOTE:
            return ODD, 0
    if i >= end or byte(buffer, i) != RBRACE or seen & needed != needed:
        return ODD, 0
    if lists and lists != seen & ~(1 << ASSET_ID):
        return ODD, 0  # some fields are lists and others not
    for field in range(FIRST_READING, control):
        if used[MEASURED] & (1 << (field - FIRST_READING)) and not seen & (1 << field):
            for row in range(n, n + max(length, 1)):
                columns[field - FIRST_READING, row] = np.nan
    return i + 1, 1 if length < 0 else -length
