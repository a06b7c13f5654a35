"""Power relative to the nominal energy."""

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
from stream_app.domain.metrics.extremes import PowerMax, PowerMin

W_PER_KW = 1000


class CpRateMean(Metric):
    r"""Time-weighted mean of |P| over the nominal energy while charging or discharging [1/h].

    .. math:: \frac{E_{in} + E_{out}}{E_{nom} \, t_{loaded}}

    Notes
    -----
    Over the steps that are part of ``energy_in_kwh`` or ``energy_out_kwh``: the sign of the current decides.

    References
    ----------
    CP-rate: power over energy, as data sheets of storage cells state it; the like of ``c_rate_mean_per_h``.

    Examples
    --------
    >>> compute("cp_rate_mean_per_h", spec={"nominal_energy_kwh": 80}, power_w=[40_000, -20_000, 0, 0])
    0.375
    """

    name, unit = "cp_rate_mean_per_h", "1/h"
    fields = {"loaded_s": SUM}
    statistics = ("energy_in_j", "energy_out_j")

    def contribute(self, samples: Samples) -> Columns:
        """Duration of the steps that charge or discharge with a power."""
        loaded = (samples.charge_step | samples.discharge_step) & ~np.isnan(samples.power_w)
        return {"loaded_s": np.where(loaded, samples.dt_s, 0.0)}

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``energy_missing`` or ``no_load``."""
        loaded_s, moved_j = totals["loaded_s"], totals["energy_in_j"] + totals["energy_out_j"]
        checks = {"energy_missing": specs.energy_kwh > 0, "no_load": (loaded_s > 0) & (moved_j > 0)}
        with defined_where(checks) as defined:
            return defined(moved_j / loaded_s / (W_PER_KW * specs.energy_kwh))


class CpRateMax(Metric):
    r"""Largest |P| over the nominal energy of any row [1/h].

    .. math:: \frac{\max_k |P_k|}{E_{nom}}

    References
    ----------
    CP-rate, as in ``cp_rate_mean_per_h``.

    Examples
    --------
    >>> compute("cp_rate_max_per_h", spec={"nominal_energy_kwh": 80}, power_w=[40_000, -20_000, 0, 0])
    0.5
    """

    name, unit, timed = "cp_rate_max_per_h", "1/h", False
    reads = (PowerMin, PowerMax)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``energy_missing`` or ``no_readings``."""
        low, high = totals.of(PowerMin)["reading"], totals.of(PowerMax)["reading"]
        checks = {"energy_missing": specs.energy_kwh > 0, "no_readings": np.isfinite(high)}
        with defined_where(checks) as defined:
            return defined(np.maximum(np.abs(low), np.abs(high)) / (W_PER_KW * specs.energy_kwh))
