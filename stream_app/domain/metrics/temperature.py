"""Temperature: smallest, mean, largest, and how much faster than at 25 degC it ages the cells."""

import numpy as np

from stream_app.domain.cell_readings import CellReadings, CellRows, temperature_c
from stream_app.domain.metrics._base import (
    MAX,
    MIN,
    SUM,
    AssetSpecs,
    At,
    Columns,
    Metric,
    MetricValues,
    Samples,
    Totals,
    defined_where,
)
from stream_app.domain.metrics._cell_mean import CellMean


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


class TemperatureMean(CellMean):
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
    reading = "temperature_c"


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
    sequential_states = (CellReadings,)
    reads = (TemperatureMean,)

    def contribute(self, samples: Samples) -> Columns:
        """Time at 25 degC that ages as much as the step."""
        told: CellRows | None = samples.events(CellReadings)
        return {} if told is None else {"aged_s": At(told.row, told.aged_s)}

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_valid_steps``."""
        read_s = totals.of(TemperatureMean)["read_s"]
        with defined_where({"no_valid_steps": read_s > 0}) as defined:
            return defined(totals["aged_s"] / read_s)
