"""Load on the cells relative to their capacity."""

import numpy as np

from stream_app.domain.metrics._base import (
    MAX,
    AssetSpecs,
    Columns,
    Metric,
    MetricValues,
    Samples,
    Totals,
    defined_where,
)


class CRateMean(Metric):
    r"""Time-weighted mean of |I| over the nominal capacity while charging or discharging [1/h].

    .. math:: \frac{Q_{in} + Q_{out}}{C_{nom} \, t_{loaded}}

    References
    ----------
    Jacqué et al. 2022 (C-rate statistics of field storage).

    Examples
    --------
    >>> compute("c_rate_mean_per_h", nominal_capacity_ah=80, current_a=[40, -20, 0, 0])
    0.375
    """

    name, unit = "c_rate_mean_per_h", "1/h"
    statistics = ("charge_in_as", "charge_out_as", "charge_s", "discharge_s")

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``capacity_missing`` or ``no_load``."""
        loaded_s = totals["charge_s"] + totals["discharge_s"]
        checks = {"capacity_missing": ~np.isnan(specs.capacity_ah), "no_load": loaded_s > 0}
        with defined_where(checks) as defined:
            return defined((totals["charge_in_as"] + totals["charge_out_as"]) / loaded_s / specs.capacity_ah)


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
    fields = {"current_a": MAX}

    def contribute(self, samples: Samples) -> Columns:
        """|I|."""
        return {"current_a": np.abs(samples.current_a)}

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``capacity_missing`` or ``current_missing``."""
        checks = {"capacity_missing": ~np.isnan(specs.capacity_ah), "current_missing": totals["current_a"] >= 0}
        with defined_where(checks) as defined:
            return defined(totals["current_a"] / specs.capacity_ah)
