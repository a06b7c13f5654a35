"""Load on the cells relative to their capacity."""

import numpy as np

from stream_app.domain.metrics._base import AssetSpecs, Metric, MetricValues, Totals, defined_where
from stream_app.domain.metrics.extremes import CurrentMax, CurrentMin
from stream_app.domain.rest import within_band

#: Share of a sum below which a difference is but what its terms were rounded by.
ROUNDING = 1e-9


class CRateMean(Metric):
    r"""Time-weighted mean of |I| over the nominal capacity outside the rest band [1/h].

    .. math:: \frac{Q_{in} + Q_{out} - |Q_{rest}|}{C_{nom} \, (t - t_{rest})}

    Notes
    -----
    The rest band as in ``rest_charge_ah``: it is set when the value is read, so it does not matter when the capacity
    became known.

    References
    ----------
    Jacqué et al. 2022 (C-rate statistics of field storage).

    Examples
    --------
    >>> compute("c_rate_mean_per_h", nominal_capacity_ah=80, current_a=[40, -20, 0, 0])
    0.375
    """

    name, unit, version = "c_rate_mean_per_h", "1/h", 2
    statistics = ("charge_in_as", "charge_out_as", "valid_s", "current_s", "rest_s", "rest_as")

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``capacity_missing``, ``no_valid_steps``, ``current_missing`` or ``no_load``."""
        current_s = totals["current_s"]
        loaded_s = current_s - within_band(totals["rest_s"], specs)
        checks = {
            "capacity_missing": ~np.isnan(specs.capacity_ah),
            "no_valid_steps": totals["valid_s"] > 0,
            "current_missing": current_s > 0,
            "no_load": loaded_s > ROUNDING * current_s,
        }
        with defined_where(checks) as defined:
            moved_as = totals["charge_in_as"] + totals["charge_out_as"] - np.abs(within_band(totals["rest_as"], specs))
            return defined(moved_as / loaded_s / specs.capacity_ah)


class CRateMax(Metric):
    r"""Largest |I| over the nominal capacity of any row [1/h].

    .. math:: \frac{\max_k |I_k|}{C_{nom}}

    References
    ----------
    Jacqué et al. 2022 (C-rate statistics of field storage).

    Examples
    --------
    >>> compute("c_rate_max_per_h", nominal_capacity_ah=80, current_a=[40, -20, 0, 0])
    0.5
    """

    name, unit, timed = "c_rate_max_per_h", "1/h", False
    reads = (CurrentMin, CurrentMax)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``capacity_missing`` or ``current_missing``."""
        low, high = totals.of(CurrentMin)["reading"], totals.of(CurrentMax)["reading"]
        checks = {"capacity_missing": ~np.isnan(specs.capacity_ah), "current_missing": np.isfinite(high)}
        with defined_where(checks) as defined:
            return defined(np.maximum(np.abs(low), np.abs(high)) / specs.capacity_ah)
