"""How fast the power changes."""

import numpy as np

from stream_app.domain.metrics._base import (
    MAX,
    AssetSpecs,
    At,
    Columns,
    Metric,
    MetricValues,
    Samples,
    Totals,
    defined_where,
)
from stream_app.domain.power_steps import PowerSteps, Ramps

W_PER_KW = 1000


class PowerRampMax(Metric):
    r"""Fastest change of the power from one row to the next [kW/s].

    .. math:: \frac{1}{1000} \max_k \frac{|P_{k+1} - P_k|}{dt_k}

    Notes
    -----
    Of steps of at most 10 s: over a longer one the mean change says little about the ramp.

    References
    ----------
    PNNL-22010 (protocol for energy storage performance), ramp rate.

    Examples
    --------
    >>> compute("power_ramp_max_kw_per_s", power_w=[1000, 3000, -1000])
    4.0
    """

    name, unit, timed = "power_ramp_max_kw_per_s", "kW/s", False
    fields = {"ramp_w_per_s": MAX}
    sequential_states = (PowerSteps,)

    def contribute(self, samples: Samples) -> Columns:
        """Change of the power that ends at the row."""
        told: Ramps | None = samples.events(PowerSteps)
        return {} if told is None else {"ramp_w_per_s": At(told.row, told.ramp_w_per_s)}

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``resolution_too_coarse``."""
        with defined_where({"resolution_too_coarse": np.isfinite(totals["ramp_w_per_s"])}) as defined:
            return defined(totals["ramp_w_per_s"] / W_PER_KW)
