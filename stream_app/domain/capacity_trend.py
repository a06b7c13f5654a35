"""Charge of spans of the state of charge, day by day: the sums of a line through the lifetime.

Notes
-----
A day's spans share its temperature and what the SoC errs by, so a day is one observation with the weight of its spans,
and the scatter is that of the days. The day's number and its count of spans are one number, since the state of an asset
has to stay small. A span that is far from the mean of the newest day counts with the nearest charge that is not: where
a BMS corrects its SoC within a span, its charge says nothing. A capacity that really jumps is followed within days.
"""

from __future__ import annotations

from typing import Final

from stream_app.columns.arrays import FloatArray
from stream_app.columns.compiled import borrowing

DAY_S: Final = 86_400.0
#: How far the charge of a span may be from the mean of the newest day with one, as a ratio.
MAX_RATIO: Final = 1.2

# One asset's numbers: time since its first row [s]; number of the newest day with a span and its spans, as one number;
# the charge of that day; days with a span before it and the count of all spans, as one number; of all spans day,
# charge, day x day, day x charge; and the sum over the days before of (charge of the day)^2 / spans of the day.
_AGE, _DAY, _DAY_AS, _COUNTS, _T, _Q, _TT, _TQ, _QQ = range(9)
TREND_WIDTH: Final = 9
#: More spans of 20 % than any day has.
_MOST: Final = 4096
#: More spans than any lifetime has.
_MOST_EVER: Final = 2.0**26
#: Of stamps that add up to a whole day but for rounding [s].
_ROUNDING_S: Final = 0.001

#: What metrics read: 1 (0 in a window), time since the first row [s], days with spans, then count of spans, and sums of
#: day, charge, day x day, day x charge, and (charge of a day)^2 / spans of the day.
TREND_NUMBERS: Final = 9


@borrowing
def count_span(trend: FloatArray, span_as: float) -> None:
    """Count the net charge of a span that ends now."""
    if trend[_COUNTS] > 0:
        mean_as = trend[_DAY_AS] / (trend[_DAY] % _MOST)
        if mean_as > 0:
            span_as = min(max(span_as, mean_as / MAX_RATIO), mean_as * MAX_RATIO)
    day = (trend[_AGE] + _ROUNDING_S) // DAY_S
    if trend[_DAY] // _MOST != day:
        _end_day(trend)
        trend[_DAY], trend[_DAY_AS] = day * _MOST, 0.0
    trend[_DAY] += 1
    trend[_DAY_AS] += span_as
    trend[_COUNTS] += 1
    trend[_T] += day
    trend[_Q] += span_as
    trend[_TT] += day * day
    trend[_TQ] += day * span_as


@borrowing
def _end_day(trend: FloatArray) -> None:
    """Count the newest day among those before, if it has a span."""
    spans = trend[_DAY] % _MOST
    if spans > 0:
        trend[_COUNTS] += _MOST_EVER
        trend[_QQ] += trend[_DAY_AS] * trend[_DAY_AS] / spans


@borrowing
def write_trend(trend: FloatArray, numbers: FloatArray) -> None:
    """Write the numbers that metrics read, the newest day among them."""
    spans = trend[_DAY] % _MOST
    numbers[0], numbers[1] = 1.0, trend[_AGE]
    numbers[2], numbers[3] = trend[_COUNTS] // _MOST_EVER, trend[_COUNTS] % _MOST_EVER
    for x in range(5):
        numbers[4 + x] = trend[_T + x]
    if spans > 0:
        numbers[2] += 1
        numbers[8] += trend[_DAY_AS] * trend[_DAY_AS] / spans
