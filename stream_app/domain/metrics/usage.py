"""How the asset is used: idle share, state of charge while it rests and its swing, cycles per time."""

import numpy as np

from stream_app.domain.metrics._base import (
    SUM,
    AssetSpecs,
    Columns,
    Metric,
    MetricValues,
    Samples,
    Totals,
    defined_where,
)
from stream_app.domain.metrics.charge import current_checks
from stream_app.domain.metrics.energy import power_checks
from stream_app.domain.metrics.extremes import SocMax, SocMin
from stream_app.domain.rest import within_band

DAY_S = 86_400
YEAR_S = 365.25 * DAY_S
AS_PER_AH = 3600
J_PER_KWH = 3.6e6


class IdleShare(Metric):
    """Share of the time with a known current at rest [1].

    Notes
    -----
    The rest band as in ``rest_charge_ah``.

    Examples
    --------
    >>> compute("idle_share", nominal_capacity_ah=100, current_a=[10, 0, 0.5, -10, 0])
    0.5
    """

    name, unit = "idle_share", "1"
    statistics = ("rest_s", "valid_s", "current_s")

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``capacity_missing``, ``no_valid_steps`` or ``current_missing``."""
        with defined_where({"capacity_missing": specs.capacity_ah > 0} | current_checks(totals)) as defined:
            return defined(np.minimum(within_band(totals["rest_s"], specs) / totals["current_s"], 1.0))


class RestingSoc(Metric):
    """Time-weighted mean state of charge at rest [%].

    Notes
    -----
    Rest is a current below 1/64 A, whatever the capacity is.

    Examples
    --------
    >>> compute("resting_soc_percent", current_a=[10, 0, 0, -10, 0], soc_percent=[50, 60, 62, 62, 55])
    61.0
    """

    name, unit = "resting_soc_percent", "%"
    fields = {"soc_s": SUM, "read_s": SUM}

    def contribute(self, samples: Samples) -> Columns:
        """SoC x duration and duration of the steps at rest with a SoC."""
        soc = samples.soc_percent
        rests = samples.rest_step & ~np.isnan(soc)
        return {
            "soc_s": np.where(rests, soc * samples.dt_s, 0.0),
            "read_s": np.where(rests, samples.dt_s, 0.0),
        }

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_rest``."""
        with defined_where({"no_rest": totals["read_s"] > 0}) as defined:
            return defined(totals["soc_s"] / totals["read_s"])


class SocSwing(Metric):
    """Largest less smallest state of charge of any row [%]; of a window of a day the daily swing.

    Examples
    --------
    >>> compute("soc_swing_percent", soc_percent=[50, 80, 30])
    50.0
    """

    name, unit, timed = "soc_swing_percent", "%", False
    reads = (SocMin, SocMax)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_readings``."""
        low, high = totals.of(SocMin)["reading"], totals.of(SocMax)["reading"]
        with defined_where({"no_readings": np.isfinite(high)}) as defined:
            return defined(high - low)


class FullCyclesPerDay(Metric):
    r"""Equivalent full cycles by charge per day [1/d]; those of ``equivalent_full_cycles``.

    .. math:: \frac{Q_{in} + Q_{out}}{2 \, C_{nom}} \cdot \frac{1 \, d}{t}

    Notes
    -----
    Over the time from the first to the last stamp, gaps included. Gated below one day: the daily course is not closed.

    Examples
    --------
    >>> compute(
    ...     "full_cycles_per_day", dt_s=21_600, nominal_capacity_ah=120, spec={"max_gap_s": 30_000},
    ...     current_a=[10, -10, 10, -10, 0]
    ... )
    1.0
    """

    name, unit = "full_cycles_per_day", "1/d"
    statistics = ("charge_in_as", "charge_out_as", "valid_s", "current_s")

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``capacity_missing``, ``no_valid_steps`` or ``current_missing``; gated by ``too_short``."""
        checks = {"capacity_missing": specs.capacity_ah > 0} | current_checks(totals)
        with defined_where(checks, {"too_short": totals.span_s >= DAY_S}) as defined:
            moved_ah = (totals["charge_in_as"] + totals["charge_out_as"]) / AS_PER_AH
            return defined(moved_ah / (2 * specs.capacity_ah) / totals.span_s * DAY_S)


class DischargePerYear(Metric):
    r"""Energy discharged per year at the rate so far [kWh/a].

    .. math:: E_{out} \cdot \frac{365.25 \, d}{t}

    Notes
    -----
    Over the time from the first to the last stamp, gaps included. Gated below one day: the daily course is not closed.

    Examples
    --------
    >>> compute("discharge_per_year_kwh", dt_s=43_200, spec={"max_gap_s": 50_000}, power_w=[1000, -1000, 0])
    4383.0
    """

    name, unit = "discharge_per_year_kwh", "kWh/a"
    statistics = ("energy_out_j", "valid_s", "metered_s")

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_valid_steps`` or ``power_missing``; gated by ``too_short``."""
        with defined_where(power_checks(totals), {"too_short": totals.span_s >= DAY_S}) as defined:
            return defined(totals["energy_out_j"] / J_PER_KWH / totals.span_s * YEAR_S)
