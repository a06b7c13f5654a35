"""Expected results, computed from the measurements topic by plain code that shares nothing with the processor."""

from __future__ import annotations

import json
import math
import sys
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from pyarrow import ipc

from tests.chaos.traffic import STEP_S

Rejects = dict[tuple[int, int, str], frozenset[int] | None]  # (partition, offset, code) -> rows of the message or all

#: Most rows of an asset that may wait, for any allowed lateness.
MOST_WAITING = 8192
_ARROW = b"\xff" * 4
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_REQUIRED = ("current", "voltage", "soc")
_LIMITS = {"current": (-1e6, 1e6), "voltage": (-1e5, 1e5), "soc": (-10.0, 120.0), "power": (-1e10, 1e10)}


class Record(Protocol):
    """A record as a consumer returns it."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


@dataclass
class AssetTruth:
    """Expected state of one asset after the last record."""

    partition: int
    asset_id: str
    rows: list[dict[str, Any]] = field(
        default_factory=list
    )  # applied, by stamp and arrival, as tests.oracle takes them
    late: int = 0
    watermark_us: float = -math.inf  # older rows are late
    settled: int = 0  # number of rows whose order is final
    seq: int = -1
    spec: dict[str, Any] = field(default_factory=dict)
    ended: dict[str, Any] | None = None

    @property
    def uploaded(self) -> bool:
        """Whether the asset came through the upload API."""
        return self.asset_id.startswith("upload-")

    def take(self, row: dict[str, Any], lateness_us: float) -> bool:
        """Insert a row by its stamp; False if it is late.

        Stamps that repeat thousands of times and specs with a sampling period follow rules that are not modelled here.
        """
        newest_us = max(row["time_us"], self.rows[-1]["time_us"] if self.rows else row["time_us"])
        if row["time_us"] < max(newest_us - lateness_us, self.watermark_us):
            self.late += 1
            return False
        insort(self.rows, row, key=_stamp)
        self.watermark_us = max(self.watermark_us, newest_us - lateness_us)
        if (over := len(self.rows) - self.settled - MOST_WAITING) > 0:
            self.watermark_us = max(self.watermark_us, _stamp(self.rows[self.settled + over]))
        known = bisect_right(self.rows, self.watermark_us, key=_stamp)
        if known:
            self.settled = self._first_of_stamp(known - 1)  # the newest of these stamps may get more rows
        if self.settled and self._first_of_stamp(self.settled - 1) == 0 < self.settled - 1:
            self.settled = 0  # an opening stamp of several rows takes its step from the second one
        return True

    def _first_of_stamp(self, at: int) -> int:
        return bisect_left(self.rows, _stamp(self.rows[at]), key=_stamp)

    def open_until_us(self, size_us: int) -> float:
        """End of the window that holds the oldest waiting row: later windows have no update yet."""
        if self.ended or self.settled == len(self.rows):
            return math.inf
        return (_stamp(self.rows[self.settled]) // size_us + 1) * size_us

    def sums(self, period_s: float | None = None) -> dict[str, float]:
        """Energies [kWh] and charges [Ah] by numpy alone; an asset's steps have one length except for gaps."""
        period_s = period_s or (1 if self.uploaded else STEP_S)
        time_s = np.array([row["time_us"] for row in self.rows]) / 1e6
        current = np.array([row["current"] for row in self.rows], float)
        power = current * np.array([row["voltage"] for row in self.rows], float)
        starts = np.flatnonzero(np.diff(time_s, prepend=-math.inf) > 0)
        count = np.diff(starts, append=len(time_s))
        span_s = np.append(np.diff(time_s[starts]), math.nan)
        gap = span_s / count > 3 * period_s
        hold_s = np.where(gap, np.where(count > 1, np.minimum(period_s, span_s / count), 0.0), span_s / count)
        dt_s = np.repeat(hold_s, count)
        dt_s[(starts + count - 1)[gap]] = 0.0
        if math.isnan(hold_s[-1]):
            dt_s[starts[-1] :] = 0.0
            if self.ended:
                dt_s[starts[-1] : -1] = period_s
        rest = 0.005 * (self.spec.get("nominal_capacity_ah") or 0)
        charging, discharging = current > rest, current < -rest
        return {
            "energy_in_kwh": float((power * dt_s)[charging].sum() / 3.6e6),
            "energy_out_kwh": float(-(power * dt_s)[discharging].sum() / 3.6e6),
            "charge_in_ah": float((current * dt_s)[charging].sum() / 3600),
            "charge_out_ah": float(-(current * dt_s)[discharging].sum() / 3600),
        }


def _stamp(row: dict[str, Any]) -> int:
    return int(row["time_us"])


class _Bad(Exception):  # noqa: N818
    pass


