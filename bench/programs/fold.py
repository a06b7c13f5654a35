"""The sums that every Python peer keeps, of an asset's lifetime and of its minute: one row at a time.

Sums are a list, which is what a state store takes as JSON and what Python changes fastest: 0 energy out [J], 1 energy
in [J], 2 charge out [As], 3 charge in [As], 4 SoC travel [%], 5 the same over charging rows, 6 over discharging rows,
7-9 the last SoC of each, 10 rows, 11 the last stamp. A row counts for one second.
"""

from collections.abc import Callable, Iterable
from typing import Any

Sums = list[Any]
Row = dict[str, Any]
Record = dict[str, Any]


def empty() -> Sums:
    """Sums of no row."""
    return [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, None, None, None, 0, ""]


def fold(sums: Sums, row: Row) -> Sums:
    """Add a row, in place."""
    current = row["current"]
    soc = row["soc"]
    if current > 0:
        sums[1] += current * row["voltage"]
        sums[3] += current
        if sums[8] is not None:
            sums[5] += abs(soc - sums[8])
        sums[8] = soc
    elif current < 0:
        sums[0] -= current * row["voltage"]
        sums[2] -= current
        if sums[9] is not None:
            sums[6] += abs(soc - sums[9])
        sums[9] = soc
    if sums[7] is not None:
        sums[4] += abs(soc - sums[7])
    sums[7] = soc
    sums[10] += 1
    sums[11] = row["timestamp"]
    return sums


def minute(stamp: str) -> str:
    """Window of a stamp such as ``2022-04-13T00:00:02Z``."""
    return stamp[:16]


def record(asset_id: str, sums: Sums, window: str | None = None) -> Record:
    """What goes out: of a window, or of the lifetime."""
    return {
        "asset_id": asset_id,
        "window": window,
        "rows": sums[10],
        "charge_in_as": sums[3],
        "charge_out_as": sums[2],
        "energy_in_j": sums[1],
        "energy_out_j": sums[0],
        "travel_percent": sums[4],
        "travel_in_percent": sums[5],
        "travel_out_percent": sums[6],
        "timestamp": sums[11],
    }


def advance(
    state: list[Any] | None, asset_id: str, rows: Iterable[Row], last: int, emit: Callable[[Record], object]
) -> list[Any]:
    """Keep lifetime and window in one state by hand: lifetime, minute, the minute's sums.

    An asset's own next minute closes its window; window and lifetime go out then, and the lifetime with row ``last``.
    """
    life, open_minute, window = state or (empty(), None, empty())
    closed = False
    for row in rows:
        its_minute = row["timestamp"][:16]
        if its_minute != open_minute:
            if open_minute is not None:
                emit(record(asset_id, window, open_minute))
                closed = True
            open_minute, window = its_minute, empty()
        fold(life, row)
        fold(window, row)
    if closed or life[10] == last:
        emit(record(asset_id, life))
    return [life, open_minute, window]
