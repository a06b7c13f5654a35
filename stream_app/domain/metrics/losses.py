"""Energy lost, what it costs, and how much of it the asset takes while it does nothing."""

import numpy as np

from stream_app.columns.arrays import BoolArray, FloatArray
from stream_app.domain.metrics._base import AssetSpecs, Metric, MetricValues, Totals, defined_where
from stream_app.domain.metrics.level_efficiency import RteLevel, trip_checks
from stream_app.domain.rest import within_band

J_PER_KWH = 3.6e6


def _loss(totals: Totals, specs: AssetSpecs, checks: dict[str, BoolArray], price: FloatArray | float) -> MetricValues:
    """Loss times a price per joule."""
    of = totals.of(RteLevel)
    rte = RteLevel().value(of, specs)
    held_back = rte.value if rte.unchecked is None else rte.unchecked
    charged, discharged = totals["energy_in_j"] * price, totals["energy_out_j"] * price
    gates = {"charge_unbalanced": ~np.isnan(rte.value)}
    with defined_where(checks | trip_checks(of) | {"no_discharge": held_back > 0}, gates) as defined:
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
        """Null with ``soc_missing``, ``power_missing``, ``too_few_trips``, ``no_charge`` or ``no_discharge``.

        Gated by ``charge_unbalanced``.
        """
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
        """Null with ``price_missing``, ``soc_missing``, ``power_missing``, ``too_few_trips``, ``no_charge``.

        Null with ``no_discharge`` too; gated by ``charge_unbalanced``.
        """
        checks = {"price_missing": specs.price_per_kwh >= 0}
        return _loss(totals, specs, checks, specs.price_per_kwh / J_PER_KWH)


def _standby_checks(totals: Totals, specs: AssetSpecs) -> dict[str, BoolArray]:
    return {
        "capacity_missing": specs.capacity_ah > 0,
        "no_rest": within_band(totals["rest_s"], specs) > 0,
        "power_missing": totals["metered_s"] > 0,
    }


class StandbyPower(Metric):
    r"""Mean power taken at rest, for the battery's own supply [W].

    .. math:: \frac{|\sum_{rest} P_k \, dt_k|}{\sum_{rest} dt_k}

    Notes
    -----
    Power that flows in at rest comes from the grid, power that flows out comes from the cells: both are consumption, so
    the amount of their balance counts. The rest band as in ``rest_charge_ah``. Without a measured power it is current
    times voltage, which sees what the battery terminals see. Where the power of some steps is not known, as large a
    share of the rest is left out.

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
    statistics = ("rest_s", "rest_j", "current_s", "metered_s")

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``capacity_missing``, ``no_rest`` or ``power_missing``."""
        with defined_where(_standby_checks(totals, specs)) as defined:
            metered_share = np.minimum(totals["metered_s"] / totals["current_s"], 1.0)
            rest_s = within_band(totals["rest_s"], specs) * metered_share
            return defined(np.abs(within_band(totals["rest_j"], specs)) / rest_s)


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
    statistics = ("rest_s", "rest_j", "metered_s")

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``capacity_missing``, ``no_rest`` or ``power_missing``."""
        with defined_where(_standby_checks(totals, specs)) as defined:
            return defined(np.abs(within_band(totals["rest_j"], specs)) / J_PER_KWH)
