"""Energy lost, what it costs, and how much of it the asset takes while it does nothing."""

import numpy as np

from stream_app.columns.arrays import BoolArray, FloatArray
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

J_PER_KWH = 3.6e6
MIN_SWING_PERCENT = 20.0
_STATISTICS = ("energy_in_j", "energy_out_j", "soc_in_percent", "soc_out_percent", "soc_resolution_percent")


def _lost_j(totals: Totals) -> tuple[FloatArray, FloatArray]:
    """Energy in less energy out less the rise of what is stored, and its uncertainty; no division may be by 0."""
    up, down = totals["soc_in_percent"], totals["soc_out_percent"]
    net = up - down
    in_j, out_j = totals["energy_in_j"], totals["energy_out_j"]
    charging, discharging = in_j / up, out_j / down
    stored = np.sqrt(charging * discharging)
    resolution = totals["soc_resolution_percent"]
    ends = stored * np.where(np.isfinite(resolution), resolution, 1.0) / np.sqrt(6.0)
    slope = net * (charging - discharging) / np.sqrt(12.0)
    return in_j - out_j - net * stored, np.sqrt(ends * ends + slope * slope)


def _checks(totals: Totals) -> tuple[dict[str, BoolArray], dict[str, BoolArray]]:
    up, down = totals["soc_in_percent"], totals["soc_out_percent"]
    checks = {
        "no_charge": totals["energy_in_j"] > 0,
        "no_discharge": totals["energy_out_j"] > 0,
        "no_soc_swing": (up > 0) & (down > 0),
    }
    return checks, {"insufficient_throughput": np.minimum(up, down) >= MIN_SWING_PERCENT}


class Loss(Metric):
    r"""Energy lost: energy in less energy out less the rise of the stored energy [kWh].

    .. math:: E_{in} - E_{out} - (D_{in} - D_{out}) \sqrt{\frac{E_{in}}{D_{in}} \frac{E_{out}}{D_{out}}}

    Notes
    -----
    D is the change of the SoC while charging, and while discharging. What a percent stores lies between what it takes
    and what it gives; the geometric mean of the two is taken, and the uncertainty is that of a value anywhere between
    them, with that of the SoC's resolution at both ends. Gated below 20 % of SoC in each direction.

    References
    ----------
    Energy balance; as that of PNNL-22010 with the stored energy at both ends.

    Examples
    --------
    >>> compute(
    ...     "loss_kwh", dt_s=3600, power_w=[50_000, -45_000, 0], soc_percent=[20, 80, 20]
    ... )
    5.0
    """

    name, unit = "loss_kwh", "kWh"
    statistics = _STATISTICS

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_charge``, ``no_discharge`` or ``no_soc_swing``; gated by ``insufficient_throughput``."""
        with defined_where(*_checks(totals)) as defined:
            lost_j, sigma_j = _lost_j(totals)
            return defined(lost_j / J_PER_KWH, sigma_j / J_PER_KWH)


class LossCost(Metric):
    """What the lost energy cost [currency], by the price of the spec; the energy is ``loss_kwh``.

    Examples
    --------
    >>> compute(
    ...     "loss_cost", dt_s=3600, spec={"energy_price_per_kwh": 0.25}, power_w=[50_000, -45_000, 0],
    ...     soc_percent=[20, 80, 20]
    ... )
    1.25
    """

    name, unit = "loss_cost", "currency"
    statistics = _STATISTICS

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``price_missing``, and as the loss.

        That is ``no_charge``, ``no_discharge``, ``no_soc_swing``; gated by ``insufficient_throughput``.
        """
        checks, gates = _checks(totals)
        with defined_where({"price_missing": specs.price_per_kwh >= 0} | checks, gates) as defined:
            lost_j, sigma_j = _lost_j(totals)
            price = specs.price_per_kwh / J_PER_KWH
            return defined(lost_j * price, sigma_j * price)


class StandbyPower(Metric):
    r"""Mean power taken at rest, for the battery's own supply [W].

    .. math:: \frac{|\sum_{rest} P_k \, dt_k|}{\sum_{rest} dt_k}

    Notes
    -----
    Power that flows in at rest comes from the grid, power that flows out comes from the cells: both are consumption,
    so the amount of their balance counts. Rest as in ``idle_share``. Without a measured power it is current times
    voltage, which sees what the battery terminals see.

    References
    ----------
    PNNL-22010: parasitic loss, auxiliary consumption.

    Examples
    --------
    >>> compute(
    ...     "standby_power_w", nominal_capacity_ah=100, current_a=[-0.25, -0.25, 50], voltage_v=[800, 800, 800]
    ... )
    200.0
    """

    name, unit = "standby_power_w", "W"
    fields = {"energy_j": SUM, "metered_s": SUM}

    def contribute(self, samples: Samples) -> Columns:
        """Energy, > 0 in, and duration of the steps at rest with a power."""
        rests = samples.rest_step & ~np.isnan(samples.power_w)
        return {
            "energy_j": np.where(rests, samples.energy_j, 0.0),
            "metered_s": np.where(rests, samples.dt_s, 0.0),
        }

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_rest``."""
        with defined_where({"no_rest": totals["metered_s"] > 0}) as defined:
            return defined(np.abs(totals["energy_j"]) / totals["metered_s"])


class StandbyEnergy(Metric):
    """Energy taken at rest, for the battery's own supply [kWh]; power as in ``standby_power_w``.

    Examples
    --------
    >>> compute(
    ...     "standby_energy_kwh", dt_s=3600, nominal_capacity_ah=100, current_a=[-0.25, -0.25, 50],
    ...     voltage_v=[800, 800, 800]
    ... )
    0.4
    """

    name, unit = "standby_energy_kwh", "kWh"
    reads = (StandbyPower,)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_rest``."""
        rest = totals.of(StandbyPower)
        with defined_where({"no_rest": rest["metered_s"] > 0}) as defined:
            return defined(np.abs(rest["energy_j"]) / J_PER_KWH)
