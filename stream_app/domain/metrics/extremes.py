"""Smallest, mean and largest reading of SoC, voltage, current and power."""

from typing import ClassVar

import numpy as np

from stream_app.columns.arrays import BoolArray
from stream_app.domain.metrics._base import (
    MAX,
    MIN,
    SUM,
    AssetSpecs,
    Columns,
    Field,
    Metric,
    MetricValues,
    Samples,
    Totals,
    defined_where,
)


class _Extreme(Metric):
    timed = False
    column: ClassVar[str]

    def contribute(self, samples: Samples) -> Columns:
        """The reading itself."""
        return {"reading": getattr(samples, self.column)}

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_readings``."""
        with defined_where({"no_readings": np.isfinite(totals["reading"])}) as defined:
            return defined(totals["reading"])


class _Smallest(_Extreme):
    fields: ClassVar[dict[str, Field]] = {"reading": MIN}


class _Largest(_Extreme):
    fields: ClassVar[dict[str, Field]] = {"reading": MAX}


class _Mean(Metric):
    fields: ClassVar[dict[str, Field]] = {"reading_s": SUM, "read_s": SUM}
    column: ClassVar[str]
    #: Field or statistic: time with a reading.
    read_s: ClassVar[str] = "read_s"

    def contribute(self, samples: Samples) -> Columns:
        """MetricValues x duration, and the duration where there is a reading, unless a statistic has it."""
        reading = getattr(samples, self.column)
        held = {"reading_s": reading * samples.dt_s, "read_s": np.where(np.isnan(reading), 0.0, samples.dt_s)}
        return {name: held[name] for name in self.fields}

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_valid_steps``."""
        with defined_where({"no_valid_steps": totals[self.read_s] > 0}) as defined:
            return defined(totals["reading_s"] / totals[self.read_s])


class SocMin(_Smallest):
    """Smallest state of charge of any row [%].

    Examples
    --------
    >>> compute("soc_min_percent", soc_percent=[50, 51, 53])
    50.0
    """

    name, unit, column = "soc_min_percent", "%", "soc_percent"


class SocMean(_Mean):
    """Time-weighted mean state of charge [%].

    Examples
    --------
    >>> compute("soc_mean_percent", soc_percent=[50, 51, 53])
    50.5
    """

    name, unit, column = "soc_mean_percent", "%", "soc_percent"


class SocMax(_Largest):
    """Largest state of charge of any row [%].

    Examples
    --------
    >>> compute("soc_max_percent", soc_percent=[50, 51, 53])
    53.0
    """

    name, unit, column = "soc_max_percent", "%", "soc_percent"


def has_soc_if_any(totals: Totals) -> BoolArray:
    """Whether some valid step has a SoC, or none is valid; by the totals of who reads ``SocMean``."""
    known: BoolArray = (totals.of(SocMean)["read_s"] > 0) | (totals["valid_s"] <= 0)
    return known


class VoltageMin(_Smallest):
    """Smallest voltage of any row [V].

    Examples
    --------
    >>> compute("voltage_min_v", voltage_v=[900, 905, 890])
    890.0
    """

    name, unit, column = "voltage_min_v", "V", "voltage_v"


class VoltageMean(_Mean):
    """Time-weighted mean voltage [V].

    Examples
    --------
    >>> compute("voltage_mean_v", voltage_v=[900, 905, 890])
    902.5
    """

    name, unit, column = "voltage_mean_v", "V", "voltage_v"


class VoltageMax(_Largest):
    """Largest voltage of any row [V].

    Examples
    --------
    >>> compute("voltage_max_v", voltage_v=[900, 905, 890])
    905.0
    """

    name, unit, column = "voltage_max_v", "V", "voltage_v"


class CurrentMin(_Smallest):
    """Smallest current of any row, the strongest discharge [A].

    Examples
    --------
    >>> compute("current_min_a", current_a=[40, -10, 20])
    -10.0
    """

    name, unit, column = "current_min_a", "A", "current_a"


class CurrentMean(_Mean):
    """Time-weighted mean current, > 0 charging [A].

    Examples
    --------
    >>> compute("current_mean_a", current_a=[40, -10, 20])
    15.0
    """

    name, unit, column, read_s = "current_mean_a", "A", "current_a", "current_s"
    fields: ClassVar[dict[str, Field]] = {"reading_s": SUM}
    statistics = ("current_s",)


class CurrentMax(_Largest):
    """Largest current of any row, the strongest charge [A].

    Examples
    --------
    >>> compute("current_max_a", current_a=[40, -10, 20])
    40.0
    """

    name, unit, column = "current_max_a", "A", "current_a"


class PowerMin(_Smallest):
    """Smallest power of any row, measured or I V [W].

    Examples
    --------
    >>> compute("power_min_w", power_w=[400, -100, 200])
    -100.0
    """

    name, unit, column = "power_min_w", "W", "power_w"


class PowerMean(_Mean):
    """Time-weighted mean power, measured or I V, > 0 charging [W].

    Examples
    --------
    >>> compute("power_mean_w", power_w=[400, -100, 200])
    150.0
    """

    name, unit, column, read_s = "power_mean_w", "W", "power_w", "metered_s"
    fields: ClassVar[dict[str, Field]] = {"reading_s": SUM}
    statistics = ("metered_s",)


class PowerMax(_Largest):
    """Largest power of any row, measured or I V [W].

    Examples
    --------
    >>> compute("power_max_w", power_w=[400, -100, 200])
    400.0
    """

    name, unit, column = "power_max_w", "W", "power_w"
