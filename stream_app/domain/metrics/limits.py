"""Time outside the limits of temperature and state of charge that the spec states."""

from typing import Any, ClassVar

import numpy as np

from stream_app.columns.arrays import BoolArray, FloatArray
from stream_app.domain.cell_readings import BIN_K, BINS, LOWEST_C, CellReadings
from stream_app.domain.metrics._base import AssetSpecs, Metric, MetricValues, Totals, defined_where
from stream_app.domain.metrics.soc_dwell import BIN_PERCENT, SocDwell
from stream_app.domain.metrics.soc_dwell import BINS as SOC_BINS

#: Lower edge of each bin.
_EDGES_C = tuple(LOWEST_C + BIN_K * x for x in range(BINS))
_EDGES_PERCENT = tuple(BIN_PERCENT * x for x in range(SOC_BINS))
#: A limit above is at least this, one below at most (see the spec): bins on the other side never count.
LEAST_HIGH_C, MOST_LOW_C = 25.0, 20.0
LEAST_HIGH_PERCENT, MOST_LOW_PERCENT = 50.0, 50.0


def _above(seconds: Any, edges: tuple[float, ...], limit: FloatArray, least: float) -> FloatArray:
    """Time in the bins from a limit on."""
    parts = [np.where(limit <= edge, seconds[:, x], 0.0) for x, edge in enumerate(edges) if edge >= least]
    return sum(parts[1:], parts[0])


def _below(seconds: Any, edges: tuple[float, ...], limit: FloatArray, most: float) -> FloatArray:
    """Time in the bins up to a limit."""
    parts = [np.where(limit > edge, seconds[:, x], 0.0) for x, edge in enumerate(edges) if edge < most]
    return sum(parts[1:], parts[0])


def _known(seconds: FloatArray) -> BoolArray:
    known: BoolArray = seconds.sum(axis=1) > 0
    return known


class TemperatureDwellTime(Metric):
    """Time in 20 bins of the temperature, -30 to -25 degC first [s]; lifetime alone.

    Notes
    -----
    Readings beyond -30 to 70 degC count in the outer bins. Temperature as in ``temperature_mean_c``.

    References
    ----------
    DIN DKE SPEC 99100, 6.7.7.5 to 6.7.7.8, and the battery passport's data model (dwell by interval).

    Examples
    --------
    >>> compute("temperature_dwell_s", temperature_c=[21, 24, 26, 30])[10:12]
    [2.0, 1.0]
    """

    name, unit = "temperature_dwell_s", "s"
    sequential_states = (CellReadings,)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_valid_steps``."""
        seconds = totals.residue(CellReadings)[:, :BINS]
        with defined_where({"no_valid_steps": _known(seconds)}) as defined:
            return defined(seconds)


class _Hot(Metric):
    unit: ClassVar[str] = "s"
    sequential_states = (CellReadings,)
    _bins: ClassVar[slice] = slice(0, BINS)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``limit_missing`` or ``no_valid_steps``."""
        told = totals.residue(CellReadings)
        checks = {"limit_missing": ~np.isnan(specs.hot_c), "no_valid_steps": _known(told[:, :BINS])}
        with defined_where(checks) as defined:
            return defined(_above(told[:, self._bins], _EDGES_C, specs.hot_c, LEAST_HIGH_C))


class _Cold(Metric):
    unit: ClassVar[str] = "s"
    sequential_states = (CellReadings,)
    _bins: ClassVar[slice] = slice(0, BINS)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``limit_missing`` or ``no_valid_steps``."""
        told = totals.residue(CellReadings)
        checks = {"limit_missing": ~np.isnan(specs.cold_c), "no_valid_steps": _known(told[:, :BINS])}
        with defined_where(checks) as defined:
            return defined(_below(told[:, self._bins], _EDGES_C, specs.cold_c, MOST_LOW_C))


class TimeHot(_Hot):
    """Time at or above the highest temperature allowed [s]; lifetime alone.

    References
    ----------
    EU 2023/1542, Annex VII B; DIN DKE SPEC 99100, 6.7.7.5.

    Examples
    --------
    >>> compute("time_hot_s", spec={"temperature_high_c": 45}, temperature_c=[40, 45, 50, 20])
    2.0
    """

    name = "time_hot_s"


class TimeHotCharging(_Hot):
    """Time at or above the highest temperature allowed while charging [s]; lifetime alone.

    References
    ----------
    EU 2023/1542, Annex VII B; DIN DKE SPEC 99100, 6.7.7.7.

    Examples
    --------
    >>> compute(
    ...     "time_hot_charging_s", spec={"temperature_high_c": 45}, temperature_c=[40, 45, 50, 20],
    ...     current_a=[1, 1, -1, 0]
    ... )
    1.0
    """

    name, _bins = "time_hot_charging_s", slice(BINS, 2 * BINS)


class TimeCold(_Cold):
    """Time below the lowest temperature allowed [s]; lifetime alone.

    References
    ----------
    EU 2023/1542, Annex VII B; DIN DKE SPEC 99100, 6.7.7.6.

    Examples
    --------
    >>> compute("time_cold_s", spec={"temperature_low_c": 0}, temperature_c=[-10, -1, 0, 20])
    2.0
    """

    name = "time_cold_s"


class TimeColdCharging(_Cold):
    """Time below the lowest temperature allowed while charging [s]; lifetime alone.

    References
    ----------
    EU 2023/1542, Annex VII B; DIN DKE SPEC 99100, 6.7.7.8.

    Examples
    --------
    >>> compute(
    ...     "time_cold_charging_s", spec={"temperature_low_c": 0}, temperature_c=[-10, -1, 0, 20],
    ...     current_a=[1, -1, 1, 0]
    ... )
    1.0
    """

    name, _bins = "time_cold_charging_s", slice(BINS, 2 * BINS)


class TimeSocHigh(Metric):
    """Time at or above the highest state of charge allowed [s].

    References
    ----------
    DIN DKE SPEC 99100, 6.7.8.3 (overcharge); here by the SoC.

    Examples
    --------
    >>> compute("time_soc_high_s", spec={"soc_high_percent": 90}, soc_percent=[50, 90, 95, 20])
    2.0
    """

    name, unit = "time_soc_high_s", "s"
    reads = (SocDwell,)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``limit_missing`` or ``no_valid_steps``."""
        seconds = totals.of(SocDwell)["seconds"]
        checks = {"limit_missing": ~np.isnan(specs.soc_high_percent), "no_valid_steps": _known(seconds)}
        with defined_where(checks) as defined:
            return defined(_above(seconds, _EDGES_PERCENT, specs.soc_high_percent, LEAST_HIGH_PERCENT))


