"""How far the weakest cell and the hottest one are from the others."""

import numpy as np

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
from stream_app.domain.metrics._cell_mean import CellMean, weighed


class CellSpreadMean(CellMean):
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
    reading = "spread_v"


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


class CellSpreadRest(CellMean):
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
    reading, duration = "spread_v", "rest_s"

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_rest``."""
        with defined_where({"no_rest": totals["read_s"] > 0}) as defined:
            return defined(totals["reading_s"] / totals["read_s"])


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
    fields = {"loaded_as": SUM, "reading_s": SUM, "read_s": SUM}
    sequential_states = (CellReadings,)
    reads = (CellSpreadRest,)

    def contribute(self, samples: Samples) -> Columns:
        """|I| x duration, spread x duration and duration of the steps under load with a spread and a current."""
        told: CellRows | None = samples.events(CellReadings)
        if told is None:
            return {}
        loaded_as = np.where(np.isnan(told.spread_v), 0.0, told.loaded_as)
        return {"loaded_as": At(told.row, loaded_as), **weighed(told, told.spread_v, told.loaded_s)}

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_load`` or ``no_rest``."""
        rest = totals.of(CellSpreadRest)
        checks = {"no_load": totals["loaded_as"] > 0, "no_rest": rest["read_s"] > 0}
        with defined_where(checks) as defined:
            loaded_v, rest_v = totals["reading_s"] / totals["read_s"], rest["reading_s"] / rest["read_s"]
            return defined((loaded_v - rest_v) / (totals["loaded_as"] / totals["read_s"]))


class TemperatureSpreadMean(CellMean):
    """Time-weighted mean of the highest less the lowest cell temperature [K].

    Examples
    --------
    >>> compute("temperature_spread_mean_k", t_min_c=[20, 20, 20], t_max_c=[24, 26, 30])
    5.0
    """

    name, unit = "temperature_spread_mean_k", "K"
    reading = "spread_k"


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
