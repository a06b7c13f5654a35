"""Round-trip efficiency as the plain ratio of two energies."""

import numpy as np

from stream_app.domain.metrics._base import AssetSpecs, Metric, MetricValues, Totals, defined_where, measured_if_any

MIN_FULL_CYCLES = 0.5
MAX_NET_SHARE = 0.0025


class RteRaw(Metric):
    r"""Energy out over energy in [1].

    .. math:: \frac{E_{out}}{E_{in}}

    Notes
    -----
    What is still stored at the end counts as lost, so the ratio means something only over many cycles that end where
    they began: null unless each direction moved half a full cycle (by the nominal capacity; while that is unknown, 50 %
    of SoC) and the net change is at most 0.25 % of what moved, by the SoC, or by the charge where there is no SoC.
    ``value_unchecked`` gives the ratio all the same.

    References
    ----------
    Sum out over sum in over many cycles: US DOE FEMP battery storage evaluation; EIA monthly figures.

    Examples
    --------
    >>> compute(
    ...     "rte_raw", dt_s=3600, nominal_capacity_ah=40, current_a=[40, -40, 0],
    ...     voltage_v=[900, 880, 880],
    ...     soc_percent=[0, 100, 0]
    ... )
    0.9777777777777777
    """

    name, unit, version = "rte_raw", "1", 2
    statistics = (
        "energy_in_j",
        "energy_out_j",
        "charge_in_as",
        "charge_out_as",
        "soc_in_percent",
        "soc_out_percent",
        "valid_s",
        "metered_s",
    )

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``power_missing``, ``no_charge``, ``no_discharge``.

        Gated by ``insufficient_throughput``, ``closure_unknown`` and ``not_closed``.
        """
        checks = {
            "power_missing": measured_if_any(totals, "metered_s"),
            "no_charge": totals["energy_in_j"] > 0,
            "no_discharge": totals["energy_out_j"] > 0,
        }
        full_as = specs.capacity_ah * 3600
        smaller = np.where(
            np.isnan(full_as),
            np.minimum(totals["soc_in_percent"], totals["soc_out_percent"]) / 100,
            np.minimum(totals["charge_in_as"], totals["charge_out_as"]) / full_as,
        )
        moved = totals["soc_in_percent"] + totals["soc_out_percent"]
        net = totals["soc_in_percent"] - totals["soc_out_percent"]
        moved_as = totals["charge_in_as"] + totals["charge_out_as"]
        by_charge = moved <= 0
        net = np.where(by_charge, totals["charge_in_as"] - totals["charge_out_as"], net)
        moved = np.where(by_charge, moved_as, moved)
        gates = {
            "closure_unknown": moved > 0,
            "insufficient_throughput": smaller >= MIN_FULL_CYCLES,
            "not_closed": np.abs(net) <= MAX_NET_SHARE * moved,
        }
        with defined_where(checks, gates) as defined:
            return defined(totals["energy_out_j"] / totals["energy_in_j"])
