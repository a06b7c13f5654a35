"""What flows at rest: charge and energy of currents so small that the asset counts as resting."""

import numpy as np

from stream_app.domain.metrics._base import AssetSpecs, Metric, MetricValues, Totals, defined_where
from stream_app.domain.metrics.charge import AS_PER_AH, current_checks
from stream_app.domain.metrics.energy import J_PER_KWH
from stream_app.domain.rest import within_band


class RestCharge(Metric):
    r"""Net charge that flows at rest, < 0 where a load draws from the cells [Ah].

    .. math:: \sum_{|I_k| < I_{rest}} I_k \, dt_k

    Notes
    -----
    The limit of the rest band is the largest of 1/64, 1/16, 1/4, 1 and 4 A that is at most 0.01 of the nominal capacity
    per hour (and not below 1/64 A). It is set when the value is read, so it does not matter when the capacity became
    known. What flows at rest is part of charge in and out too.

    References
    ----------
    Standby consumption of storage systems: IEC 62933-2-1; the band's limits are this project's.

    Examples
    --------
    >>> compute("rest_charge_ah", dt_s=3600, nominal_capacity_ah=94, current_a=[40, -0.2, -0.2, 0.1, 0])
    -0.3
    """

    name, unit = "rest_charge_ah", "Ah"
    statistics = ("rest_as", "valid_s", "current_s")

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``capacity_missing``, ``no_valid_steps`` or ``current_missing``."""
        with defined_where({"capacity_missing": ~np.isnan(specs.capacity_ah)} | current_checks(totals)) as defined:
            return defined(within_band(totals["rest_as"], specs) / AS_PER_AH)


class RestEnergy(Metric):
    r"""Net energy that flows at rest, < 0 where a load draws from the cells [kWh].

    .. math:: \frac{1}{3.6 \cdot 10^6} \sum_{|I_k| < I_{rest}} P_k \, dt_k

    Notes
    -----
    The rest band as in ``rest_charge_ah``. What flows at rest is part of energy in and out too.

    References
    ----------
    Standby consumption of storage systems: IEC 62933-2-1; the band's limits are this project's.

    Examples
    --------
    >>> compute(
    ...     "rest_energy_kwh", dt_s=3600, nominal_capacity_ah=94, current_a=[40, -0.2, -0.2, 0], voltage_v=[1000] * 4
    ... )
    -0.4
    """

    name, unit = "rest_energy_kwh", "kWh"
    statistics = ("rest_j", "valid_s", "current_s", "metered_s")

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``capacity_missing``, ``no_valid_steps``, ``current_missing`` or ``power_missing``."""
        checks = {
            "capacity_missing": ~np.isnan(specs.capacity_ah),
            **current_checks(totals),
            "power_missing": totals["metered_s"] > 0,
        }
        with defined_where(checks) as defined:
            return defined(within_band(totals["rest_j"], specs) / J_PER_KWH)
