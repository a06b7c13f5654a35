"""Specs of many assets as arrays: what reading the rows and the totals needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from schemas.asset import AssetSpec
from stream_app.columns.arrays import FloatArray, IntArray

#: No shorter step is a gap, unless the spec says what one is [s]: by how an asset reports.
LEAST_GAP_S: Final = {"periodic": 900.0, "on_change": 3600.0}

_FIELDS = (
    "capacity_ah",
    "energy_kwh",
    "sign",
    "soc_factor",
    "period_s",
    "max_gap_s",
    "least_gap_s",
    "price_per_kwh",
    "warranty_cycles",
    "warranty_kwh",
    "cold_c",
    "hot_c",
    "soc_low_percent",
    "soc_high_percent",
)


def _row(spec: AssetSpec) -> tuple[float, ...]:
    """One asset's numbers, in the order of ``_FIELDS``; NaN where the spec is silent."""

    def number(value: float | None) -> float:
        return np.nan if value is None else value

    return (
        number(spec.nominal_capacity_ah),
        number(spec.nominal_energy_kwh),
        1.0 if spec.current_sign == "charge_positive" else -1.0,
        1.0 if spec.soc_scale == "percent" else 100.0,
        number(spec.sampling_period_s),
        number(spec.max_gap_s),
        LEAST_GAP_S[spec.reporting],
        number(spec.energy_price_per_kwh),
        number(spec.warranty_full_cycles),
        number(spec.warranty_throughput_kwh),
        number(spec.temperature_low_c),
        number(spec.temperature_high_c),
        number(spec.soc_low_percent),
        number(spec.soc_high_percent),
    )


@dataclass(frozen=True, slots=True)
class AssetSpecs:
    """Specs of ``k`` assets, each array of shape ``(k,)``; NaN where a spec is silent."""

    capacity_ah: FloatArray
    energy_kwh: FloatArray
    sign: FloatArray
    soc_factor: FloatArray
    period_s: FloatArray
    max_gap_s: FloatArray
    least_gap_s: FloatArray
    price_per_kwh: FloatArray
    warranty_cycles: FloatArray
    warranty_kwh: FloatArray
    cold_c: FloatArray
    hot_c: FloatArray
    soc_low_percent: FloatArray
    soc_high_percent: FloatArray

    @classmethod
    def of(cls, *specs: AssetSpec) -> AssetSpecs:
        """Arrays of the given specs."""
        return cls(*np.array([_row(spec) for spec in specs]).reshape(-1, len(_FIELDS)).T.copy())

    def take(self, index: IntArray) -> AssetSpecs:
        """Specs of some of the assets."""
        return AssetSpecs(*(getattr(self, name)[index] for name in _FIELDS))

    @classmethod
    def concatenated(cls, parts: list[AssetSpecs]) -> AssetSpecs:
        """Specs of all parts, in order."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in _FIELDS))

    def lines(self) -> FloatArray:
        """Every asset's numbers as a line, in the order of the fields, shape ``(k, fields)``: for compiled code."""
        return np.stack([getattr(self, name) for name in _FIELDS], axis=1)

    def put(self, slot: int, spec: AssetSpec) -> None:
        """Replace one asset's spec."""
        for name, value in zip(_FIELDS, _row(spec), strict=True):
            getattr(self, name)[slot] = value

    def resized(self, count: int) -> AssetSpecs:
        """Room for ``count`` assets; new ones have the default spec."""
        new = AssetSpecs.of(AssetSpec())
        grown = np.zeros(count - len(self.sign), np.int64)
        return AssetSpecs(*(np.append(getattr(self, name), getattr(new, name)[grown]) for name in _FIELDS))
