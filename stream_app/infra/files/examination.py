"""What the readings of a file say about its spec: the sign of the current, the scale of the SoC, power beside I x V."""

from __future__ import annotations

from typing import Final

import numpy as np

from schemas.file import FileSpec
from stream_app.columns.arrays import FloatArray
from stream_app.infra.files.block import Block

#: SoC that must have moved before its sign says anything [%].
_SWING: Final = 5.0
_FRACTION: Final = 1.5
_IN_TURN: Final = 0.9
_FEW_SHARE: Final = 0.5
#: Of a long file, readings are compared with each other in the first blocks, and then in every so manieth.
_FIRST_BLOCKS, _EVERY = 64, 8
_POWER_BAND: Final = (0.8, 1.25)
#: What registers and loggers hold when there is no value, by magnitude.
_NO_VALUES: Final = frozenset(
    [*(register / scale for register in (32767, 32768, 65535) for scale in (1, 10, 100)), 9999, 99999]
)


class Examination:
    """Sums over the rows of a file, in the file's order."""

    def __init__(self) -> None:
        self.rows = self.single = 0
        self.filled: dict[str, int] = {}
        self.soc_low, self.soc_high = np.inf, -np.inf
        self._with_soc = self._against_soc = self._soc_path = 0.0
        self._ratios: list[float] = []
        self._no_values: dict[tuple[str, float], int] = {}  # rows by column and value
        self._blocks = 0
        self.flipped = False  # whether the file's profile has turned current and power round

    def add(self, block: Block, spec: FileSpec) -> None:
        """Take more rows."""
        compared = self._blocks < _FIRST_BLOCKS or self._blocks % _EVERY == 0
        self._blocks += 1
        self.rows += len(block)
        missing = {name: np.isnan(values) for name, values in block.columns.items()}
        empty = {name: int(np.count_nonzero(each)) for name, each in missing.items()}
        for name, count in empty.items():
            self.filled[name] = self.filled.get(name, 0) + len(block) - count
            if count < len(block):
                self._look_for_no_values(name, block.columns[name])
        if any(empty.values()):
            self.single += int(np.count_nonzero(sum(missing.values()) == len(missing) - 1))
        soc, current = block.columns.get("soc"), block.columns.get("current", block.columns.get("power"))
        if soc is not None and empty["soc"] < len(block):
            low, high = float(np.fmin.reduce(soc)), float(np.fmax.reduce(soc))
            self.soc_low, self.soc_high = min(self.soc_low, low), max(self.soc_high, high)
            if current is not None and compared:
                self._add_sign(current, soc * (100.0 if spec.soc_scale == "fraction" else 1.0), block, spec)
        if compared:
            self._add_power(block)

    def _add_sign(self, current: FloatArray, soc: FloatArray, block: Block, spec: FileSpec) -> None:
        if block.owners is not None and len(block.owners.names) > 1:
            return
        rows = np.flatnonzero(~np.isnan(soc) & ~np.isnan(current))
        if len(rows) < 2:
            return
        forward = np.sign(np.diff(block.time_us[rows]))
        moved = np.diff(soc[rows]) * forward
        flow = np.where(forward > 0, current[rows[:-1]], current[rows[1:]])
        sign = np.sign(flow) * (1.0 if spec.current_sign == "charge_positive" else -1.0)
        self._with_soc += float(moved[sign * moved > 0] @ np.sign(moved[sign * moved > 0]))
        self._against_soc += float(moved[sign * moved < 0] @ np.sign(moved[sign * moved < 0]))
        self._soc_path += float(np.abs(moved).sum())

    def _look_for_no_values(self, name: str, values: FloatArray) -> None:
        for value in (float(np.fmin.reduce(values)), float(np.fmax.reduce(values))):
            if abs(value) in _NO_VALUES:
                count = int(np.count_nonzero(values == value))
                self._no_values[name, value] = self._no_values.get((name, value), 0) + count

    def _add_power(self, block: Block) -> None:
        columns = block.columns
        if not {"current", "voltage", "power"} <= columns.keys():
            return
        product = np.abs(columns["current"] * columns["voltage"])
        rows = (product > 0) & ~np.isnan(columns["power"])
        if rows.any():
            self._ratios.append(float(np.median(np.abs(columns["power"][rows]) / product[rows])))

    @property
    def in_turn(self) -> bool:
        """Whether nearly every row holds one reading, of several columns."""
        several = sum(1 for count in self.filled.values() if count) > 1
        return several and self.rows > 0 and self.single >= _IN_TURN * self.rows

    def warnings(self, spec: FileSpec) -> list[str]:
        """What is suspicious, each with its cure."""
        found = []
        cures = self.cures(spec)
        if "current_sign" in cures:
            moves = "falls" if spec.current_sign == "charge_positive" else "rises"
            found.append(f"current > 0 while the SoC {moves}: say --current-sign {cures['current_sign']}")
        if "soc_scale" in cures:
            why = "is never above 1.5" if spec.soc_scale == "percent" else "is above 1.5, which is no fraction"
            found.append(f"SoC {why}: say --soc-scale {cures['soc_scale']}")
        for (name, value), count in self._no_values.items():
            if count < _FEW_SHARE * self.rows:
                found.append(
                    f"{name} is {value:g} in {count} rows, which may be a register's mark of no value: say "
                    f"--no-value={value:g} if it is"
                )
        ratios = [ratio for ratio in self._ratios if np.isfinite(ratio)]
        if ratios:
            ratio = float(np.median(ratios))
            if not _POWER_BAND[0] <= ratio <= _POWER_BAND[1]:
                found.append(f"power is {ratio:.3g} times current x voltage: check the units of all three")
        return found

    def cures(self, spec: FileSpec) -> dict[str, str]:
        """Fields of the spec that the readings speak against, with the other value."""
        cures = {}
        swing = _SWING if self.soc_high > _FRACTION or spec.soc_scale == "fraction" else _SWING / 100
        if self._against_soc > 2 * self._with_soc and self._against_soc >= swing:
            # An option takes the current as the file has it.
            other = "discharge_positive" if spec.current_sign == "charge_positive" else "charge_positive"
            cures["current_sign"] = "charge_positive" if self.flipped else other
        if spec.soc_scale == "percent" and 0 < self.soc_high <= _FRACTION and self.soc_low >= 0:
            cures["soc_scale"] = "fraction"
        if spec.soc_scale == "fraction" and self.soc_high > _FRACTION:
            cures["soc_scale"] = "percent"
        return cures
