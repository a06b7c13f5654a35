"""Temperature: smallest, mean, largest, and how much faster than at 25 degC it ages the cells."""

import numpy as np

from stream_app.columns.arrays import FloatArray
from stream_app.domain.metrics._base import (
    MAX,
    MIN,
    SUM,
    AssetSpecs,
    Columns,
    Metric,
    MetricValues,
    Samples,
    Totals,
    defined_where,
)
from stream_app.domain.temperature_dwell import temperature_c

KELVIN = 273.15
REFERENCE_K = 298.15
#: Activation energy [J/mol] over the gas constant [J/(mol K)]: K.
ACTIVATION_K = 50_000 / 8.314462618
#: The exponential of x is that of x / 2^HALVINGS, by its series, squared as often.
_HALVINGS = 5
_TERMS = 12


class _Extreme(Metric):
    unit, timed = "degC", False

    def contribute(self, samples: Samples) -> Columns:
        """The temperature."""
        return {"reading": temperature_c(samples)}

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_readings``."""
        with defined_where({"no_readings": np.isfinite(totals["reading"])}) as defined:
            return defined(totals["reading"])


class TemperatureMin(_Extreme):
    """Smallest temperature of any row [degC]; temperature as in ``temperature_mean_c``.

    Examples
    --------
    >>> compute("temperature_min_c", temperature_c=[20, 25, 30])
    20.0
    """

    name, fields = "temperature_min_c", {"reading": MIN}


class TemperatureMax(_Extreme):
    """Largest temperature of any row [degC]; temperature as in ``temperature_mean_c``.

    Examples
    --------
    >>> compute("temperature_max_c", temperature_c=[20, 25, 30])
    30.0
    """

    name, fields = "temperature_max_c", {"reading": MAX}


class TemperatureMean(Metric):
    """Time-weighted mean temperature [degC].

    Notes
    -----
    It is the measured temperature; without one the middle of the lowest and the highest cell's.

    Examples
    --------
    >>> compute("temperature_mean_c", temperature_c=[20, 25, 30])
    22.5
    """

    name, unit = "temperature_mean_c", "degC"
    fields = {"reading_s": SUM, "read_s": SUM}

    def contribute(self, samples: Samples) -> Columns:
        """Temperature x duration, and the duration where there is a temperature."""
        celsius = temperature_c(samples)
        return {"reading_s": celsius * samples.dt_s, "read_s": np.where(np.isnan(celsius), 0.0, samples.dt_s)}

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_valid_steps``."""
        with defined_where({"no_valid_steps": totals["read_s"] > 0}) as defined:
            return defined(totals["reading_s"] / totals["read_s"])


def _exponential(x: FloatArray) -> FloatArray:
    """Exponential of moderate numbers within 1e-13, of sums and products alone: the same bits everywhere."""
    part = x / 2.0**_HALVINGS
    series = 1 + part / _TERMS
    for term in range(_TERMS - 1, 0, -1):
        series = 1 + part / term * series
    for _ in range(_HALVINGS):
        series = series * series
    return series


class ThermalAcceleration(Metric):
    r"""How much faster the cells age by the calendar than at 25 degC, by their temperature [1].

    .. math:: \frac{\sum_k e^{\frac{E_a}{R} (\frac{1}{298.15 K} - \frac{1}{T_k})} dt_k}{\sum_k dt_k}

    Notes
    -----
    Activation energy 50 kJ/mol, a usual one of lithium-ion: the rate doubles about every 11 K. Times the elapsed time
    it is the equivalent time at 25 degC. Readings beyond -60 to 150 degC count as these. Temperature as in
    ``temperature_mean_c``.

    References
    ----------
    Arrhenius' law.

    Examples
    --------
    >>> compute("thermal_acceleration", temperature_c=[25, 25])
    1.0
    """

    name, unit = "thermal_acceleration", "1"
    fields = {"aged_s": SUM}
    reads = (TemperatureMean,)

    def contribute(self, samples: Samples) -> Columns:
        """Time at 25 degC that ages as much as the step."""
        kelvin = np.clip(temperature_c(samples), -60.0, 150.0) + KELVIN
        return {"aged_s": _exponential(ACTIVATION_K * (1 / REFERENCE_K - 1 / kelvin)) * samples.dt_s}

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_valid_steps``."""
        read_s = totals.of(TemperatureMean)["read_s"]
        with defined_where({"no_valid_steps": read_s > 0}) as defined:
            return defined(totals["aged_s"] / read_s)
