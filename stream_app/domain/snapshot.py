"""State of one asset as bytes: what the tables and their changelogs hold.

Every value begins with its format and a source offset, so that a reader can tell newer from older without knowing more.
Numbers are stored by layout: the names of all fields, hashed. A marker entry per partition lists the layouts in use, so
a state that another version wrote is read by name: fields that are gone are dropped, new ones start empty.
"""

from __future__ import annotations

import hashlib
import json
import struct
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from schemas.asset import AssetSpec
from schemas.control import EndOfUpload
from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.domain.errors import CorruptStateError, UnknownFormatError
from stream_app.domain.pending import TimedColumns
from stream_app.domain.rows import COLUMNS
from stream_app.domain.state import APPLIED, INTS, SIZE_US, Ended, Fleet
from stream_app.domain.views import Windows

FORMAT = 1
HEADER = struct.Struct(">Bq")
_LENGTH = struct.Struct(">I")
_LAYOUT_BYTES = 8
_HEAD = struct.Struct(f"{HEADER.format}{_LAYOUT_BYTES}s{_LENGTH.format[1:]}")  # what all values begin with

Layouts = Mapping[str, list[str]]


def header(value: bytes) -> int:
    """Source offset of a stored value; UnknownFormatError if a newer version wrote it."""
    if len(value) < HEADER.size:
        msg = f"stored state of {len(value)} bytes is shorter than its header"
        raise CorruptStateError(msg)
    format_, offset = HEADER.unpack_from(value)
    if format_ > FORMAT:
        raise UnknownFormatError(format_, FORMAT)
    return int(offset)


@dataclass(frozen=True, slots=True)
class Marker:
    """A partition's position (next source offset) and the layouts of its states."""

    position: int
    layouts: Layouts

    def dump(self) -> bytes:
        """As bytes."""
        return HEADER.pack(FORMAT, self.position) + json.dumps(self.layouts, sort_keys=True).encode()

    @classmethod
    def load(cls, value: bytes) -> Marker:
        """From bytes."""
        return cls(header(value), json.loads(value[HEADER.size :]))