@dataclass
class Truth:
    """All assets, and the expected contents of the dead-letter topic."""

    lateness_s: float = 0
    assets: dict[str, AssetTruth] = field(default_factory=dict)
    rejects: Rejects = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Number of applied rows."""
        return sum(len(asset.rows) for asset in self.assets.values())

    def take(self, records: Iterable[Record]) -> Truth:
        """Process records in ascending order of partition and offset."""
        for record in records:
            self.ends[record.partition] = record.offset + 1
            try:
                self._message(record)
            except _Bad as bad:
                self.rejects[record.partition, record.offset, str(bad)] = None
        return self

    def _asset(self, record: Record, asset_id: str) -> AssetTruth:
        return self.assets.setdefault(asset_id, AssetTruth(record.partition, asset_id))

    def _message(self, record: Record) -> None:
        if record.value is None or not record.value.strip():
            raise _Bad("empty_message")
        content = _content(record.value, record.key)
        key = _asset_id(record.key)
        if isinstance(content, dict) and content.get("control") is not None:
            self._control(record, key, content)
            return
        refused: dict[str, list[int]] = {}
        single = isinstance(content, dict) and not isinstance(content.get("timestamp"), list)
        for position, row in enumerate(_rows(content, key)):
            try:
                code = self._row(record, key, row)
            except _Bad as bad:
                code = str(bad)
            if code:
                refused.setdefault(code, []).append(position)
        for code, positions in refused.items():
            self.rejects[record.partition, record.offset, code] = None if single else frozenset(positions)

    def _row(self, record: Record, key: str, row: object) -> str | None:
        fields = _checked(row, key)
        asset = self._asset(record, key)
        if asset.ended is None:
            asset.seq = record.offset
            if asset.take(fields | {"offset": record.offset}, self.lateness_s * 1e6):
                return None
        return "late"

    def _control(self, record: Record, key: str, content: dict[str, Any]) -> None:
        if content["control"] not in ("asset_spec", "end_of_upload", "forget"):
            raise _Bad("bad_control")
        if content.get("asset_id") != key:
            raise _Bad("key_mismatch")
        if content["control"] == "forget":
            self.assets.pop(key, None)
            return
        asset = self._asset(record, key)
        asset.seq = record.offset
        if asset.ended is not None:
            raise _Bad("bad_control")
        if content["control"] == "end_of_upload":
            asset.ended = content
        else:
            asset.spec = content["spec"]


def _content(value: bytes, key: bytes | None) -> Any:
    """Content of a message; an Arrow stream holds a list of rows of its key's asset."""
    if not value.startswith(_ARROW):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            raise _Bad("bad_json") from None
    try:
        rows = ipc.open_stream(value).read_all().to_pylist()
    except pa.ArrowException:
        raise _Bad("bad_arrow") from None
    return [
        {"asset_id": (key or b"").decode(), **{name: None if each != each else each for name, each in row.items()}}  # noqa: PLR0124  # NaN
        for row in rows
    ]


def _asset_id(key: bytes | None) -> str:
    try:
        name = (key or b"").decode()
    except UnicodeDecodeError:
        raise _Bad("key_mismatch") from None
    if not _is_asset_id(name):
        raise _Bad("key_mismatch")
    return name


def _is_asset_id(name: object) -> bool:
    return isinstance(name, str) and 1 <= len(name) <= 200 and name.isprintable() and not {" ", "/"} & set(name)


def _rows(content: Any, key: str) -> Iterator[Any]:
    if isinstance(content, list):
        if not content:
            raise _Bad("empty_message")
        yield from content
        return
    if not isinstance(content, dict):
        raise _Bad("bad_row")
    stamps = content.get("timestamp")
    if not isinstance(stamps, list):
        yield content
        return
    if content.get("asset_id") != key:
        raise _Bad("key_mismatch")
    columns = {n: c for n, c in content.items() if n not in ("asset_id", "timestamp")}
    if any(not isinstance(c, list) or len(c) != len(stamps) for c in columns.values()):
        raise _Bad("bad_row")
    for i, stamp in enumerate(stamps):
        yield {"asset_id": key, "timestamp": stamp, **{name: column[i] for name, column in columns.items()}}


def _checked(row: Any, key: str) -> dict[str, Any]:
    """Readings and stamp of a valid row."""
    if not isinstance(row, dict) or any(name not in row for name in ("asset_id", "timestamp", *_REQUIRED)):
        raise _Bad("bad_row")
    for name, (low, high) in _LIMITS.items():
        value = row.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < sys.float_info.max:
            raise _Bad("bad_row")
        if not low <= value <= high:
            raise _Bad("out_of_range")
    if not _is_asset_id(row["asset_id"]):
        raise _Bad("bad_row")
    if row["asset_id"] != key:
        raise _Bad("key_mismatch")
    readings = {name: row.get(name) for name in (*_REQUIRED, "power")}
    return {"time_us": _time_us(row["timestamp"]), **readings}


def _time_us(stamp: Any) -> int:
    if isinstance(stamp, datetime):  # an Arrow stream's
        return (stamp - _EPOCH) // timedelta(microseconds=1)
    if isinstance(stamp, str) and stamp.isdigit():
        stamp = int(stamp)  # a CSV file's
    elif isinstance(stamp, str):
        try:
            stamp = datetime.fromisoformat(stamp).timestamp()
        except ValueError:
            raise _Bad("bad_timestamp") from None
    if isinstance(stamp, bool) or not isinstance(stamp, int | float):
        raise _Bad("bad_timestamp")
    return int(stamp * 1000 if stamp >= 1e11 else stamp * 1_000_000)
