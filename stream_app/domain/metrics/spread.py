"""How far the weakest cell and the hottest one are from the others."""

import numpy as np

from stream_app.columns.arrays import FloatArray
from stream_app.domain.metrics._base import (
    MAX,
    SUM,
    AssetSpecs,
    Columns,
    Metric,
    MetricValues,
    Samples,
    Totals,
    defined_where,
)


def _spread(samples: Samples, low: str, high: str) -> FloatArray:
    """Highest less lowest reading; NaN where they are swapped, which no pack can be."""
    difference = samples[high] - samples[low]
    return np.where(difference >= 0, difference, np.nan)


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

    def contribute(self, samples: Samples) -> Columns:
        """Spread x duration, and the duration where there is a spread."""
        spread_v = _spread(samples, "cell_v_min", "cell_v_max")
        return {"spread_s": spread_v * samples.dt_s, "read_s": np.where(np.isnan(spread_v), 0.0, samples.dt_s)}

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
        return {"spread": _spread(samples, "cell_v_min", "cell_v_max")}

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_readings``."""
        with defined_where({"no_readings": np.isfinite(totals["spread"])}) as defined:
            return defined(totals["spread"])


class CellSpreadRest(Metric):
    """Mean of the highest less the lowest cell voltage at rest [V]: cells of unequal charge or capacity.

    Notes
    -----
    Rest as in ``idle_share``.

    Examples
    --------
    >>> compute("cell_spread_rest_v", current_a=[0, 10, 0], cell_v_min=[3.25, 3.25, 3.25], cell_v_max=[3.5, 4, 4])
    0.25
    """

    name, unit = "cell_spread_rest_v", "V"
    fields = {"spread_s": SUM, "read_s": SUM}

    def contribute(self, samples: Samples) -> Columns:
        """Spread x duration and duration of the steps at rest with a spread."""
        spread_v = _spread(samples, "cell_v_min", "cell_v_max")
        rests = samples.rest_step & ~np.isnan(spread_v)
        return {
            "spread_s": np.where(rests, spread_v * samples.dt_s, 0.0),
            "read_s": np.where(rests, samples.dt_s, 0.0),
        }

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
    capacity. Rest as in ``idle_share``.

    Examples
    --------
    >>> compute(
    ...     "cell_spread_resistance_ohm", current_a=[0, 10, 0], cell_v_min=[3.25, 3.25, 3.25], cell_v_max=[3.5, 4, 4]
    ... )
    0.05
    """

    name, unit = "cell_spread_resistance_ohm", "Ohm"
    fields = {"loaded_as": SUM, "spread_s": SUM, "read_s": SUM}
    reads = (CellSpreadRest,)

    def contribute(self, samples: Samples) -> Columns:
        """|I| x duration, spread x duration and duration of the steps under load with a spread and a current."""
        spread_v = _spread(samples, "cell_v_min", "cell_v_max")
        loaded = samples.valid & ~samples.rest_step & ~np.isnan(spread_v) & ~np.isnan(samples.current_a)
        return {
            "loaded_as": np.where(loaded, np.abs(samples.current_a) * samples.dt_s, 0.0),
            "spread_s": np.where(loaded, spread_v * samples.dt_s, 0.0),
            "read_s": np.where(loaded, samples.dt_s, 0.0),
        }

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

    def contribute(self, samples: Samples) -> Columns:
        """Spread x duration, and the duration where there is a spread."""
        spread_k = _spread(samples, "t_min_c", "t_max_c")
        return {"spread_s": spread_k * samples.dt_s, "read_s": np.where(np.isnan(spread_k), 0.0, samples.dt_s)}

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
        return {"spread": _spread(samples, "t_min_c", "t_max_c")}

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_readings``."""
        with defined_where({"no_readings": np.isfinite(totals["spread"])}) as defined:
            return defined(totals["spread"])
