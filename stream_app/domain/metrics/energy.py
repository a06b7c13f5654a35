"""Energy in and out."""

from typing import ClassVar

from stream_app.domain.metrics._base import AssetSpecs, Metric, MetricValues, Totals, defined_where

J_PER_KWH = 3.6e6


class _Energy(Metric):
    unit = "kWh"
    _of: ClassVar[str]

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_valid_steps`` where no step with a known power has a known duration."""
        with defined_where({"no_valid_steps": totals["metered_s"] > 0}) as defined:
            return defined(totals[self._of] / J_PER_KWH)


class EnergyIn(_Energy):
    r"""Energy charged: sum of P dt over charging steps [kWh].

    .. math:: \frac{1}{3.6 \cdot 10^6} \sum_{charging} P_k \, dt_k

    Notes
    -----
    Left-hold: a reading holds until the next one; gaps add nothing. Power is the measured column where there is one,
    else I V. A step charges when its current is above the rest limit (0.005 C; 0 while the capacity is unknown).

    References
    ----------
    IEC 62933-2-1; Battery Data Format, charging_energy_wh.

    Examples
    --------
    >>> compute("energy_in_kwh", dt_s=3600, current_a=[40, 40, -40, -40], voltage_v=[900, 905, 890, 885])
    72.2
    """

    name, statistics, _of = "energy_in_kwh", ("energy_in_j", "metered_s"), "energy_in_j"


class EnergyOut(_Energy):
    r"""Energy discharged: sum of -P dt over discharging steps [kWh]; steps as in ``energy_in_kwh``.

    .. math:: \frac{-1}{3.6 \cdot 10^6} \sum_{discharging} P_k \, dt_k

    References
    ----------
    IEC 62933-2-1; Battery Data Format, discharging_energy_wh.

    Examples
    --------
    >>> compute("energy_out_kwh", dt_s=3600, current_a=[40, 40, -40, -40], voltage_v=[900, 905, 890, 885])
    35.6
    """

    name, statistics, _of = "energy_out_kwh", ("energy_out_j", "metered_s"), "energy_out_j"
