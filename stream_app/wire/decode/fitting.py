"""Rows that are written as those before them, read by compiled code: their text is compared, their values are read.

A template (:mod:`stream_app.wire.decode.templates`) is a sequence of steps: a text that must be there, and a value.
Whatever does not fit is left to the scan that reads every token; what fits has the values that the scan gives it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.columns.compiled import inlined
from stream_app.columns.words import word_at
from stream_app.wire.decode.plain_numbers import WHOLE_POWERS, leading_digits, short_number
from stream_app.wire.decode.plain_stamps import day_time, epoch_us
from stream_app.wire.decode.timestamps import MAX_TIME_US, MIN_TIME_US, UNREAD
from stream_app.wire.decode.tokens import NULL, ODD, POINT, ZERO, Bytes, byte, literal, number, string

_U64 = np.uint64

#: Values of a step: none (the template ends), the asset's id, a reading, an epoch, a date with its clock, and values of
#: fields that are not ours.
END, KEY, READING, EPOCH, CLOCK, OTHER_NUMBER, OTHER_TEXT = range(7)
#: Columns of a template's steps: the text before the value (first word, last word, bytes), the value and the number of
#: its column, and, where the value is a list, the text between two of its items.
TEXT, VALUE, COLUMN, BETWEEN, STEP_COLUMNS = 0, 3, 4, 5, 8
#: Columns of templates: first and last step, offset from UTC [us], and the rows that were read by it.
FIRST, LAST, OFFSET_US, ROWS, TEMPLATE_COLUMNS = 0, 1, 2, 3, 4
#: What is remembered from row to row: the template that fitted last, the text of the last stamp's day and its time.
FITTED, DAY, DAY_END, DAY_US, REMEMBERED = 0, 1, 2, 3, 4
#: What is counted as rows are read: stamps and numbers that are left to Python; and a bit for each column measured.
STAMPS, NUMBERS, MEASURED = 0, 1, 2

_DAY_END_MASK = np.uint64(0xFFFFFF)  # the last three of the eleven bytes of 2022-04-13T
_CLOCK_ZEROS = np.uint64(int.from_bytes(b"00:00:00", "little"))
_CLOCK_COLONS = np.uint64(0x0000FF0000FF0000)
_TO_HIGH_BIT, _HIGH_BITS = np.uint64(0x7676767676767676), np.uint64(0x8080808080808080)


class Templates(NamedTuple):
    """Templates as compiled functions take them.

    Parameters
    ----------
    words, masks
        Shape ``(w,)``: all texts, eight bytes a word, and which bytes of a word count.
    steps
        Shape ``(s, STEP_COLUMNS)``.
    table
        Shape ``(t, TEMPLATE_COLUMNS)``.
    """

    words: NDArray[np.uint64]
    masks: NDArray[np.uint64]
    steps: IntArray
    table: IntArray


@inlined
def fit(  # noqa: PLR0912  # to hand its arrays on costs more than all of it
    templates: Templates,
    template: int,
    buffer: Bytes,
    i: int,
    end: int,
    key: Bytes,
    n: int,
    time_us: IntArray,
    columns: FloatArray,
    tokens: IntArray,
    used: IntArray,
    remembered: IntArray,
) -> tuple[int, int, int]:
    """Read an object: position behind it, its rows (a negative number when it is a columnar batch), measured columns.

    Eight bytes are read at a time: the buffer must go on for ``PADDING`` bytes behind ``end``.
    """
    words, masks, steps, table = templates
    length, measured, first_token = -1, 0, used[NUMBERS]
    for s in range(table[template, FIRST], table[template, LAST]):
        i = _text(words, masks, steps, s, TEXT, buffer, i, end)
        if i == ODD:
            break
        value, row = steps[s, VALUE], n
        while value != END:
            if value == READING:
                column, start = steps[s, COLUMN], i
                i, reading = short_number(buffer, start)
                if i == ODD and byte(buffer, start) == NULL[0]:
                    i, reading = literal(buffer, start, end, NULL), np.nan
                else:
                    measured |= 1 << column
                    if i == ODD:
                        i, reading, exact = number(buffer, start, end)
                        if i != ODD and not exact:
                            at = used[NUMBERS]
                            tokens[at, 0], tokens[at, 1], tokens[at, 2], tokens[at, 3] = column, row, start, i
                            used[NUMBERS] = at + 1
                columns[column, row] = reading
            elif value == CLOCK:
                i, time = _clock(buffer, i, table[template, OFFSET_US], remembered)
                time_us[row] = time
            elif value == EPOCH:
                i, time = _epoch(buffer, i)
                time_us[row] = time
            elif value == KEY:
                i = _key(buffer, i, end, key)
            elif value == OTHER_NUMBER:
                i, _, _ = number(buffer, i, end)
            else:
                i = string(buffer, i, end) - 1 if string(buffer, i, end) != ODD else ODD
            row += 1
            if i == ODD or steps[s, BETWEEN + 2] == 0:
                break
            behind = _text(words, masks, steps, s, BETWEEN, buffer, i, end)
            if behind == ODD:
                break
            i = behind
        if i == ODD:
            break
        if steps[s, BETWEEN + 2]:
            if length >= 0 and row - n != length:
                i = ODD
                break
            length = row - n
    if i == ODD:
        used[NUMBERS] = first_token
    return i, 1 if length < 0 else -length, measured


@inlined
def _text(
    words: NDArray[np.uint64],
    masks: NDArray[np.uint64],
    steps: IntArray,
    step: int,
    which: int,
    buffer: Bytes,
    i: int,
    end: int,
) -> int:
    """Skip a step's text."""
    behind: int = i + steps[step, which + 2]
    if behind > end:
        return ODD
    for w in range(steps[step, which], steps[step, which + 1]):
        if (word_at(buffer, i) ^ words[_U64(w)]) & masks[_U64(w)] != 0:
            return ODD
        i += 8
    return behind


