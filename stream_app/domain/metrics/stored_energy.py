"""Energy that can be taken out: now, and between the states of charge that are used."""

import numpy as np

from stream_app.domain.metrics._base import AssetSpecs, Metric, MetricValues, Totals, defined_where
from stream_app.domain.metrics.extremes import SocMax, SocMin
from stream_app.domain.soc_blocks import NEWEST_SOC, SocBlocks

J_PER_KWH = 3.6e6
MIN_SWING_PERCENT = 20.0


class RemainingEnergy(Metric):
    r"""Energy that can still be taken out, down to a SoC of 0 % [kWh]; lifetime alone.

    .. math:: S \cdot \frac{E_{out}}{D_{out}}

    Notes
    -----
    By the newest SoC whose duration is known, and the energy per percent that the asset has given so far (D is the
    change of the SoC while discharging). Gated below 20 % of SoC discharged.

    References
    ----------
    EU 2023/1542, Annex XIII 4: remaining energy, as information on the individual battery.

    Examples
    --------
    >>> compute("remaining_energy_kwh", dt_s=3600, power_w=[-50_000, 0, 0], soc_percent=[80, 30, 30])
    30.0
    """

    name, unit = "remaining_energy_kwh", "kWh"
    statistics = ("energy_out_j", "soc_out_percent")
    sequential_states = (SocBlocks,)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``lifetime_only``, ``soc_missing``, ``no_discharge``; gated by ``insufficient_throughput``."""
        told, out_percent = totals.residue(SocBlocks), totals["soc_out_percent"]
        soc = told[:, NEWEST_SOC]
        checks = {
            "lifetime_only": told[:, 0] > 0,
            "soc_missing": ~np.isnan(soc),
            "no_discharge": (totals["energy_out_j"] > 0) & (out_percent > 0),
        }
        with defined_where(checks, {"insufficient_throughput": out_percent >= MIN_SWING_PERCENT}) as defined:
            return defined(soc * (totals["energy_out_j"] / out_percent) / J_PER_KWH)


class UsableEnergy(Metric):
    r"""Energy that can be taken out between the largest and the smallest SoC that was reached [kWh].

    .. math:: (S_{max} - S_{min}) \cdot \frac{E_{out}}{D_{out}}

    Notes
    -----
    By the energy per percent that the asset gave in the window (D is the change of the SoC while discharging). Gated
    below 20 % of SoC discharged.

    References
    ----------
    EU 2023/1542, Annex XIII 4; usable between the limits that operation really keeps.

    Examples
    --------
    >>> compute("usable_energy_kwh", dt_s=3600, power_w=[-50_000, 0, 0], soc_percent=[80, 30, 90])
    60.0
    """

    name, unit = "usable_energy_kwh", "kWh"
    statistics = ("energy_out_j", "soc_out_percent")
    reads = (SocMin, SocMax)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``soc_missing``, ``no_discharge``; gated by ``insufficient_throughput``."""
        low, high = totals.of(SocMin)["reading"], totals.of(SocMax)["reading"]
        out_percent = totals["soc_out_percent"]
        checks = {
            "soc_missing": np.isfinite(high),
            "no_discharge": (totals["energy_out_j"] > 0) & (out_percent > 0),
        }
        with defined_where(checks, {"insufficient_throughput": out_percent >= MIN_SWING_PERCENT}) as defined:
            return defined((high - low) * (totals["energy_out_j"] / out_percent) / J_PER_KWH)
