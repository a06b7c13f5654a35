"""Limits of readings, looked at as columns."""

from __future__ import annotations

from stream_app.columns.arrays import FloatArray
from stream_app.columns.compiled import borrowing


@borrowing
def beyond(column: FloatArray, low: float, high: float) -> int:
    """Count the readings that are below or above their limits; what is not measured is not."""
    count = 0
    for i in range(len(column)):
        count += (column[i] < low) | (column[i] > high)
    return count
