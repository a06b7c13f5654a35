"""The order of a file's rows in time: clocks that were not set, hours that come twice, rows to be sorted."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from stream_app.columns.arrays import BoolArray, IntArray
from stream_app.usecases.errors import InvalidError

_S, _HOUR, _DAY, YEAR_US = 1_000_000, 3_600_000_000, 86_400_000_000, 366 * 86_400_000_000
#: A step that is longer, in median steps, leads to another part of the file.
_FAR_STEPS: Final = 100
#: Rows of which a clock that was not set may have stamped so many.
_FEW, _FEW_SHARE = 3, 0.005
#: More steps back than that: the rows are not in order anyway.
_FEW_BACK: Final = 4
_CHANGES_BEFORE: Final = 4  # o'clock


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done with rows.

    Parameters
    ----------
    odd
        Rows whose stamps are far from those of their neighbours, shape ``(n,)``.
    sorted
        Whether each asset's other rows ascend.
    descending
        Whether the newest row comes first.
    """

    odd: BoolArray
    sorted: bool
    descending: bool


def order_of(time_us: IntArray, owner: IntArray | None) -> Order:
    """Look at the order of rows, each asset's apart.

    Parameters
    ----------
    time_us, owner
        Time and number of the asset of each row, shape ``(n,)``.
    """
    odd = np.zeros(len(time_us), np.bool_)
    ordered, back, forth = True, 0, 0
    for rows in _assets(owner, len(time_us)):
        times = time_us[rows] if rows is not None else time_us
        steps = np.diff(times)
        back, forth = back + int((steps < 0).sum()), forth + int((steps > 0).sum())
        strange = _odd(times, steps)
        if strange.any():
            odd[rows if rows is not None else slice(None)] = strange
            steps = np.diff(times[~strange])
        ordered = ordered and not (steps < 0).any()
    return Order(odd, ordered, back > forth)


def _assets(owner: IntArray | None, n: int) -> list[IntArray | None]:
    """Rows of each asset; None: all."""
    if owner is None or n == 0 or (owner == owner[0]).all():
        return [None]
    return list(np.split(np.argsort(owner, kind="stable"), np.cumsum(np.bincount(owner))[:-1]))


def _odd(times: IntArray, steps: IntArray) -> BoolArray:
    """Rows whose stamps lie far from those of their neighbours, ahead above all."""
    odd = np.zeros(len(times), np.bool_)
    moves = np.abs(steps[steps != 0])
    if len(moves) < 2:
        return odd
    far = max(_DAY, _FAR_STEPS * int(np.median(moves)))
    breaks = np.flatnonzero(np.abs(steps) > far) + 1
    few = max(_FEW, int(_FEW_SHARE * len(times)))
    if not len(breaks) or len(breaks) > len(times) // 4 + 2:
        return odd
    bounds = [0, *breaks.tolist(), len(times)]
    runs = list(pairwise(bounds))
    small = [end - start <= min(few, len(times) // 3) for start, end in runs]
    whole = [True] * len(runs)
    for k in range(1, len(runs) - 1):
        before = next((j for j in reversed(range(k)) if whole[j]), 0)
        (start, end), (_, last), (after, _) = runs[k], runs[before], runs[k + 1]
        whole[k] = not (small[k] and _is_between(times[start], times[end - 1], times[last - 1], times[after], far))
    for k, inner in ((0, whole[1:]), (len(runs) - 1, whole[-2::-1])):
        near = runs[1 + inner.index(True)][0] if k == 0 else runs[k - 1 - inner.index(True)][1] - 1
        at = runs[k][1] - 1 if k == 0 else runs[k][0]
        whole[k] = not (small[k] and abs(int(times[at]) - int(times[near])) > YEAR_US)
    for (start, end), good in zip(runs, whole, strict=True):
        odd[start:end] = not good
    return odd


def _is_between(first: int, last: int, before: int, after: int, far: int) -> bool:
    """Whether rows are far from the rows before and after, which go on with each other."""
    goes_on = abs(after - before) < min(abs(first - before), abs(last - after))
    return bool(goes_on and (min(first - before, last - after) > far or min(before - first, after - last) > YEAR_US))


def refuse_repeated_hour(time_us: IntArray, numbers: IntArray, owner: IntArray | None) -> None:
    """Refuse wall time whose clock goes back by one hour, as it does in autumn.

    Raises
    ------
    InvalidError
        With the row.
    """
    for rows in _assets(owner, len(time_us)):
        times, places = (time_us, numbers) if rows is None else (time_us[rows], numbers[rows])
        steps = np.diff(times)
        if (steps < 0).sum() > (steps > 0).sum():
            times, places = times[::-1], places[::-1]
            steps = np.diff(times)
        back = np.flatnonzero(steps < 0)
        forward = steps[steps > 0]
        if not 0 < len(back) <= _FEW_BACK or not len(forward):
            continue
        usual = max(int(np.median(forward)), _S)
        for i in back.tolist():
            again = int(steps[i]) + _HOUR
            early = int(times[i + 1]) % _DAY < _CHANGES_BEFORE * _HOUR
            if early and 0 <= again <= 3 * usual:
                row = int(places[i + 1])
                detail = f"row {row}: the clock goes back by one hour (change to winter time?): name the zone of the"
                cure = "stamps (--timezone Europe/Berlin), or --timezone UTC to take them as they are and sort the rows"
                raise InvalidError("clock_goes_back", f"{detail} {cure}", row, "timestamp")
