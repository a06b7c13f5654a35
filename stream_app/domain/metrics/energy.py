"""Energy in and out."""

from typing import ClassVar

from stream_app.columns.arrays import BoolArray
from stream_app.domain.metrics._base import AssetSpecs, Metric, MetricValues, Totals, defined_where
from stream_app.domain.soc_levels import SocLevels

J_PER_KWH = 3.6e6


def power_checks(totals: Totals) -> dict[str, BoolArray]:
    """What must hold for an energy to be known."""
    return {"no_valid_steps": totals["valid_s"] > 0, "power_missing": totals["metered_s"] > 0}


class _Energy(Metric):
    unit, version = "kWh", 2
    _of: ClassVar[str]

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_valid_steps`` or ``power_missing``."""
        with defined_where(power_checks(totals)) as defined:
            return defined(totals[self._of] / J_PER_KWH)


class EnergyIn(_Energy):
    r"""Energy charged: sum of P dt over steps with a current > 0 [kWh].

    .. math:: \frac{1}{3.6 \cdot 10^6} \sum_{I_k > 0} P_k \, dt_k

    Notes
    -----
    Left-hold: a reading holds until the next one; gaps add nothing. Power is the measured column where there is one,
    else I V. The sign of the current alone decides, however small it is; of a row without current that of the power.

    References
    ----------
    IEC 62933-2-1; Battery Data Format, charging_energy_wh.

    Examples
    --------
    >>> compute("energy_in_kwh", dt_s=3600, current_a=[40, 40, -40, -40], voltage_v=[900, 905, 890, 885])
    72.2
    """

    name, statistics, _of = "energy_in_kwh", ("energy_in_j", "valid_s", "metered_s"), "energy_in_j"


class EnergyOut(_Energy):
    r"""Energy discharged: sum of -P dt over steps with a current < 0 [kWh].

    .. math:: \frac{-1}{3.6 \cdot 10^6} \sum_{I_k < 0} P_k \, dt_k

    References
    ----------
    IEC 62933-2-1; Battery Data Format, discharging_energy_wh.

    Examples
    --------
    >>> compute("energy_out_kwh", dt_s=3600, current_a=[40, 40, -40, -40], voltage_v=[900, 905, 890, 885])
    35.6
    """

    name, statistics, _of = "energy_out_kwh", ("energy_out_j", "valid_s", "metered_s"), "energy_out_j"


class _GapEnergy(Metric):
    unit, sequential_states, timed = "kWh", (SocLevels,), False
    _of: ClassVar[str]

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Gated by ``gap_not_filled``."""
        with defined_where({}, {"gap_not_filled": totals["gaps_unfilled"] <= 0}) as defined:
            return defined(totals[self._of] / J_PER_KWH)


class GapEnergyIn(_GapEnergy):
    """Energy that was charged during gaps, by the change of the SoC [kWh].

    Notes
    -----
    The SoC's rise over a gap times the energy per percent that the asset has taken while charging so far. It is an
    estimate, so it is no part of ``energy_in_kwh``; efficiencies and capacity count it. A gap in which the SoC went up
    and down again is filled with the difference alone. Gaps before the SoC has risen by 20 % in all, and gaps without a
    SoC on both sides, cannot be filled: then the value is null, and ``value_unchecked`` is that of the other gaps.

    References
    ----------
    Charge and energy per SoC as in coulomb counting; here by the asset's own history.

    Examples
    --------
    >>> compute(
    ...     "gap_energy_in_kwh", time_s=[0, 3600, 7200, 7300, 107300], current_a=[10, -10, 0, 0, 0],
    ...     voltage_v=[900] * 5, soc_percent=[20, 80, 50, 50, 60]
    ... )
    1.5
    """

    name, _of = "gap_energy_in_kwh", "gap_in_j"
    statistics = ("gap_in_j", "gaps_unfilled")


class GapEnergyOut(_GapEnergy):
    """Energy that was discharged during gaps, by the change of the SoC [kWh]; see ``gap_energy_in_kwh``.

    References
    ----------
    Charge and energy per SoC as in coulomb counting; here by the asset's own history.

    Examples
    --------
    >>> compute(
    ...     "gap_energy_out_kwh", time_s=[0, 3600, 7200, 7300, 107300], current_a=[10, -10, 0, 0, 0],
    ...     voltage_v=[900] * 5, soc_percent=[20, 80, 50, 50, 40]
    ... )
    3.0
    """

    name, _of = "gap_energy_out_kwh", "gap_out_j"
    statistics = ("gap_out_j", "gaps_unfilled")
