"""The C-rate as the batch service defined it."""

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


class CRateV1(Metric):
    r"""C-rate by API v1's definition [1].

    .. math:: \frac{100}{\sum |\Delta SoC|} \cdot \frac{\sum |I|}{3600 \, C_{nom}}

    Notes
    -----
    It is the charge that a full swing of the SoC moves, over the nominal capacity, for rows one second apart: closer to
    a state of health than to a rate. SoC noise lengthens the path, so the value falls as rows come more often. For the
    load on the cells see ``c_rate_mean_per_h`` and ``c_rate_max_per_h``.

    References
    ----------
    API v1 of the batch service.

    Examples
    --------
    >>> compute("c_rate_v1", nominal_capacity_ah=94, current_a=[40, 40, -40, -40], soc_percent=[50, 51, 51, 50])
    0.02364066193853428
    """

    name, unit, timed = "c_rate_v1", "1", False
    fields = {"current_sum_a": SUM, "path_percent": SUM}

    def contribute(self, samples: Samples) -> Columns:
        """|I| and the length of the SoC's path."""
        return {"current_sum_a": np.abs(samples.current_a), "path_percent": np.abs(samples.diff("soc_percent"))}

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``capacity_missing`` or ``no_soc_swing``."""
        checks = {"capacity_missing": ~np.isnan(specs.capacity_ah), "no_soc_swing": totals["path_percent"] > 0}
        with defined_where(checks) as defined:
            return defined(100 / totals["path_percent"] * totals["current_sum_a"] / (specs.capacity_ah * 3600))
