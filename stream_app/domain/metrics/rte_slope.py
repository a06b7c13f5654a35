"""Round-trip efficiency by energy per percent of the state of charge: what a day without enough trips can show."""

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
    measured_if_any,
)
from stream_app.domain.metrics.extremes import SocMean, has_soc_if_any
from stream_app.domain.metrics.level_efficiency import CE_HIGHEST, CE_LOWEST
from stream_app.domain.metrics.soc_cycles import SIGMA_FLOOR

MIN_MOVED_PERCENT = 20.0
MAX_NET_SHARE = 0.15
#: Charge out over charge in of a sound pack.
USUAL_CE = 0.998
#: Most by which the open-circuit voltage of lithium cells rises over 1 % of SoC, as a share; on a plateau it is 0.
OCV_RISE = 0.003


class RteSlope(Metric):
    r"""Energy out per percent of SoC over energy in per percent of SoC [1].

    .. math:: \frac{E_{out} / D_{out}}{E_{in} / D_{in}}

    Notes
    -----
    For windows in which ``rte_level`` has too few trips, such as a day. D is by how far the SoC went while charging and
    while discharging. Where the two were at different mean levels of the SoC, the open-circuit voltage does not cancel.

    The uncertainty has three parts beside the method's own 0.0005: the difference of the mean levels times a rise of
    0.3 % per 1 %, evenly spread between that and none; and by how far charge out over charge in, taken the same way,
    is from 0.998, which is the error of D in this very window. Gated where that ratio leaves 0.985 to 1.005, below
    20 % of SoC in a direction, and where the two differ by more than 15 % of their sum.

    References
    ----------
    Energy per SoC by direction, as home energy managers learn it; here with an uncertainty.

    Examples
    --------
    >>> compute(
    ...     "rte_slope", dt_s=3600, current_a=[10, -10, 0], voltage_v=[900, 882, 880], soc_percent=[20, 80, 20]
    ... )
    0.98
    """

    name, unit = "rte_slope", "1"
    fields = {"in_level": SUM, "out_level": SUM}
    statistics = (
        "energy_in_j",
        "energy_out_j",
        "charge_in_as",
        "charge_out_as",
        "soc_in_percent",
        "soc_out_percent",
        "valid_s",
        "current_s",
        "metered_s",
    )
    reads = (SocMean,)

    def contribute(self, samples: Samples) -> Columns:
        """Level of the SoC times its change, by direction [%2]."""
        moment = samples.soc_percent * samples.soc_ahead_percent
        return {
            "in_level": np.where(samples.charge_step, moment, 0.0),
            "out_level": np.where(samples.discharge_step, -moment, 0.0),
        }

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``soc_missing``, ``current_missing``, ``power_missing``, ``no_charge`` or ``no_discharge``.

        Null with ``no_soc_swing`` too; gated by ``insufficient_throughput``, ``not_closed`` and ``charge_unbalanced``.
        """
        up, down = totals["soc_in_percent"], totals["soc_out_percent"]
        in_as, out_as = totals["charge_in_as"], totals["charge_out_as"]
        checks = {
            "soc_missing": has_soc_if_any(totals),
            "current_missing": measured_if_any(totals, "current_s"),
            "power_missing": measured_if_any(totals, "metered_s"),
            "no_charge": (totals["energy_in_j"] > 0) & (in_as > 0),
            "no_discharge": (totals["energy_out_j"] > 0) & (out_as > 0),
            "no_soc_swing": (up > 0) & (down > 0),
        }
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            ce = (out_as * up) / (in_as * down)
        gates = {
            "insufficient_throughput": (up >= MIN_MOVED_PERCENT) & (down >= MIN_MOVED_PERCENT),
            "not_closed": np.abs(up - down) <= MAX_NET_SHARE * (up + down),
            "charge_unbalanced": (ce >= CE_LOWEST) & (ce <= CE_HIGHEST),
        }
        with defined_where(checks, gates) as defined:
            rte = (totals["energy_out_j"] * up) / (totals["energy_in_j"] * down)
            apart = totals["out_level"] / down - totals["in_level"] / up
            by_voltage = OCV_RISE / np.sqrt(3) * apart
            by_soc = ce - USUAL_CE
            return defined(rte, np.sqrt(by_voltage * by_voltage + by_soc * by_soc + SIGMA_FLOOR * SIGMA_FLOOR))
