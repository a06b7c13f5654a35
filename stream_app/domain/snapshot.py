"""State of one asset as bytes: what the tables and their changelogs hold.

Every value begins with its format and a source offset, so that a reader can tell newer from older without knowing more;
then come the hash of its layout and, as JSON, what else is to be known of it. The marker entry of a partition lists the
layouts in use by name, so a state that another release wrote is read by name: what is gone is dropped, what is new
starts empty and tells since when it counts.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from schemas.asset import AssetSpec
from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.domain import since as sinces
from stream_app.domain.asset_counts import AssetCounts
from stream_app.domain.errors import CorruptStateError, UnknownFormatError
from stream_app.domain.lines import LEVEL_STRIDE, LEVELS, SIZE_US, Integers
from stream_app.domain.since import Sinces, late
from stream_app.domain.source import Source
from stream_app.domain.state import DEFAULT_SPEC, Ended, Fleet
from stream_app.domain.stored_about import read_about, read_window
from stream_app.domain.stored_asset import StoredAsset
from stream_app.domain.stored_block import Copied, StoredBlock
from stream_app.domain.stored_layout import HASH_BYTES, Layouts, SectionNames, StoredLayout
from stream_app.domain.value_reader import ValueReader, read_rows, reading
from stream_app.domain.views import Windows

FORMAT = 2
HEADER = struct.Struct(">Bq")


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
_HELD_FROM, _SOURCE, _SHIFT, _RESETTING, _ASSETS = "held_from", "source", "shift", "resetting", "assets"


@dataclass(frozen=True, slots=True)
class Marker:
    """A partition's position and the layouts of its states.

    Parameters
    ----------
    position
        Next offset of the source topic.
    held_from
        Of assets whose states are as of this ``seq`` or a later one, updates may not be published yet.
    source
        The topic; None in a marker of a release that did not note it.
    shift
        ``seq`` of a state is the offset of its last row plus this. It is 0 until the state goes on with another log,
        or anew: offsets begin again then, and ``seq`` must not.
    resetting
        The states are being deleted: what is left of them is not to be used.
    assets
        How many there are; None in a marker of a release that did not count them.
    """

    position: int
    layouts: Layouts
    held_from: int | None = None
    source: Source | None = None
    shift: int = 0
    resetting: bool = False
    assets: AssetCounts | None = None

    def dump(self) -> bytes:
        """As bytes."""
        more: dict[str, object] = {}
        if self.held_from is not None:
            more[_HELD_FROM] = self.held_from
        if self.source is not None:
            more[_SOURCE] = [self.source.topic, self.source.topic_id]
        if self.shift:
            more[_SHIFT] = self.shift
        if self.resetting:
            more[_RESETTING] = True
        if self.assets is not None:
            more[_ASSETS] = self.assets
        text = json.dumps({**self.layouts, **more}, sort_keys=True)
        return HEADER.pack(FORMAT, self.position + self.shift) + text.encode()

    @classmethod
    @lru_cache(maxsize=128)  # a look-up reads its partition's
    def load(cls, value: bytes) -> Marker:
        """From bytes."""
        seq = header(value)
        with reading("a partition's marker"):
            layouts = json.loads(value[HEADER.size :])
            held_from, source = layouts.pop(_HELD_FROM, None), layouts.pop(_SOURCE, None)
            shift, resetting = int(layouts.pop(_SHIFT, 0)), bool(layouts.pop(_RESETTING, False))
            in_all, new = layouts.pop(_ASSETS, (None, ()))
            for sections in layouts.values():
                StoredLayout(sections)
            return cls(
                seq - shift,
                layouts,
                None if held_from is None else int(held_from),
                None if source is None else Source(*source),
                shift,
                resetting,
                None if in_all is None else AssetCounts(int(in_all), tuple((int(m), int(n)) for m, n in new)),
            )


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an asset is: its rows, waiting ones too, and the newest stamp [us] (NEVER before the first row)."""

    rows: int
    last_us: int


