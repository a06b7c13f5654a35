"""State of a partition's assets as arrays: one line per asset, so that any number of them is handled in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from schemas.asset import AssetSpec, Duplicates
from schemas.control import EndOfUpload
from stream_app.columns.arrays import IntArray
from stream_app.domain.admission import MAX_AHEAD_S, Admission
from stream_app.domain.catalogue import Catalogue
from stream_app.domain.lines import LEVELS, NEVER, UNOPENED, Floats, Integers
from stream_app.domain.pending import PendingRows
from stream_app.domain.sequential import SequentialState
from stream_app.domain.since import LIFE, Sinces, late
from stream_app.domain.specs import AssetSpecs
from stream_app.domain.stacks import Stacks
from stream_app.domain.workspace import Workspace

DEFAULT_SPEC = AssetSpec()
_DEFAULT_SPEC_JSON = b"{}"


@dataclass(frozen=True, slots=True)
class Ended:
    """The asset was an upload, and this is how it ended."""

    control: EndOfUpload
    timestamp_ms: int


class Fleet:
    """The assets of one source partition, each in a slot of its own.

    Room grows fourfold as assets come; what is not used takes no memory.

    Parameters
    ----------
    catalogue
        The metrics.
    window_sizes_s
        Window sizes of an asset whose spec names none [s], ascending. Empty: stored assets keep theirs.
    lateness_s
        How far behind its asset's newest stamp a row may be [s]: so long rows wait, to be put in order. None: each
        asset's own order teaches it.
    max_ahead_s
        How far a stamp may be ahead of its record's Kafka time [s], where the spec is silent.
    duplicates
        Whether a row that repeats a waiting one counts, where the spec is silent.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        window_sizes_s: tuple[int, ...],
        lateness_s: float | None = 0,
        *,
        max_ahead_s: float = MAX_AHEAD_S,
        duplicates: Duplicates = "count",
    ) -> None:
        self.catalogue = catalogue
        self.admission = Admission(lateness_s, max_ahead_s, duplicates)
        self.default_sizes_s = window_sizes_s
        states = catalogue.sequential_states
        self.integers = Integers()
        self.floats = Floats(catalogue.layout, len(catalogue.carried), states, len(window_sizes_s))
        self.ids: list[str] = []
        self.slots: dict[str, int] = {}
        self.spec: list[AssetSpec] = []
        self.spec_json: list[bytes] = []
        self.ended: dict[int, Ended] = {}
        #: Slots whose window sizes a spec has named; the others follow the defaults.
        self.own_sizes: set[int] = set()
        #: What began to count after the asset's rows, by slot and window: almost always nothing.
        self.since: dict[int, Sinces] = {}
        self.stacks = Stacks(len(states))
        self.pending = PendingRows(len(catalogue.columns))
        self.specs = AssetSpecs.of()

    @cached_property
    def workspace(self) -> Workspace:
        """What rows are worked on in."""
        return Workspace(self.catalogue.layout.width, len(self.catalogue.columns), self.catalogue.sequential_states)

    def slot(self, asset_id: str) -> int:
        """Slot of an asset; a new asset gets a blank one."""
        slot = self.slots.get(asset_id)
        return int(self.add([asset_id])[0]) if slot is None else slot

    def add(self, asset_ids: Sequence[str]) -> IntArray:
        """Add assets that are not there yet, all different; returns their slots, which are blank."""
        first = len(self.ids)
        end = first + len(asset_ids)
        if end > len(self.integers.array):
            self._grow(max(4 * first + 64, end))
        self.integers.array[first:end] = self.integers.blank
        self.floats.array[first:end] = self.floats.blank
        self.ids += asset_ids
        self.slots.update(zip(asset_ids, range(first, end), strict=True))
        self.spec += [DEFAULT_SPEC] * len(asset_ids)
        self.spec_json += [_DEFAULT_SPEC_JSON] * len(asset_ids)
        self._put_sizes(slice(first, end), self.default_sizes_s)
        return np.arange(first, end)

    def _grow(self, room: int) -> None:
        self.integers.grow(room, len(self.ids))
        self.floats.grow(room, len(self.ids))
        self.pending.resize(room)
        self.stacks.resize(room)
        self.specs = self.specs.resized(room)
        self.admission.resize(room)

    def widen(self, levels: int) -> None:
        """See to it that assets may have so many window sizes."""
        self.floats.widen(levels, len(self.ids))

    def set_sizes(self, slot: int, sizes_s: tuple[int, ...]) -> None:
        """Set the window sizes that a spec names, of an asset that has no rows yet."""
        self.own_sizes.add(slot)
        self._put_sizes(slot, sizes_s)

    def _put_sizes(self, slots: int | slice, sizes_s: tuple[int, ...]) -> None:
        self.widen(len(sizes_s))
        sizes = np.zeros(LEVELS, np.int64)
        sizes[: len(sizes_s)] = np.array(sizes_s) * 1_000_000
        self.integers.size_us[slots] = sizes
        self.integers.open_number[slots] = UNOPENED

    def set_spec(self, slot: int, spec: AssetSpec) -> None:
        """Replace an asset's spec. What sequential states begin to count by it counts from the newest row on."""
        self.read_by(slot, spec)
        states, stacks, changed = self.catalogue.sequential_states, self.stacks.get(slot), set[str]()
        for at in self._heeding_specs:
            stack = states[at].specified(stacks[at], spec)
            if not np.array_equal(stack, stacks[at], equal_nan=True):
                stacks[at] = stack
                changed.add(states[at].key())
        if changed:
            self.stacks.set(slot, stacks)
            self._begin(slot, frozenset(changed))

    @cached_property
    def _heeding_specs(self) -> list[int]:
        """Sequential states whose stacks follow the spec: few of them, and each stored spec is set when it is read."""
        states = self.catalogue.sequential_states
        return [at for at, each in enumerate(states) if type(each).specified is not SequentialState.specified]

    def _begin(self, slot: int, states: frozenset[str]) -> None:
        """Tell of states that count from here on, if the asset has rows."""
        waiting = self.pending.get(np.array([slot]))
        time_us = int(waiting.time_us.min()) if len(waiting) else int(self.integers.last_us[slot])
        begun = late(states, time_us, self.floats.life[slot] + self.floats.level(0)[slot], self.catalogue)
        if begun:
            sinces = self.since.setdefault(slot, {})
            sinces[LIFE] = (*(since for since in sinces.get(LIFE, ()) if since.fields != states), *begun)

    def read_by(self, slot: int, spec: AssetSpec) -> None:
        """Replace the spec that rows and totals of an asset are read by."""
        self.spec[slot] = spec
        self.spec_json[slot] = spec.model_dump_json(exclude_defaults=True).encode()
        self.specs.put(slot, spec)
        self.admission.put(slot, spec)

    def has_rows(self, slot: int) -> bool:
        """Whether any row of the asset was applied."""
        return bool(self.integers.last_us[slot] != NEVER)

    def remove(self, asset_id: str) -> None:
        """Forget an asset: its slot stays unused until the partition is loaded anew."""
        slot = self.slots.pop(asset_id)
        self.pending.count[slot] = 0
        self.stacks.set(slot, [np.zeros(0)] * len(self.catalogue.sequential_states))
        self.ended.pop(slot, None)
        self.own_sizes.discard(slot)
        self.since.pop(slot, None)
