"""What the cells lose by themselves, and the voltage that they rest at."""

import numpy as np

from stream_app.domain.metrics._base import AssetSpecs, Metric, MetricValues, Totals, defined_where, not_negative
from stream_app.domain.metrics.capacity import CapacityEst
from stream_app.domain.rests import LONG_SUMS, POINT_SUMS, RESOLUTION, Rests

MIN_RESTS = 3
MIN_POINTS = 5
MIN_REST_S = 86_400
#: A value is told from 0 by so many standard uncertainties.
CLEARLY = 3
#: Least standard deviation of the SoC of the points [%].
MIN_DEVIATION_PERCENT = 5.0
DAY_S = 86_400
AS_PER_AH = 3600


class SelfDischarge(Metric):
    r"""Loss of charge at rest beyond what the current sensor sees, in SoC per day [%/d]; lifetime alone.

    .. math:: \frac{\sum_{rests} \left(\frac{100 \, Q}{C} - \Delta S\right)}{\sum_{rests} t}

    Notes
    -----
    Over rests of two hours or more, each weighted with its duration; rest is a current below 1/64 A, whatever the
    capacity is. C is that of ``capacity_est``; where that is null or gated it is the nominal one. The uncertainty comes
    from the scatter of the rests and from the resolution of the SoC. Null until three rests of a day in all; gated
    where the value is not above three times its uncertainty: a SoC in coarse steps, or one that wanders, looks the
    same.

    References
    ----------
    SunSpec model 802, DisChaRte; EU 2023/1542, Annex VII: evolution of self-discharging rates.

    Examples
    --------
    >>> compute(
    ...     "self_discharge", dt_s=1800, nominal_capacity_ah=100,
    ...     current_a=([0] * 20 + [90]) * 3, soc_percent=[80 - 0.25 * (k % 21) for k in range(63)]
    ... )
    12.0
    """

    name, unit = "self_discharge", "%/d"
    sequential_states = (Rests,)
    reads = (CapacityEst,)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``too_few_rests``, ``capacity_missing``; gated by ``resolution_too_coarse``."""
        told = totals.residue(Rests)
        rests, time_s, change, charge, changes, products, charges = (told[:, LONG_SUMS + x] for x in range(7))
        resolution = told[:, RESOLUTION]
        capacity_ah = CapacityEst().value(totals.of(CapacityEst), specs).value
        full_as = np.where(np.isnan(capacity_ah), specs.capacity_ah, capacity_ah) * AS_PER_AH
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            percent = 100 / full_as
            lost = percent * charge - change
            rate = lost / time_s
            squares = changes - 2 * percent * products + percent * percent * charges
            scatter = not_negative(squares - lost * rate) / (time_s * (rests - 1))
            steps = np.where(np.isfinite(resolution), resolution, 0.0)
            sigma = np.sqrt(scatter + steps * steps * rests / 6 / (time_s * time_s))
        checks = {"too_few_rests": (rests >= MIN_RESTS) & (time_s >= MIN_REST_S), "capacity_missing": full_as > 0}
        with defined_where(checks, {"resolution_too_coarse": rate > CLEARLY * sigma}) as defined:
            return defined(rate * DAY_S, sigma * DAY_S)


class OcvSlope(Metric):
    r"""Rise of the resting voltage with the state of charge [V/%]; lifetime alone.

    .. math:: \frac{\sum (S - \bar S)(V - \bar V)}{\sum (S - \bar S)^2}

    Notes
    -----
    Of the last voltage and SoC of each rest (below 1/64 A) of half an hour or more. Null until five such rests whose
    SoC has a standard deviation of 5 %. The uncertainty comes from the residuals of the line, so a curve shows in it.

    References
    ----------
    Least squares; the open-circuit voltage at the end of a rest.

    Examples
    --------
    >>> compute(
    ...     "ocv_slope_v_per_percent", dt_s=1800, current_a=[0, 0, 0, 50] * 6,
    ...     voltage_v=[800 + 2 * (10 * (k // 4)) for k in range(24)], soc_percent=[10 * (k // 4) for k in range(24)]
    ... )
    2.0
    """

    name, unit = "ocv_slope_v_per_percent", "V/%"
    sequential_states = (Rests,)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``too_few_rests`` or ``no_soc_swing``."""
        told = totals.residue(Rests)
        points, soc, voltage, soc_soc, soc_voltage, voltage_voltage = (told[:, POINT_SUMS + x] for x in range(6))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            s_s = soc_soc - soc * soc / points
            s_v = soc_voltage - soc * voltage / points
            v_v = voltage_voltage - voltage * voltage / points
        spread = s_s >= MIN_DEVIATION_PERCENT * MIN_DEVIATION_PERCENT * points
        with defined_where({"too_few_rests": points >= MIN_POINTS, "no_soc_swing": spread}) as defined:
            slope = s_v / s_s
            return defined(slope, np.sqrt(not_negative(v_v - slope * s_v) / (points - 2) / s_s))