class Snapshots:
    """Writes and reads states of a fleet's assets, and totals of closed windows."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._layout = StoredLayout.of(fleet.catalogue)
        self._block = StoredBlock(fleet, FORMAT, self._layout)

    @property
    def layouts(self) -> Mapping[str, SectionNames]:
        """The layout that is written, by its hash: what the partition's marker must list."""
        return {self._layout.hash.hex(): self._layout.sections}

    def dump_all(self, slots: IntArray) -> list[bytes]:
        """State of each of the assets."""
        return self._block.dump(slots)

    def load(self, asset_id: str, value: bytes, layouts: Layouts) -> int:
        """Put a stored asset into the fleet and return its slot; CorruptStateError: it cannot be read."""
        return int(self.load_all([asset_id], [value], layouts)[0])

    def load_all(self, asset_ids: Sequence[str], values: Sequence[bytes], layouts: Layouts) -> IntArray:
        """Put stored assets, all different, into the fleet and return their slots.

        CorruptStateError: one of them cannot be read, and none is put.
        """
        fleet = self._fleet
        copied, made = list[Copied](), dict[int, StoredAsset]()
        for i, (asset_id, value) in enumerate(zip(asset_ids, values, strict=True)):
            header(value)
            with reading(f"the state of asset {asset_id!r}"):
                found = self._block.found(i, value)
                if found is None:
                    made[i] = self._read(value, layouts)
                else:
                    copied.append(found)
        fleet.add([asset_id for asset_id in asset_ids if asset_id not in fleet.slots])
        slots = np.array([fleet.slots[asset_id] for asset_id in asset_ids], np.int64)
        for i, asset in made.items():
            self._put(int(slots[i]), asset)
        self._block.load(slots, values, copied)
        for one in copied:
            about, keys = one.about, self._layout.keys
            self._tell(int(slots[one.index]), about.spec, about.own_sizes, about.end(), about.sinces(keys))
        return slots

    def _put(self, slot: int, asset: StoredAsset) -> None:
        """Put an asset that was brought into this layout."""
        fleet = self._fleet
        fleet.integers.array[slot] = asset.integers
        fleet.widen(int(np.count_nonzero(asset.integers[SIZE_US::LEVEL_STRIDE])))
        fleet.floats.array[slot, : fleet.floats.rest] = asset.rest
        fleet.floats.array[slot, fleet.floats.rest :] = asset.totals[: 1 + fleet.floats.levels].reshape(-1)
        fleet.pending.set(np.array([slot]), np.array([len(asset.waiting)]), asset.waiting)
        states = fleet.catalogue.sequential_states
        fleet.stacks.set(slot, [asset.tails.get(type(state), np.zeros(0)) for state in states])
        self._tell(slot, asset.spec, asset.own_sizes, asset.ended, asset.since)

    def _tell(self, slot: int, spec: AssetSpec, own_sizes: bool, ended: Ended | None, since: Sinces) -> None:
        """Take down what is known of an asset beside its numbers."""
        fleet = self._fleet
        is_default = spec is DEFAULT_SPEC and fleet.spec[slot] is DEFAULT_SPEC
        if not is_default:  # the same spec may state what its older state lacks
            fleet.set_spec(slot, spec)
        if own_sizes:
            fleet.own_sizes.add(slot)
        if ended is not None:
            fleet.ended[slot] = ended
        if since:
            fleet.since[slot] = since

    def progress(self, asset_id: str, value: bytes, layouts: Layouts) -> Progress:
        """Read of a stored asset only how far it is; CorruptStateError: it cannot be read so far."""
        header(value)
        catalogue = self._fleet.catalogue
        with reading(f"the state of asset {asset_id!r}"):
            reader = ValueReader(value, HEADER.size)
            stored = self._layout.found(reader.take(HASH_BYTES), layouts)
            about = read_about(reader.text())
            integers = reader.integers(stored.integers.width)
            (last_us,) = integers[stored.integers.at["last_us"]].tolist()
            reader.integers(about.levels * stored.level.width)
            # The lifetime is but for the open smallest window, which follows if there is one.
            panes = reader.floats(min(1 + about.levels, 2) * stored.pane.width).reshape(-1, stored.pane.width)
            rows_at = stored.pane.at.get(catalogue.layout.names[catalogue.rows_at], slice(0))
            return Progress(int(panes[:, rows_at].sum()) + about.waiting, last_us)

    def _read(self, value: bytes, layouts: Layouts) -> StoredAsset:
        fleet, own = self._fleet, self._layout
        reader = ValueReader(value, HEADER.size)
        stored = own.found(reader.take(HASH_BYTES), layouts)
        about = read_about(reader.text())
        levels, blank = about.levels, fleet.integers.blank
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
        waiting = read_rows(reader, about.waiting, about.columns, fleet.catalogue.columns)
        of_state = {state.key(): type(state) for state in fleet.catalogue.sequential_states}
        tails = {}
        for name, key, length in zip(stored.sequential.names, stored.sequential.keys(), about.tails, strict=True):
            tail = reader.floats(length)
            if name in own.sequential.at:
                tails[of_state[key]] = tail
        reader.end()
        asset = StoredAsset(
            integers=integers,
            totals=totals,
            rest=rest,
            waiting=waiting,
            tails=tails,
            spec=about.spec,
            own_sizes=about.own_sizes,
            ended=about.end(),
            since=about.sinces(own.keys),
        )
        asset.follow(fleet.default_sizes_s, fleet.catalogue, own.keys)
        asset.mark_late(own.keys - stored.keys, fleet.catalogue)
        return asset

    def _read_rest(self, reader: ValueReader, stored: StoredLayout, integers: IntArray) -> FloatArray:
        """Carry, history and sequential states. A history of another kind starts empty, and so does its count."""
        own, blank = self._layout, self._fleet.floats.blank
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
        return self._block.dump_windows(windows, index)

    def load_window(self, value: bytes, slot: int, size_us: int, start_us: int, layouts: Layouts) -> Windows:
        """Read a stored window of an asset, which takes the spec that was in force; CorruptStateError: it cannot be."""
        seq, catalogue, own = header(value), self._fleet.catalogue, self._layout
        with reading(f"a closed window of asset {self._fleet.ids[slot]!r}"):
            reader = ValueReader(value, HEADER.size)
            stored = own.found(reader.take(HASH_BYTES), layouts)
            spec, stored_since = read_window(reader.text())
            totals = own.pane.take(stored.pane, reader.floats(stored.pane.width), catalogue.layout.empty(1)[:, 0])
            reader.end()
            since = sinces.load(stored_since, own.keys).get(sinces.LIFE, ())
        since += late(own.keys - stored.keys, start_us + size_us, totals, catalogue)
        if self._fleet.spec[slot] != spec:
            self._fleet.read_by(slot, spec)
        window = Windows.of(
            self._fleet,
            slot=np.array([slot]),
            size_us=np.array([size_us]),
            start_us=np.array([start_us]),
            seq=np.array([seq]),
            totals=totals[None],
        )
        return replace(window, since={0: since} if since else {})
