"""Round-trip efficiency as the batch service defined it."""

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


class RteV1(Metric):
    r"""Round-trip efficiency by API v1's definition [1].

    .. math:: \frac{\sum_{I<0} |I| V}{\sum_{I>0} I V} \cdot \frac{\sum |\Delta SoC|_{I>0}}{\sum |\Delta SoC|_{I<0}}

    Notes
    -----
    The difference of the SoC runs between successive rows of one sign, skipping the rows between. So the jump from one
    charging run to the next counts as well, which is the discharge between them: over many cycles the correction tends
    to 1, and over few it may push the wrong way. Rows are taken as equally spaced. Values above 1 are possible and
    reported as they are. ``rte_loop`` has none of these biases.

    References
    ----------
    API v1 of the batch service.

    Examples
    --------
    >>> compute("rte_v1", current_a=[40, 40, -40, -40], voltage_v=[900, 905, 890, 885], soc_percent=[50, 51, 51, 50])
    0.9833795013850416
    """

    name, unit, timed = "rte_v1", "1", False
    fields = {"charged_w": SUM, "discharged_w": SUM, "charging_path_percent": SUM, "discharging_path_percent": SUM}

    def contribute(self, samples: Samples) -> Columns:
        """Current x voltage (measured power is not used) and the SoC's path, by sign of the current."""
        iv_w = samples.current_a * samples.voltage_v
        return {
            "charged_w": np.where(samples.charging, iv_w, 0.0),
            "discharged_w": np.where(samples.discharging, -iv_w, 0.0),
            "charging_path_percent": np.abs(samples.diff("soc_percent", among="charging")),
            "discharging_path_percent": np.abs(samples.diff("soc_percent", among="discharging")),
        }

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_charge``, ``no_discharge`` or ``no_soc_swing``."""
        checks = {
            "no_charge": totals["charged_w"] > 0,
            "no_discharge": totals["discharged_w"] > 0,
            "no_soc_swing": totals["discharging_path_percent"] > 0,
        }
        with defined_where(checks) as defined:
            path = totals["charging_path_percent"] / totals["discharging_path_percent"]
            return defined(path * totals["discharged_w"] / totals["charged_w"])
