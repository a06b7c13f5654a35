"""The warranty account: what of the warranted use is used up, and when it will be."""

import numpy as np

from stream_app.columns.arrays import BoolArray, FloatArray
from stream_app.domain.metrics._base import AssetSpecs, Metric, MetricValues, Totals, defined_where
from stream_app.domain.metrics.charge import current_checks
from stream_app.domain.metrics.energy import power_checks
from stream_app.domain.soc_blocks import SocBlocks

DAY_S = 86_400
AS_PER_AH = 3600
J_PER_KWH = 3.6e6
YEAR_S = 365.25 * DAY_S


def _has_budget(specs: AssetSpecs) -> BoolArray:
    has: BoolArray = ((specs.warranty_cycles > 0) & (specs.capacity_ah > 0)) | (specs.warranty_kwh > 0)
    return has


def _times(totals: Totals, specs: AssetSpecs) -> FloatArray:
    """How many times the use so far goes into the budget that is used up first; NaN where nothing was used."""
    cycles = (totals["charge_in_as"] + totals["charge_out_as"]) / (2 * AS_PER_AH * specs.capacity_ah)
    given_kwh = totals["energy_out_j"] / J_PER_KWH
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        by_cycles = np.where(cycles > 0, specs.warranty_cycles / cycles, np.nan)
        by_energy = np.where(given_kwh > 0, specs.warranty_kwh / given_kwh, np.nan)
    first = np.where(np.isnan(by_cycles), by_energy, by_cycles)
    return np.where(by_energy < first, by_energy, first)


class WarrantyCyclesUsed(Metric):
    r"""Equivalent full cycles over those that the warranty covers [%].

    .. math:: 100 \cdot \frac{Q_{in} + Q_{out}}{2 \, C_{nom} \, n_{warranty}}

    Notes
    -----
    Cycles as in ``equivalent_full_cycles``; of the lifetime those since the first row, not those before it.

    References
    ----------
    Terms of the asset's warranty, as ``warranty_full_cycles`` of the spec.

    Examples
    --------
    >>> compute(
    ...     "warranty_cycles_used_percent", dt_s=3600, nominal_capacity_ah=40, spec={"warranty_full_cycles": 200},
    ...     current_a=[40, -40, 0]
    ... )
    0.5
    """

    name, unit = "warranty_cycles_used_percent", "%"
    statistics = ("charge_in_as", "charge_out_as", "valid_s", "current_s")

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``warranty_missing``, ``capacity_missing``, ``no_valid_steps`` or ``current_missing``."""
        checks = {
            "warranty_missing": specs.warranty_cycles > 0,
            "capacity_missing": specs.capacity_ah > 0,
            **current_checks(totals),
        }
        with defined_where(checks) as defined:
            cycles = (totals["charge_in_as"] + totals["charge_out_as"]) / (2 * AS_PER_AH * specs.capacity_ah)
            return defined(100 * cycles / specs.warranty_cycles)


class WarrantyEnergyUsed(Metric):
    r"""Energy discharged over that which the warranty covers [%].

    .. math:: 100 \cdot \frac{E_{out}}{E_{warranty}}

    Notes
    -----
    Of the lifetime the energy since the first row, not that before it.

    References
    ----------
    Terms of the asset's warranty, as ``warranty_throughput_kwh`` of the spec.

    Examples
    --------
    >>> compute(
    ...     "warranty_energy_used_percent", dt_s=3600, spec={"warranty_throughput_kwh": 4000}, power_w=[-40_000, 0]
    ... )
    1.0
    """

    name, unit = "warranty_energy_used_percent", "%"
    statistics = ("energy_out_j", "valid_s", "metered_s")

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``warranty_missing``, ``no_valid_steps`` or ``power_missing``."""
        with defined_where({"warranty_missing": specs.warranty_kwh > 0} | power_checks(totals)) as defined:
            return defined(100 * (totals["energy_out_j"] / J_PER_KWH) / specs.warranty_kwh)


class WarrantyUsedPerYear(Metric):
    r"""Share of the warranted cycles or energy that a year takes at the rate so far [%/a].

    .. math:: 100 \cdot \frac{1 \, a}{t} \cdot \max \left(\frac{n}{n_{warranty}}, \frac{E_{out}}{E_{warranty}}\right)

    Notes
    -----
    Of the budget that is used up first, as in ``warranty_days_left``, over the time from the first to the last stamp:
    a warranty of ten years lasts where it is at most 10 %/a. Gated below one day: the daily course is not closed.

    References
    ----------
    Terms of the asset's warranty, as in ``warranty_cycles_used_percent`` and ``warranty_energy_used_percent``.

    Examples
    --------
    >>> compute(
    ...     "warranty_used_per_year_percent", dt_s=43_200,
    ...     spec={"warranty_throughput_kwh": 43_830, "max_gap_s": 50_000}, power_w=[1000, -1000, 0]
    ... )
    10.0
    """

    name, unit = "warranty_used_per_year_percent", "%/a"
    statistics = ("charge_in_as", "charge_out_as", "energy_out_j")

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``warranty_missing`` or ``no_load``; gated by ``too_short``."""
        used = 1 / _times(totals, specs)
        checks = {"warranty_missing": _has_budget(specs), "no_load": ~np.isnan(used)}
        with defined_where(checks, {"too_short": totals.span_s >= DAY_S}) as defined:
            return defined(100 * used * (YEAR_S / totals.span_s))


class WarrantyDaysLeft(Metric):
    r"""Days until the warranted cycles or energy are used up at the rate so far [d]; lifetime alone.

    .. math:: t \cdot \min \left(\frac{n_{warranty}}{n} - 1, \frac{E_{warranty}}{E_{out}} - 1\right)

    Notes
    -----
    Of the budget that is used up first, from the newest stamp on, at the mean rate since the first one; < 0 where it
    has been used up. A budget that the spec lacks, and cycles without a nominal capacity, do not limit. Gated below one
    day.

    References
    ----------
    Terms of the asset's warranty, as in ``warranty_cycles_used_percent`` and ``warranty_energy_used_percent``.

    Examples
    --------
    >>> compute(
    ...     "warranty_days_left", dt_s=43_200,
    ...     spec={"warranty_throughput_kwh": 4812, "max_gap_s": 50_000}, power_w=[1000, -1000, 0]
    ... )
    400.0
    """

    name, unit = "warranty_days_left", "d"
    statistics = ("charge_in_as", "charge_out_as", "energy_out_j")
    sequential_states = (SocBlocks,)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``lifetime_only``, ``warranty_missing`` or ``no_load``; gated by ``too_short``."""
        first = _times(totals, specs)
        checks = {
            "lifetime_only": totals.residue(SocBlocks)[:, 0] > 0,
            "warranty_missing": _has_budget(specs),
            "no_load": ~np.isnan(first),
        }
        with defined_where(checks, {"too_short": totals.span_s >= DAY_S}) as defined:
            return defined((first - 1) * (totals.span_s / DAY_S))
