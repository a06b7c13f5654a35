"""State of one asset as bytes: what the tables and their changelogs hold.

Every value begins with its format and a source offset, so that a reader can tell newer from older without knowing more;
then come the hash of its layout and, as JSON, what else is to be known of it. The marker entry of a partition lists the
layouts in use by name, so a state that another release wrote is read by name: what is gone is dropped, what is new
starts empty and tells since when it counts.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from schemas.asset import AssetSpec
from schemas.control import EndOfUpload
from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.domain import since as sinces
from stream_app.domain.errors import CorruptStateError, UnknownFormatError
from stream_app.domain.lines import LEVELS, Integers
from stream_app.domain.since import Since
from stream_app.domain.state import Ended, Fleet
from stream_app.domain.stored_asset import StoredAsset, late
from stream_app.domain.stored_layout import HASH_BYTES, Layouts, SectionNames, StoredLayout
from stream_app.domain.stored_rows import StoredRows, bytes_of, little, read_rows
from stream_app.domain.value_reader import LENGTH, ValueReader, reading
from stream_app.domain.views import Windows

FORMAT = 2
HEADER = struct.Struct(">Bq")
_HEAD = struct.Struct(f"{HEADER.format}{HASH_BYTES}s{LENGTH.format[1:]}")  # what all values begin with


def header(value: bytes) -> int:
    """Source offset of a stored value; UnknownFormatError if another format wrote it."""
    if len(value) < HEADER.size:
        msg = f"stored state of {len(value)} bytes is shorter than its header"
        raise CorruptStateError(msg)
    format_, offset = HEADER.unpack_from(value)
    if format_ != FORMAT:
        raise UnknownFormatError(format_, FORMAT)
    return int(offset)


#: Beside the layouts' hashes in a marker.
_HELD_FROM = "held_from"


@dataclass(frozen=True, slots=True)
class Marker:
    """A partition's position (next source offset) and the layouts of its states.

    ``held_from``: of assets whose states are as of this offset or a later one, updates may not be published yet.
    """

    position: int
    layouts: Layouts
    held_from: int | None = None

    def dump(self) -> bytes:
        """As bytes."""
        held = {} if self.held_from is None else {_HELD_FROM: self.held_from}
        return HEADER.pack(FORMAT, self.position) + json.dumps({**self.layouts, **held}, sort_keys=True).encode()

    @classmethod
    def load(cls, value: bytes) -> Marker:
        """From bytes."""
        position = header(value)
        with reading("a partition's marker"):
            layouts = json.loads(value[HEADER.size :])
            held_from = layouts.pop(_HELD_FROM, None)
            for sections in layouts.values():
                StoredLayout(sections)
            return cls(position, layouts, None if held_from is None else int(held_from))


class Snapshots:
    """Writes and reads states of a fleet's assets, and totals of closed windows."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._layout = StoredLayout.of(fleet.catalogue)

    @property
    def layouts(self) -> Mapping[str, SectionNames]:
        """The layout that is written, by its hash: what the partition's marker must list."""
        return {self._layout.hash.hex(): self._layout.sections}

    def dump_all(self, slots: IntArray) -> list[bytes]:
        """State of each of the assets."""
        fleet = self._fleet
        integers, floats = little(fleet.integers.array), little(fleet.floats.array)
        integers_bytes, floats_bytes = bytes_of(integers), bytes_of(floats)
        line, rest = floats.shape[1], fleet.floats.rest
        levels = np.count_nonzero(fleet.integers.size_us[slots], axis=1)
        offsets = fleet.integers.applied_offset[slots].tolist()
        stacked, at = bytes_of(little(fleet.stacks.all(slots))), 0
        lengths = map(tuple, fleet.stacks.lengths[slots].tolist())
        values = []
        for slot, applied, level_count, (shape, rows), tails in zip(
            slots.tolist(), offsets, levels.tolist(), StoredRows(fleet, slots), lengths, strict=True
        ):
            stacks, at = slice(at, at + 8 * sum(tails)), at + 8 * sum(tails)
            sizes = level_count, slot in fleet.own_sizes
            text = _about(fleet.spec_json[slot], *sizes, *shape, fleet.catalogue.columns, tails)
            if slot in fleet.ended:
                text = _with_ended(text, fleet.ended[slot])
            if slot in fleet.since:
                text = _with_since(text, fleet.since[slot])
            first, begin = 8 * Integers.WIDTH * slot, line * slot
            values.append(
                b"".join(
                    (
                        _HEAD.pack(FORMAT, applied, self._layout.hash, len(text)),
                        text,
                        integers_bytes[first : first + 8 * Integers.used(level_count)],
                        floats_bytes[8 * begin : 8 * (begin + fleet.floats.used(level_count))],
                        floats_bytes[8 * (begin + rest) : 8 * (begin + line)],
                        *rows,
                        stacked[stacks],
                    )
                )
            )
        return values

    def load(self, asset_id: str, value: bytes, layouts: Layouts) -> int:
        """Put a stored asset into the fleet and return its slot; CorruptStateError: it cannot be read."""
        header(value)
        fleet = self._fleet
        with reading(f"the state of asset {asset_id!r}"):
            asset = self._read(value, layouts)
        slot = fleet.slot(asset_id)
        fleet.integers.array[slot] = asset.integers
        fleet.floats.array[slot, : fleet.floats.rest] = asset.totals.reshape(-1)
        fleet.floats.array[slot, fleet.floats.rest :] = asset.rest
        fleet.pending.set(np.array([slot]), np.array([len(asset.waiting)]), asset.waiting)
        states = fleet.catalogue.sequential_states
        fleet.stacks.set(slot, [asset.tails.get(type(state), np.zeros(0)) for state in states])
        fleet.set_spec(slot, asset.spec)
        if asset.own_sizes:
            fleet.own_sizes.add(slot)
        if asset.ended is not None:
            fleet.ended[slot] = asset.ended
        if asset.since:
            fleet.since[slot] = asset.since
        return slot

    def _read(self, value: bytes, layouts: Layouts) -> StoredAsset:
        fleet, own = self._fleet, self._layout
        reader = ValueReader(value, HEADER.size)
        stored = own.found(reader.take(HASH_BYTES), layouts)
        about = reader.json()
        levels, blank = int(about["levels"]), fleet.integers.blank
        names = len(Integers.NAMES)
        integers = blank.copy()
        integers[:names] = own.integers.take(stored.integers, reader.integers(stored.integers.width), blank[:names])
        of_levels = reader.integers(levels * stored.level.width).reshape(levels, stored.level.width)
        kept = own.level.take(stored.level, of_levels, blank[names : Integers.used(1)])[:LEVELS]
        integers[names : Integers.used(len(kept))] = kept.reshape(-1)
        totals = np.repeat(fleet.catalogue.layout.empty(1).T, 1 + LEVELS, axis=0)
        panes = reader.floats((1 + levels) * stored.pane.width).reshape(1 + levels, stored.pane.width)
        totals[: 1 + len(kept)] = own.pane.take(stored.pane, panes, totals[0])[: 1 + LEVELS]
        rest = self._read_rest(reader, stored, integers)
        waiting = read_rows(reader, int(about["waiting"]), about["columns"], fleet.catalogue.columns)
        of_state = {state.key(): type(state) for state in fleet.catalogue.sequential_states}
        tails = {}
        for name, key, length in zip(stored.sequential.names, stored.sequential.keys(), about["tails"], strict=True):
            tail = reader.floats(length)
            if name in own.sequential.at:
                tails[of_state[key]] = tail
        reader.end()
        ended = about.get("ended")
        asset = StoredAsset(
            integers=integers,
            totals=totals,
            rest=rest,
            waiting=waiting,
            tails=tails,
            spec=AssetSpec.model_validate(about["spec"]),
            own_sizes=bool(about["own_sizes"]),
            ended=None if ended is None else Ended(EndOfUpload.model_validate(ended["control"]), ended["timestamp_ms"]),
            since=sinces.load(about.get("since", ()), own.keys),
        )
        asset.follow(fleet.default_sizes_s, fleet.catalogue, own.keys)
        asset.mark_late(own.keys - stored.keys, fleet.catalogue)
        return asset

    def _read_rest(self, reader: ValueReader, stored: StoredLayout, integers: IntArray) -> FloatArray:
        """Carry, history and sequential states. A history of another kind starts empty, and so does its count."""
        own, blank = self._layout, self._fleet.floats.blank[self._fleet.floats.rest :]
        parts, at = [], 0
        for mine, its in (
            (own.carry, stored.carry),
            (own.history, stored.history),
            (own.sequential, stored.sequential),
        ):
            parts.append(mine.take(its, reader.floats(its.width), blank[at : at + mine.width]))
            at += mine.width
        if own.history.names != stored.history.names:
            parts[1] = blank[own.carry.width : own.carry.width + own.history.width]
            integers[Integers.NAMES.index("step_count")] = 0
        return np.concatenate(parts)

    def dump_windows(self, windows: Windows, index: IntArray) -> list[bytes]:
        """Closed windows at the given positions, each with the spec that was in force."""
        totals = bytes_of(little(windows.totals[index]))
        size, layout = 8 * windows.totals.shape[1], self._layout.hash
        values = []
        for at, (i, seq) in enumerate(zip(index.tolist(), windows.seq[index].tolist(), strict=True)):
            text = b'{"spec":%b}' % windows.spec_json[i]
            if i in windows.since:
                text = _with_since(text, {sinces.LIFE: windows.since[i]})
            values.append(
                b"".join((_HEAD.pack(FORMAT, seq, layout, len(text)), text, totals[size * at : size * (at + 1)]))
            )
        return values

    def load_window(self, value: bytes, slot: int, size_us: int, start_us: int, layouts: Layouts) -> Windows:
        """Read a stored window of an asset, which takes the spec that was in force; CorruptStateError: it cannot be."""
        seq, catalogue, own = header(value), self._fleet.catalogue, self._layout
        with reading(f"a closed window of asset {self._fleet.ids[slot]!r}"):
            reader = ValueReader(value, HEADER.size)
            stored = own.found(reader.take(HASH_BYTES), layouts)
            about = reader.json()
            spec = AssetSpec.model_validate(about["spec"])
            totals = own.pane.take(stored.pane, reader.floats(stored.pane.width), catalogue.layout.empty(1)[:, 0])
            reader.end()
            since = sinces.load(about.get("since", ()), own.keys).get(sinces.LIFE, ())
        since += late(own.keys - stored.keys, start_us + size_us, totals, catalogue)
        self._fleet.set_spec(slot, spec)
        window = Windows.of(
            self._fleet,
            slot=np.array([slot]),
            size_us=np.array([size_us]),
            start_us=np.array([start_us]),
            seq=np.array([seq]),
            totals=totals[None],
        )
        return replace(window, since={0: since} if since else {})


@lru_cache(maxsize=1 << 14)  # most assets have one of few such texts
def _about(
    spec_json: bytes,
    levels: int,
    own_sizes: bool,
    waiting: int,
    measured: int,
    columns: tuple[str, ...],
    tails: tuple[int, ...],
) -> bytes:
    about = {
        "levels": levels,
        "own_sizes": own_sizes,
        "waiting": waiting,
        "columns": [name for i, name in enumerate(columns) if measured >> i & 1],
        "tails": tails,
    }
    return b'{"spec":%b,' % spec_json + json.dumps(about, separators=(",", ":")).encode()[1:]


def _with_ended(about: bytes, ended: Ended) -> bytes:
    return _with(about, {"ended": {"control": ended.control.model_dump(), "timestamp_ms": ended.timestamp_ms}})


def _with_since(about: bytes, since: Mapping[sinces.Window, tuple[Since, ...]]) -> bytes:
    return _with(about, {"since": sinces.dump(since)})


def _with(about: bytes, more: object) -> bytes:
    return about[:-1] + b"," + json.dumps(more, separators=(",", ":")).encode()[1:]
