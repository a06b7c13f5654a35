"""State of a partition's assets as arrays: one line per asset, so that any number of them is handled in one pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from schemas.asset import MAX_WINDOW_SIZES, AssetSpec
from schemas.control import EndOfUpload
from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.domain.catalogue import Catalogue
from stream_app.domain.durations import RING
from stream_app.domain.panes import UNOPENED
from stream_app.domain.pending import PendingRows
from stream_app.domain.samples import CARRY_WIDTH
from stream_app.domain.sequential import Memory
from stream_app.domain.specs import AssetSpecs

LEVELS = MAX_WINDOW_SIZES
#: Columns of the whole numbers.
APPLIED, FIRST_US, LAST_US, WATERMARK_US, LATE, STEPS = range(6)
NUMBER = slice(6, 6 + LEVELS)  # open window of each level
SIZE_US = slice(6 + LEVELS, 6 + 2 * LEVELS)  # its size; 0: no such level
INTS = 6 + 2 * LEVELS
#: Stamps of an asset without rows.
NEVER = np.iinfo(np.int64).min
_DEFAULT_SPEC = AssetSpec()
_DEFAULT_SPEC_JSON = b"{}"


@dataclass(frozen=True, slots=True)
class Ended:
    """The asset was an upload, and this is how it ended."""

    control: EndOfUpload
    timestamp_ms: int


class Fleet:
    """The assets of one source partition.

    ``ints`` is ``(assets, INTS)``, ``floats`` is ``(assets, columns)``: lifetime totals, totals of each level's open
    window, carry, ring of steps, period, memories; ``columns`` tells where. Room doubles as assets come.

    Parameters
    ----------
    catalogue
        The metrics.
    window_sizes_s
        Window sizes of an asset whose spec names none [s], ascending.
    lateness_s
        How far behind its asset's newest stamp a row may be [s]: so long rows wait, to be put in order.
    """

    def __init__(self, catalogue: Catalogue, window_sizes_s: tuple[int, ...], lateness_s: float = 0) -> None:
        self.catalogue = catalogue
        self.lateness_us = round(lateness_s * 1_000_000)
        self._default_sizes_s = window_sizes_s
        width = catalogue.layout.width
        at = 0

        def take(size: int) -> slice:
            nonlocal at
            at += size
            return slice(at - size, at)

        self.life = take(width)
        self.level = [take(width) for _ in range(LEVELS)]
        self.carry = take(CARRY_WIDTH)
        self.ring = take(RING)
        self.period = take(1)
        self.memory = {type(memory): take(memory.width) for memory in catalogue.memories}
        self._blank_floats = np.zeros(at)
        for part in (self.life, *self.level):
            self._blank_floats[part] = catalogue.layout.empty(1)[:, 0]
        self._blank_floats[self.carry] = np.nan
        self._blank_floats[self.period] = np.nan
        for memory in catalogue.memories:
            self._blank_floats[self.memory[type(memory)]] = memory.start()

        self.ids: list[str] = []
        self.codes: dict[str, int] = {}
        self.spec: list[AssetSpec] = []
        self.spec_json: list[bytes] = []
        self.ended: dict[int, Ended] = {}
        self.tails: dict[type[Memory], list[FloatArray]] = {type(memory): [] for memory in catalogue.memories}
        self.pending = PendingRows()
        self.specs = AssetSpecs.of()
        self.ints = np.zeros((0, INTS), np.int64)
        self.floats = np.zeros((0, at))

    def code(self, asset_id: str) -> int:
        """Line of an asset; a new asset gets a blank one."""
        code = self.codes.get(asset_id)
        return self._add(asset_id) if code is None else code

    def _add(self, asset_id: str) -> int:
        code = len(self.ids)
        if code == len(self.ints):
            self._grow(2 * code + 64)
        self.ids.append(asset_id)
        self.codes[asset_id] = code
        self.spec.append(_DEFAULT_SPEC)
        self.spec_json.append(_DEFAULT_SPEC_JSON)
        for tails in self.tails.values():
            tails.append(np.zeros(0))
        self.floats[code] = self._blank_floats
        self.ints[code, : NUMBER.start] = 0
        self.ints[code, [APPLIED, FIRST_US, LAST_US, WATERMARK_US]] = -1, NEVER, NEVER, NEVER
        self.set_sizes(code, self._default_sizes_s)
        return code

    def _grow(self, room: int) -> None:
        grown = room - len(self.ints)
        self.ints = np.vstack([self.ints, np.zeros((grown, INTS), np.int64)])
        self.floats = np.vstack([self.floats, np.zeros((grown, len(self._blank_floats)))])
        self.pending.resize(room)
        self.specs = self.specs.resized(room)

    def set_sizes(self, code: int, sizes_s: tuple[int, ...]) -> None:
        """Set the window sizes of an asset that has no rows yet."""
        sizes = np.zeros(LEVELS, np.int64)
        sizes[: len(sizes_s)] = np.array(sizes_s) * 1_000_000
        self.ints[code, SIZE_US] = sizes
        self.ints[code, NUMBER] = UNOPENED

    def set_spec(self, code: int, spec: AssetSpec) -> None:
        """Replace an asset's spec."""
        self.spec[code] = spec
        self.spec_json[code] = spec.model_dump_json(exclude_defaults=True).encode()
        self.specs.put(code, spec)

    def has_rows(self, code: int) -> bool:
        """Whether any row of the asset was applied."""
        return bool(self.ints[code, LAST_US] != NEVER)

    def remove(self, asset_id: str) -> None:
        """Forget an asset: its line stays unused until the partition is loaded anew."""
        code = self.codes.pop(asset_id)
        none = np.array([code])
        self.pending.set(none, np.zeros(1, np.int64), self.pending.get(none).take(np.zeros(0, np.int64)))
        self.ended.pop(code, None)

    def levels(self, codes: IntArray) -> Iterator[tuple[int, IntArray]]:
        """Levels above the smallest that any of the assets has: its index, and the positions of those assets."""
        for level in range(1, LEVELS):
            position = np.flatnonzero(self.ints[codes, SIZE_US.start + level])
            if len(position):
                yield level, position
