"""Expected results, computed from the measurements topic by plain code that shares nothing with the processor."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pyarrow as pa
from pyarrow import ipc

from tests.chaos.asset_truth import AssetTruth
from tests.oracle.arrival import HOUR_US, Arrivals

Rejects = dict[tuple[int, int, str], frozenset[int] | None]  # (partition, offset, code) -> rows of the message or all

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
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


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
        if asset_id not in self.assets:
            self.assets[asset_id] = AssetTruth(record.partition, asset_id, arrivals=Arrivals(self.lateness_s))
        return self.assets[asset_id]

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
        if asset.ended is not None:
            return "late"
        asset.seq = record.offset
        if not asset.uploaded and record.timestamp > 1.2e12 and fields["time_us"] > record.timestamp * 1000 + HOUR_US:
            asset.late += 1
            return "implausible_time"
        sent = fields | {"offset": record.offset}
        refused = asset.take(sent)
        for leap in refused:
            if leap is not sent:
                self.rejects[record.partition, leap["offset"], "implausible_time"] = None
        return "late" if any(each is sent for each in refused) else None

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
            asset.end(content)
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