class TimeSocLow(Metric):
    """Time below the lowest state of charge allowed [s].

    References
    ----------
    DIN DKE SPEC 99100, 6.7.8.2 (deep discharge); here by the SoC.

    Examples
    --------
    >>> compute("time_soc_low_s", spec={"soc_low_percent": 10}, soc_percent=[5, 9.9, 10, 20])
    2.0
    """

    name, unit = "time_soc_low_s", "s"
    reads = (SocDwell,)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``limit_missing`` or ``no_valid_steps``."""
        seconds = totals.of(SocDwell)["seconds"]
        checks = {"limit_missing": ~np.isnan(specs.soc_low_percent), "no_valid_steps": _known(seconds)}
        with defined_where(checks) as defined:
            return defined(_below(seconds, _EDGES_PERCENT, specs.soc_low_percent, MOST_LOW_PERCENT))


class SocWithinLimits(Metric):
    """Share of the time with a known state of charge that it is within the limits [1].

    Notes
    -----
    The time is that of ``soc_dwell_s``; a limit that the spec lacks does not limit. How much of the time was reported
    at all is ``coverage``.

    References
    ----------
    Operating range of the asset's warranty, as ``soc_low_percent`` and ``soc_high_percent`` of the spec.

    Examples
    --------
    >>> compute(
    ...     "soc_within_limits_share", spec={"soc_low_percent": 10, "soc_high_percent": 90},
    ...     soc_percent=[5, 10, 50, 90, 50]
    ... )
    0.5
    """

    name, unit = "soc_within_limits_share", "1"
    reads = (SocDwell,)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``limit_missing`` or ``no_valid_steps``."""
        seconds, low, high = totals.of(SocDwell)["seconds"], specs.soc_low_percent, specs.soc_high_percent
        has_limit = ~np.isnan(low) | ~np.isnan(high)
        with defined_where({"limit_missing": has_limit, "no_valid_steps": _known(seconds)}) as defined:
            outside_s = _above(seconds, _EDGES_PERCENT, high, LEAST_HIGH_PERCENT)
            outside_s = outside_s + _below(seconds, _EDGES_PERCENT, low, MOST_LOW_PERCENT)
            return defined(1 - outside_s / seconds.sum(axis=1))


class TemperatureWithinLimits(Metric):
    """Share of the time with a known temperature that it is within the limits [1]; lifetime alone.

    Notes
    -----
    The time is that of ``temperature_dwell_s``; a limit that the spec lacks does not limit.

    References
    ----------
    Operating range of the asset's warranty, as ``temperature_low_c`` and ``temperature_high_c`` of the spec.

    Examples
    --------
    >>> compute(
    ...     "temperature_within_limits_share", spec={"temperature_low_c": 0, "temperature_high_c": 45},
    ...     temperature_c=[-5, 0, 20, 45, 20]
    ... )
    0.5
    """

    name, unit = "temperature_within_limits_share", "1"
    sequential_states = (CellReadings,)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``limit_missing`` or ``no_valid_steps``."""
        seconds = totals.residue(CellReadings)[:, :BINS]
        has_limit = ~np.isnan(specs.cold_c) | ~np.isnan(specs.hot_c)
        with defined_where({"limit_missing": has_limit, "no_valid_steps": _known(seconds)}) as defined:
            outside_s = _above(seconds, _EDGES_C, specs.hot_c, LEAST_HIGH_C)
            outside_s = outside_s + _below(seconds, _EDGES_C, specs.cold_c, MOST_LOW_C)
            return defined(1 - outside_s / seconds.sum(axis=1))