class Snapshots:
    """Writes and reads states of a fleet's assets, and totals of closed windows."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        names = list(fleet.catalogue.layout.names)
        memories = [f"{m.name}@{m.version}#{m.width}" for m in fleet.catalogue.memories]
        self.names = [*names, "|", *memories]
        self.layout = hashlib.sha256("\n".join(self.names).encode()).hexdigest()[: 2 * _LAYOUT_BYTES]
        self._layout_bytes = bytes.fromhex(self.layout)

    def dump(self, code: int) -> bytes:
        """State of one asset."""
        return self.dump_all(np.array([code]))[0]

    def dump_all(self, codes: IntArray) -> list[bytes]:
        """State of each of the assets."""
        fleet = self._fleet
        ints, floats = _little(fleet.ints), _little(fleet.floats)
        ints_bytes, floats_bytes = _bytes_of(ints), _bytes_of(floats)
        line, carry = floats.shape[1], fleet.carry.start
        waiting = _Waiting(fleet, codes)
        levels = np.count_nonzero(ints[codes, SIZE_US], axis=1)
        values = []
        for code, applied, level_count, (shape, waiting_parts) in zip(
            codes.tolist(), ints[codes, APPLIED].tolist(), levels.tolist(), waiting, strict=True
        ):
            tails = [_little(tails[code]).data for tails in fleet.tails.values()]
            text = _about(fleet.spec_json[code], level_count, *shape, tuple(map(len, tails)))
            if code in fleet.ended:
                text = _with_ended(text, fleet.ended[code])
            begin = code * line
            values.append(
                b"".join(
                    (
                        _HEAD.pack(FORMAT, applied, self._layout_bytes, len(text)),
                        text,
                        ints_bytes[8 * INTS * code : 8 * INTS * (code + 1)],
                        floats_bytes[8 * begin : 8 * (begin + fleet.level[level_count - 1].stop)],
                        floats_bytes[8 * (begin + carry) : 8 * (begin + line)],
                        *waiting_parts,
                        *tails,
                    )
                )
            )
        return values

    def load(self, asset_id: str, value: bytes, layouts: Layouts) -> int:
        """Put a stored asset into the fleet and return its line."""
        header(value)
        fleet = self._fleet
        code = fleet.code(asset_id)
        reader = _Reader(value, HEADER.size)
        names = self._names(reader.take(_LAYOUT_BYTES).hex(), layouts)
        about = json.loads(reader.take(_LENGTH.unpack(reader.take(_LENGTH.size))[0]))
        fleet.ints[code] = reader.numbers("<i8", INTS)
        stored = _Stored(names)
        own = _Stored(self.names)
        blank = fleet.floats[code].copy()
        for part in (fleet.life, *fleet.level[: about["levels"]]):
            fleet.floats[code, part] = own.fields_from(stored, reader.numbers("<f8", stored.width), blank[part])
        fixed = slice(fleet.carry.start, fleet.period.stop)
        fleet.floats[code, fixed] = reader.numbers("<f8", fixed.stop - fixed.start)
        for memory, width in stored.memories.items():
            numbers = reader.numbers("<f8", width)
            for own_memory in fleet.catalogue.memories:
                if f"{own_memory.name}@{own_memory.version}" == memory and own_memory.width == width:
                    fleet.floats[code, fleet.memory[type(own_memory)]] = numbers
        self._load_waiting(code, about, reader)
        known = {f"{m.name}@{m.version}": type(m) for m in fleet.catalogue.memories}
        for memory, length in zip(stored.memories, about["tails"], strict=True):
            tail = reader.numbers("<f8", length)
            if memory in known:
                fleet.tails[known[memory]][code] = tail
        fleet.set_spec(code, AssetSpec.model_validate_json(about["spec"]))
        if "ended" in about:
            ended = about["ended"]
            fleet.ended[code] = Ended(EndOfUpload.model_validate(ended["control"]), ended["timestamp_ms"])
        return code

    def _load_waiting(self, code: int, about: dict[str, object], reader: _Reader) -> None:
        count, columns = int(str(about["waiting"])), about["columns"]
        time_us, offset = reader.numbers("<i8", count), reader.numbers("<i8", count)
        values = np.full((len(COLUMNS), count), np.nan)
        for name in columns if isinstance(columns, list) else ():
            values[COLUMNS.index(name)] = reader.numbers("<f8", count)
        self._fleet.pending.set(np.array([code]), np.array([count]), TimedColumns(time_us, offset, values))

    def dump_window(self, windows: Windows, i: int) -> bytes:
        """Closed window ``i``, with the spec that was in force."""
        return self.dump_windows(windows, np.array([i]))[0]

    def dump_windows(self, windows: Windows, index: IntArray) -> list[bytes]:
        """Closed windows at the given positions, each with the spec that was in force."""
        totals = _bytes_of(_little(windows.totals[:, index].T))
        size, layout = 8 * len(windows.totals), self._layout_bytes
        specs = [windows.spec_json[i] for i in index.tolist()]
        return [
            b"".join((_HEAD.pack(FORMAT, seq, layout, len(spec)), spec, totals[at : at + size]))
            for spec, seq, at in zip(specs, windows.seq[index].tolist(), range(0, size * len(specs), size), strict=True)
        ]

    def load_window(self, value: bytes, code: int, size_us: int, start_us: int, layouts: Layouts) -> Windows:
        """Read a stored window of asset ``code``, which takes the spec that was in force."""
        seq = header(value)
        reader = _Reader(value, HEADER.size)
        stored = _Stored(self._names(reader.take(_LAYOUT_BYTES).hex(), layouts))
        spec = reader.take(_LENGTH.unpack(reader.take(_LENGTH.size))[0])
        self._fleet.set_spec(code, AssetSpec.model_validate_json(spec))
        blank = self._fleet.catalogue.layout.empty(1)[:, 0]
        totals = _Stored(self.names).fields_from(stored, reader.numbers("<f8", stored.width), blank)
        return Windows.of(
            self._fleet,
            code=np.array([code]),
            size_us=np.array([size_us]),
            start_us=np.array([start_us]),
            seq=np.array([seq]),
            totals=totals[:, None],
        )

    def _names(self, layout: str, layouts: Layouts) -> list[str]:
        if layout == self.layout:
            return self.names
        if layout not in layouts:
            msg = f"stored state has layout {layout}, which its partition's marker does not list"
            raise CorruptStateError(msg)
        return layouts[layout]


class _Waiting:
    """Waiting rows of assets: for each asset their count and columns (as bits), and what is stored of them."""

    def __init__(self, fleet: Fleet, codes: IntArray) -> None:
        self._count = fleet.pending.count(codes)
        self._rows = fleet.pending.get(codes)
        owner = np.repeat(np.arange(len(codes)), self._count)
        there = ~np.isnan(self._rows.values)
        #: Columns that any of an asset's rows has: those are stored, with all of its rows.
        self._measured = np.array([np.bincount(owner[has], minlength=len(codes)) > 0 for has in there])
        column, row = np.nonzero(self._measured[:, owner])
        by_asset = np.argsort(owner[row], kind="stable")
        self._values = self._rows.values[column[by_asset], row[by_asset]]

    def __iter__(self) -> Iterator[tuple[tuple[int, int], tuple[memoryview, ...]]]:
        times, offsets = _bytes_of(_little(self._rows.time_us)), _bytes_of(_little(self._rows.offset))
        values = _bytes_of(_little(self._values))
        bits = (self._measured << np.arange(len(COLUMNS))[:, None]).sum(axis=0).tolist()
        sizes = (8 * self._count * self._measured.sum(axis=0)).tolist()
        row = value = 0
        for count, columns, size in zip(self._count.tolist(), bits, sizes, strict=True):
            rows = slice(row, row + 8 * count)
            yield (count, columns), (times[rows], offsets[rows], values[value : value + size])
            row, value = rows.stop, value + size


@lru_cache(maxsize=1 << 14)  # most assets have one of few such texts
def _about(spec_json: bytes, levels: int, waiting: int, columns: int, tails: tuple[int, ...]) -> bytes:
    about = {
        "spec": spec_json.decode(),
        "levels": levels,
        "waiting": waiting,
        "columns": [name for i, name in enumerate(COLUMNS) if columns >> i & 1],
        "tails": tails,
    }
    return json.dumps(about, separators=(",", ":")).encode()


def _with_ended(about: bytes, ended: Ended) -> bytes:
    text = json.dumps(
        {"ended": {"control": ended.control.model_dump(), "timestamp_ms": ended.timestamp_ms}}, separators=(",", ":")
    )
    return about[:-1] + b"," + text.encode()[1:]


def _little(numbers: np.ndarray) -> np.ndarray:
    """Numbers in the order of bytes and lines in which they are stored; most machines have them so."""
    if sys.byteorder == "little" and numbers.flags.c_contiguous:
        return numbers
    return np.ascontiguousarray(numbers, numbers.dtype.newbyteorder("<"))


def _bytes_of(numbers: np.ndarray) -> memoryview:
    return numbers.reshape(-1).view(np.uint8).data


class _Stored:
    """Where the fields and memories of a layout stand in its vectors."""

    def __init__(self, names: list[str]) -> None:
        bar = names.index("|")
        self.at: dict[str, slice] = {}
        self.width = 0
        for name in names[:bar]:
            width = int(name.rpartition("#")[2])
            self.at[name] = slice(self.width, self.width + width)
            self.width += width
        self.memories = {name.rpartition("#")[0]: int(name.rpartition("#")[2]) for name in names[bar + 1 :]}
        self._same = tuple(names[:bar])

    def fields_from(self, stored: _Stored, numbers: FloatArray, blank: FloatArray) -> FloatArray:
        """Bring stored fields into this layout."""
        if stored._same == self._same:
            return numbers
        out = blank.copy()
        for name, at in self.at.items():
            if name in stored.at:
                out[at] = numbers[stored.at[name]]
        return out


class _Reader:
    def __init__(self, value: bytes, at: int) -> None:
        self._value, self._at = value, at

    def take(self, size: int) -> bytes:
        part = self._value[self._at : self._at + size]
        if len(part) != size:
            msg = f"stored state ends {size - len(part)} bytes too early"
            raise CorruptStateError(msg)
        self._at += size
        return part

    def numbers(self, kind: str, count: int) -> np.ndarray:
        return np.frombuffer(self.take(8 * count), kind).astype(kind[1:])
