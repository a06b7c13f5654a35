"""The line of the state of health over the lifetime, and when it meets a limit."""

from typing import ClassVar, NamedTuple

import numpy as np

from stream_app.columns.arrays import BoolArray, FloatArray
from stream_app.domain.capacity_trend import DAY_S
from stream_app.domain.metrics._base import AssetSpecs, Metric, MetricValues, Totals, defined_where, not_negative
from stream_app.domain.metrics.capacity import SohCapacity, agrees
from stream_app.domain.metrics.level_efficiency import is_balanced
from stream_app.domain.soc_levels import SPAN_PERCENT, SocLevels

MIN_DAYS = 10
#: A line over less than a season says nothing about years [d].
MIN_AGE_D = 90
YEAR_D = 365.25
AS_PER_AH = 3600
#: A fall is told from none by so many standard uncertainties.
CLEARLY = 2


class _Line(NamedTuple):
    """Weighted line of the charge of a span [As] over the day, of ``k`` assets, each array ``(k,)``."""

    age_d: FloatArray
    days: FloatArray
    spans: FloatArray
    day: FloatArray  # mean, in the middle of a day
    span_as: FloatArray  # mean
    days_squared: FloatArray  # sum of squares about the mean
    slope: FloatArray  # As per day
    scatter: FloatArray  # variance of one span by that of the days


def _line(totals: Totals) -> _Line:
    """The line; divisions by no spans are to be silent."""
    told = totals.residue(SocLevels)
    age_s, days, spans, t, q, tt, tq, qq = (told[:, x] for x in range(1, 9))
    mean_d, mean_as = t / spans, q / spans
    s_tt, s_tq, s_qq = tt - t * mean_d, tq - q * mean_d, qq - q * mean_as
    slope = s_tq / s_tt
    scatter = not_negative(s_qq - slope * s_tq) / (days - 2)
    return _Line(age_s / DAY_S, days, spans, mean_d + 0.5, mean_as, s_tt, slope, scatter)


def _as_per_percent(specs: AssetSpecs) -> FloatArray:
    """Charge of a span [As] per percent of the state of health."""
    return specs.capacity_ah * (AS_PER_AH * SPAN_PERCENT / 100 / 100)


def _checks(totals: Totals, specs: AssetSpecs) -> dict[str, BoolArray]:
    told = totals.residue(SocLevels)
    return {
        "lifetime_only": told[:, 0] > 0,
        "capacity_missing": specs.capacity_ah > 0,
        "too_few_days": told[:, 2] >= MIN_DAYS,
    }


def _gates(totals: Totals, line: _Line) -> dict[str, BoolArray]:
    of_soh = totals.of(SohCapacity)
    return {
        "too_short": line.age_d >= MIN_AGE_D,
        "charge_unbalanced": is_balanced(of_soh),
        "soc_lag_suspect": agrees(of_soh),
    }


class SohTrend(Metric):
    r"""Change of the state of health per year [%/a], < 0 where it fades; lifetime alone.

    .. math:: \frac{100}{C_{nom}} \cdot \frac{\sum_d n_d (t_d - \bar t)(C_d - \bar C)}{\sum_d n_d (t_d - \bar t)^2}

    Notes
    -----
    Slope of a line through the capacities of the days, each weighted with its n spans (``capacity_est``); t counts from
    the asset's first row. The uncertainty comes from the days' distances from the line, so it knows of noise, and of a
    SoC that wanders from day to day, but not of what lasts for months: warmer seasons, or a line that is a curve. A
    span whose charge is more than a fifth off that of the day before counts with that: a corrected SoC turns no line.

    Null until ten days have a span; gated until 90 days have passed, and where ``soh_capacity`` is.

    References
    ----------
    Weighted least squares; EU 2023/1542, Annex VII: capacity fade.

    Examples
    --------
    >>> compute(
    ...     "soh_trend_percent_per_year", dt_s=28_800, nominal_capacity_ah=120, spec={"max_gap_s": 30_000},
    ...     current_a=[(7.5 - 0.0015 * day) * sign for day in range(100) for sign in (1, -1, 0)],
    ...     soc_percent=[10, 60, 10] * 100
    ... )
    -7.30...
    """

    name, unit = "soh_trend_percent_per_year", "%/a"
    sequential_states = (SocLevels,)
    reads = (SohCapacity,)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``lifetime_only``, ``capacity_missing`` or ``too_few_days``.

        Gated by ``too_short``, ``charge_unbalanced`` and ``soc_lag_suspect``.
        """
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            line = _line(totals)
            per_year = YEAR_D / _as_per_percent(specs)
            sigma = np.sqrt(line.scatter / line.days_squared)
        with defined_where(_checks(totals, specs), _gates(totals, line)) as defined:
            return defined(line.slope * per_year, sigma * per_year)


class _DaysLeft(Metric):
    unit: ClassVar[str] = "d"
    sequential_states = (SocLevels,)
    reads = (SohCapacity,)
    _percent: ClassVar[float]

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``lifetime_only``, ``capacity_missing`` or ``too_few_days``.

        Gated by ``too_short``, ``charge_unbalanced``, ``soc_lag_suspect`` and ``no_trend``.
        """
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            line = _line(totals)
            after_d = (self._percent * _as_per_percent(specs) - line.span_as) / line.slope
            spread = line.scatter / line.spans + line.scatter * after_d * after_d / line.days_squared
            sigma_d = np.sqrt(spread) / np.abs(line.slope)
            falls = line.slope < -CLEARLY * np.sqrt(line.scatter / line.days_squared)
        with defined_where(_checks(totals, specs), {**_gates(totals, line), "no_trend": falls}) as defined:
            return defined(line.day + after_d - line.age_d, sigma_d)


class DaysToSoh80(_DaysLeft):
    r"""Days from the newest stamp until the state of health is 80 % [d]; lifetime alone.

    .. math:: \bar t + \frac{80 \% - \bar H}{b} - t

    Notes
    -----
    Where the line of ``soh_trend_percent_per_year`` (slope b through the mean H) meets 80 %; < 0 where it has. It goes
    on as it was: of a cell that ages faster in the end it says too much. Gated like the slope, and while that is not
    below 0 by two of its standard uncertainties.

    References
    ----------
    Inverse prediction by weighted least squares; 80 % is the usual end of the first life.

    Examples
    --------
    >>> compute(
    ...     "soh_80_percent_days_left", dt_s=28_800, nominal_capacity_ah=120, spec={"max_gap_s": 30_000},
    ...     current_a=[(7.5 - 0.0015 * day) * sign for day in range(100) for sign in (1, -1, 0)],
    ...     soc_percent=[10, 60, 10] * 100
    ... )
    900...
    """

    name, _percent = "soh_80_percent_days_left", 80.0


class DaysToSoh70(_DaysLeft):
    r"""Days from the newest stamp until the state of health is 70 % [d]; lifetime alone.

    .. math:: \bar t + \frac{70 \% - \bar H}{b} - t

    Notes
    -----
    As ``soh_80_percent_days_left``.

    References
    ----------
    Inverse prediction by weighted least squares; 70 % is what warranties of ten years promise.

    Examples
    --------
    >>> compute(
    ...     "soh_70_percent_days_left", dt_s=28_800, nominal_capacity_ah=120, spec={"max_gap_s": 30_000},
    ...     current_a=[(7.5 - 0.0015 * day) * sign for day in range(100) for sign in (1, -1, 0)],
    ...     soc_percent=[10, 60, 10] * 100
    ... )
    1400...
    """

    name, _percent = "soh_70_percent_days_left", 70.0
