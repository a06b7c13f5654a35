"""Rejects of rows that the domain refused: what is wrong with their time, and the cure."""

from __future__ import annotations

from collections.abc import Iterator

from stream_app.columns.arrays import IntArray
from stream_app.wire.batch import Batch, Reject

_UNITS = (("year", 31_557_600), ("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))


def ended(batch: Batch, index: IntArray) -> list[Reject]:
    """Rejects of the rows at ``index``, whose asset is an upload that has ended."""
    reason = "this asset is an upload that has ended: send the rows under another asset id"
    return [Reject(message, rows, "late", reason) for message, rows in _by_message(batch, index)]


def late(batch: Batch, index: IntArray) -> list[Reject]:
    """Rejects of the rows at ``index``, which came too late."""
    reason = (
        "event time is further behind the asset's newest row than the allowed lateness: "
        "send an asset's rows in time order, or raise STREAM_ALLOWED_LATENESS_S"
    )
    return [Reject(message, rows, "late", reason) for message, rows in _by_message(batch, index)]


def ahead(batch: Batch, index: IntArray) -> list[Reject]:
    """Rejects of the rows at ``index``, whose stamps are ahead of their records' Kafka times."""
    furthest_us: dict[int, int] = {}
    for message, time_us in zip(batch.message[index].tolist(), batch.time_us[index].tolist(), strict=True):
        furthest_us[message] = max(time_us, furthest_us.get(message, time_us))
    rejects = []
    for message, rows in _by_message(batch, index):
        ahead_us = furthest_us[message] - int(batch.record_ms[message]) * 1000
        reason = (
            f"the stamp is {time_span(ahead_us)} ahead of the record's Kafka time: set the sender's clock, "
            "or raise STREAM_MAX_AHEAD_S or the spec's max_ahead_s"
        )
        rejects.append(Reject(message, rows, "implausible_time", reason))
    return rejects


def leap(newest_us: int, time_us: int) -> str:
    """Reason of a held row that was refused."""
    span = time_span(time_us - newest_us)
    return f"the stamp is {span} ahead of the rows before, and the next row is back: set the sender's clock"


def time_span(span_us: int) -> str:
    """Length of a time in its largest unit, such as ``173 years``."""
    seconds = span_us // 1_000_000
    unit, length_s = next((each for each in _UNITS if seconds >= 2 * each[1]), _UNITS[-1])
    return f"{seconds // length_s} {unit}s"


def _by_message(batch: Batch, index: IntArray) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Messages of the rows at ``index``, and the rows' positions in them."""
    by_message: dict[int, list[int]] = {}
    for message, row in zip(batch.message[index].tolist(), batch.row[index].tolist(), strict=True):
        by_message.setdefault(message, []).append(row)
    for message, rows in by_message.items():
        yield message, tuple(sorted(rows))
