"""How much readings vary: root mean square of the current, standard deviations over time."""

from typing import ClassVar

import numpy as np

from stream_app.columns.arrays import FloatArray
from stream_app.domain.cell_readings import CellReadings, CellRows
from stream_app.domain.metrics._base import (
    SUM,
    AssetSpecs,
    At,
    Columns,
    Field,
    Metric,
    MetricValues,
    Samples,
    Totals,
    defined_where,
    not_negative,
)
from stream_app.domain.metrics.extremes import CurrentMean, SocMean, VoltageMean
from stream_app.domain.metrics.temperature import TemperatureMean


class CurrentRms(Metric):
    r"""Root mean square of the current over time [A]: the steady current that heats as much.

    .. math:: \sqrt{\frac{\sum I_k^2 \, dt_k}{\sum dt_k}}

    References
    ----------
    IEC 60050-103 (root-mean-square value).

    Examples
    --------
    >>> compute("current_rms_a", current_a=[30, -40, 0])
    35.35533905932738
    """

    name, unit = "current_rms_a", "A"
    fields = {"squared_s": SUM}
    statistics = ("current_s",)

    def contribute(self, samples: Samples) -> Columns:
        """I I dt."""
        return {"squared_s": samples.current_a * samples.current_a * samples.dt_s}

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_valid_steps``."""
        with defined_where({"no_valid_steps": totals["current_s"] > 0}) as defined:
            return defined(np.sqrt(totals["squared_s"] / totals["current_s"]))


def _deviation(squared_s: FloatArray, reading_s: FloatArray, read_s: FloatArray) -> MetricValues:
    with defined_where({"no_valid_steps": read_s > 0}) as defined:
        average = reading_s / read_s
        return defined(np.sqrt(not_negative(squared_s / read_s - average * average)))


class CurrentStd(Metric):
    """Standard deviation of the current over time [A]; finer than 1e-7 of the current it is not resolved.

    Examples
    --------
    >>> compute("current_std_a", current_a=[30, -40, 0])
    35.0
    """

    name, unit = "current_std_a", "A"
    reads = (CurrentMean, CurrentRms)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_valid_steps``."""
        of = totals.of(CurrentRms)
        return _deviation(of["squared_s"], totals.of(CurrentMean)["reading_s"], of["current_s"])


class _Std(Metric):
    fields: ClassVar[dict[str, Field]] = {"squared_s": SUM}

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_valid_steps``."""
        of = totals.of(self.reads[0])
        return _deviation(totals["squared_s"], of["reading_s"], of["read_s"])


class VoltageStd(_Std):
    """Standard deviation of the voltage over time [V]; finer than 1e-7 of the voltage it is not resolved.

    Examples
    --------
    >>> compute("voltage_std_v", voltage_v=[512, 514, 0])
    1.0
    """

    name, unit, reads = "voltage_std_v", "V", (VoltageMean,)

    def contribute(self, samples: Samples) -> Columns:
        """V V dt."""
        return {"squared_s": samples.voltage_v * samples.voltage_v * samples.dt_s}


class SocStd(_Std):
    """Standard deviation of the state of charge over time [%].

    Examples
    --------
    >>> compute("soc_std_percent", soc_percent=[20, 80, 0])
    30.0
    """

    name, unit, reads = "soc_std_percent", "%", (SocMean,)

    def contribute(self, samples: Samples) -> Columns:
        """S S dt."""
        return {"squared_s": samples.soc_percent * samples.soc_percent * samples.dt_s}


class TemperatureStd(_Std):
    """Standard deviation of the temperature over time [degC]; temperature as in ``temperature_mean_c``.

    Examples
    --------
    >>> compute("temperature_std_c", temperature_c=[20, 30, 0])
    5.0
    """

    name, unit, reads = "temperature_std_c", "degC", (TemperatureMean,)
    sequential_states = (CellReadings,)

    def contribute(self, samples: Samples) -> Columns:
        """T T dt."""
        told: CellRows | None = samples.events(CellReadings)
        return {} if told is None else {"squared_s": At(told.row, told.temperature_c * told.temperature_c * told.dt_s)}