@inlined
def _key(buffer: Bytes, i: int, end: int, key: Bytes) -> int:
    """Skip the key; its quotes are the template's."""
    n = len(key)
    if i + n > end:
        return ODD
    x = 0
    while x + 8 <= n:
        if word_at(buffer, i + x) != word_at(key, x):
            return ODD
        x += 8
    while x < n:
        if byte(buffer, i + x) != byte(key, x):
            return ODD
        x += 1
    return i + n


@inlined
def _epoch(buffer: Bytes, i: int) -> tuple[int, int]:
    """Read a whole number of ten to nineteen digits: position behind it, and its time."""
    if byte(buffer, i) == ZERO:
        return ODD, 0
    count, whole = leading_digits(word_at(buffer, i))
    more, part = leading_digits(word_at(buffer, i + 8))
    if count != 8:
        return ODD, 0
    whole = whole * WHOLE_POWERS[_U64(more)] + part
    i += 8 + more
    if more == 8:
        more, part = leading_digits(word_at(buffer, i))
        if more > 3:
            return ODD, 0
        whole = whole * WHOLE_POWERS[_U64(more)] + part
        i += more
    time = epoch_us(whole)
    return i if time != UNREAD else ODD, time


@inlined
def _clock(buffer: Bytes, i: int, offset_us: int, remembered: IntArray) -> tuple[int, int]:
    """Read ``2022-04-13T00:00:02.5``: position behind it, and its time; the zone is the template's."""
    day, day_end = np.int64(word_at(buffer, i)), np.int64(word_at(buffer, i + 8) & _DAY_END_MASK)
    if day != remembered[DAY] or day_end != remembered[DAY_END]:
        day_us = day_time(buffer, i)
        if day_us == UNREAD:
            return ODD, 0
        remembered[DAY], remembered[DAY_END], remembered[DAY_US] = day, day_end, day_us
    clock = word_at(buffer, i + 11) ^ _CLOCK_ZEROS
    if (((clock + _TO_HIGH_BIT) | clock) & _HIGH_BITS) | (clock & _CLOCK_COLONS) != 0:
        return ODD, 0
    pairs = np.int64(clock * _U64(10) + (clock >> _U64(8)))
    hour, minute, second = pairs & 0xFF, (pairs >> 24) & 0xFF, (pairs >> 48) & 0xFF
    if hour > 23 or minute > 59 or second > 59:
        return ODD, 0
    time = remembered[DAY_US] + ((hour * 60 + minute) * 60 + second) * 1_000_000 - offset_us
    i += 19
    if byte(buffer, i) == POINT:
        count, part = leading_digits(word_at(buffer, i + 1))
        if count == 0:
            return ODD, 0
        i += 1 + count
        if count <= 6:
            time += part * WHOLE_POWERS[_U64(6 - count)]
        else:
            time += part // WHOLE_POWERS[_U64(count - 6)]
        if count == 8 and ZERO <= byte(buffer, i) < ZERO + 10:
            i += 1
    return i if MIN_TIME_US <= time < MAX_TIME_US else ODD, time
