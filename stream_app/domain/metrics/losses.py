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
from stream_app.domain.metrics.level_efficiency import RteLevel

J_PER_KWH = 3.6e6


def _loss(totals: Totals, specs: AssetSpecs, checks: dict[str, BoolArray], price: FloatArray | float) -> MetricValues:
    """Loss times a price per joule."""
    rte = RteLevel().value(totals.of(RteLevel), specs)
    held_back = rte.value if rte.unchecked is None else rte.unchecked
    charged, discharged = totals["energy_in_j"] * price, totals["energy_out_j"] * price
    gates = {"charge_unbalanced": ~np.isnan(rte.value)}
    with defined_where(checks | {"too_few_trips": held_back > 0}, gates) as defined:
        one_way = np.sqrt(held_back)
        lost = charged * (1 - one_way) + discharged * (1 / one_way - 1)
        sigma = np.nan if rte.sigma is None else rte.sigma
        return defined(lost, (charged / one_way + discharged / (one_way * held_back)) / 2 * sigma)


class Loss(Metric):
    r"""Energy lost, by the round-trip efficiency of the same window [kWh].

    .. math:: E_{in} (1 - \sqrt{\eta}) + E_{out} \left(\frac{1}{\sqrt{\eta}} - 1\right)

    Notes
    -----
    The efficiency is ``rte_level``, of which charging and discharging take the same share; so the SoC need not be at
    the end where it was at the start, and what a percent of it stores need not be known. Of a closed cycle it is energy
    in less energy out. Null and gated as ``rte_level``.

    References
    ----------
    Energy balance; efficiency as in ``rte_level``.

    Examples
    --------
    >>> compute(
    ...     "loss_kwh", dt_s=3600, current_a=[10, -10] * 4 + [0], voltage_v=[1000, 810] * 4 + [900],
    ...     soc_percent=[20, 80] * 4 + [20]
    ... )
    7.6000000000000005
    """

    name, unit = "loss_kwh", "kWh"
    statistics = ("energy_in_j", "energy_out_j")
    reads = (RteLevel,)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``too_few_trips``; gated by ``charge_unbalanced``."""
        return _loss(totals, specs, {}, 1 / J_PER_KWH)


class LossCost(Metric):
    """What the lost energy cost [currency], by the price of the spec; the energy is ``loss_kwh``.

    Examples
    --------
    >>> compute(
    ...     "loss_cost", dt_s=3600, spec={"energy_price_per_kwh": 0.25}, current_a=[10, -10] * 4 + [0],
    ...     voltage_v=[1000, 810] * 4 + [900], soc_percent=[20, 80] * 4 + [20]
    ... )
    1.9000000000000001
    """

    name, unit = "loss_cost", "currency"
    statistics = ("energy_in_j", "energy_out_j")
    reads = (RteLevel,)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``price_missing`` or ``too_few_trips``; gated by ``charge_unbalanced``."""
        checks = {"price_missing": specs.price_per_kwh >= 0}
        return _loss(totals, specs, checks, specs.price_per_kwh / J_PER_KWH)


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
