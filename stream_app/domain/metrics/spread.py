"""How far the weakest cell and the hottest one are from the others."""

import numpy as np

from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.domain.cell_readings import CellReadings, CellRows, spread
from stream_app.domain.metrics._base import (
    MAX,
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


def _weighed(row: IntArray, spread_: FloatArray, dt_s: FloatArray) -> Columns:
    """Spread x duration, and the duration where there is a spread."""
    return {
        "spread_s": At(row, spread_ * dt_s),
        "read_s": At(row, np.where(np.isnan(spread_), 0.0, dt_s)),
    }


class CellSpreadMean(Metric):
    """Time-weighted mean of the highest less the lowest cell voltage [V].

    Notes
    -----
    Rows whose highest cell is below the lowest one are left out.

    References
    ----------
    SunSpec model 802, CellVMax and CellVMin.

    Examples
    --------
    >>> compute("cell_spread_mean_v", cell_v_min=[3.25, 3.25, 3.25], cell_v_max=[3.5, 4.0, 4.0])
    0.5
    """

    name, unit = "cell_spread_mean_v", "V"
    fields = {"spread_s": SUM, "read_s": SUM}
    sequential_states = (CellReadings,)

    def contribute(self, samples: Samples) -> Columns:
        """Spread x duration, and the duration where there is a spread."""
        told: CellRows | None = samples.events(CellReadings)
        return {} if told is None else _weighed(told.row, told.spread_v, told.dt_s)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_valid_steps``."""
        with defined_where({"no_valid_steps": totals["read_s"] > 0}) as defined:
            return defined(totals["spread_s"] / totals["read_s"])


class CellSpreadMax(Metric):
    """Largest difference of the highest and the lowest cell voltage of any row [V].

    Examples
    --------
    >>> compute("cell_spread_max_v", cell_v_min=[3.25, 3.25, 3.25], cell_v_max=[3.5, 4.0, 4.0])
    0.75
    """

    name, unit, timed = "cell_spread_max_v", "V", False
    fields = {"spread": MAX}

    def contribute(self, samples: Samples) -> Columns:
        """The spread."""
        return {"spread": spread(samples, "cell_v_min", "cell_v_max")}

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_readings``."""
        with defined_where({"no_readings": np.isfinite(totals["spread"])}) as defined:
            return defined(totals["spread"])


class CellSpreadRest(Metric):
    """Mean of the highest less the lowest cell voltage at rest [V]: cells of unequal charge or capacity.

    Notes
    -----
    Rest is a current below 1/64 A, whatever the capacity is.

    Examples
    --------
    >>> compute("cell_spread_rest_v", current_a=[0, 10, 0], cell_v_min=[3.25, 3.25, 3.25], cell_v_max=[3.5, 4, 4])
    0.25
    """

    name, unit = "cell_spread_rest_v", "V"
    fields = {"spread_s": SUM, "read_s": SUM}
    sequential_states = (CellReadings,)

    def contribute(self, samples: Samples) -> Columns:
        """Spread x duration and duration of the steps at rest with a spread."""
        told: CellRows | None = samples.events(CellReadings)
        return {} if told is None else _weighed(told.row, told.spread_v, told.rest_s)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_rest``."""
        with defined_where({"no_rest": totals["read_s"] > 0}) as defined:
            return defined(totals["spread_s"] / totals["read_s"])


class CellSpreadResistance(Metric):
    r"""Rise of the spread of the cell voltages with the current: the weakest cell's resistance beyond the best's [Ohm].

    .. math:: \frac{\overline{\Delta V}_{load} - \overline{\Delta V}_{rest}}{\overline{|I|}_{load}}

    Notes
    -----
    A spread that is there under load alone is resistance; one that stays at rest (``cell_spread_rest_v``) is charge or
    capacity. Rest is a current below 1/64 A, load any larger one.

    Examples
    --------
    >>> compute(
    ...     "cell_spread_resistance_ohm", current_a=[0, 10, 0], cell_v_min=[3.25, 3.25, 3.25], cell_v_max=[3.5, 4, 4]
    ... )
    0.05
    """

    name, unit = "cell_spread_resistance_ohm", "Ohm"
    fields = {"loaded_as": SUM, "spread_s": SUM, "read_s": SUM}
    sequential_states = (CellReadings,)
    reads = (CellSpreadRest,)

    def contribute(self, samples: Samples) -> Columns:
        """|I| x duration, spread x duration and duration of the steps under load with a spread and a current."""
        told: CellRows | None = samples.events(CellReadings)
        if told is None:
            return {}
        loaded_as = np.where(np.isnan(told.spread_v), 0.0, told.loaded_as)
        return {"loaded_as": At(told.row, loaded_as), **_weighed(told.row, told.spread_v, told.loaded_s)}

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_load`` or ``no_rest``."""
        rest = totals.of(CellSpreadRest)
        checks = {"no_load": totals["loaded_as"] > 0, "no_rest": rest["read_s"] > 0}
        with defined_where(checks) as defined:
            loaded_v, rest_v = totals["spread_s"] / totals["read_s"], rest["spread_s"] / rest["read_s"]
            return defined((loaded_v - rest_v) / (totals["loaded_as"] / totals["read_s"]))


class TemperatureSpreadMean(Metric):
    """Time-weighted mean of the highest less the lowest cell temperature [K].

    Examples
    --------
    >>> compute("temperature_spread_mean_k", t_min_c=[20, 20, 20], t_max_c=[24, 26, 30])
    5.0
    """

    name, unit = "temperature_spread_mean_k", "K"
    fields = {"spread_s": SUM, "read_s": SUM}
    sequential_states = (CellReadings,)

    def contribute(self, samples: Samples) -> Columns:
        """Spread x duration, and the duration where there is a spread."""
        told: CellRows | None = samples.events(CellReadings)
        return {} if told is None else _weighed(told.row, told.spread_k, told.dt_s)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_valid_steps``."""
        with defined_where({"no_valid_steps": totals["read_s"] > 0}) as defined:
            return defined(totals["spread_s"] / totals["read_s"])


class TemperatureSpreadMax(Metric):
    """Largest difference of the highest and the lowest cell temperature of any row [K].

    Examples
    --------
    >>> compute("temperature_spread_max_k", t_min_c=[20, 20, 20], t_max_c=[24, 26, 30])
    10.0
    """

    name, unit, timed = "temperature_spread_max_k", "K", False
    fields = {"spread": MAX}

    def contribute(self, samples: Samples) -> Columns:
        """The spread."""
        return {"spread": spread(samples, "t_min_c", "t_max_c")}

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_readings``."""
        with defined_where({"no_readings": np.isfinite(totals["spread"])}) as defined:
            return defined(totals["spread"])
