"""What is missing in the data or cannot be true."""

import numpy as np

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
    not_negative,
)
from stream_app.domain.signal_steps import SignalSteps


class GapLongest(Metric):
    """Longest gap, of those that begin in the window [s]; 0 without a gap.

    Examples
    --------
    >>> compute("gap_longest_s", time_s=[0, 1, 2, 50_000, 50_001, 70_000], current_a=[1] * 6)
    49998.0
    """

    name, unit, timed = "gap_longest_s", "s", False
    fields = {"gap_s": MAX}

    def contribute(self, samples: Samples) -> Columns:
        """The gap that begins with the row."""
        return {"gap_s": samples.gap_s}

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Never null."""
        with defined_where({}) as defined:
            return defined(not_negative(totals["gap_s"]))


class IncompleteRows(Metric):
    """Rows without a power (measured, or current and voltage) or without a state of charge [1].

    Examples
    --------
    >>> compute("incomplete_rows", current_a=[1, None, 1], voltage_v=[900, 900, 900], soc_percent=[50, 50, None])
    2.0
    """

    name, unit, timed, count = "incomplete_rows", "1", False, True
    fields = {"rows": SUM}

    def contribute(self, samples: Samples) -> Columns:
        """1 for such a row."""
        return {"rows": (np.isnan(samples.power_w) | np.isnan(samples.soc_percent)).astype(float)}

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Never null."""
        with defined_where({}) as defined:
            return defined(totals["rows"])


class Frozen(Metric):
    """Time in which current and voltage both stood still for ten minutes or more, under load [s]; lifetime alone.

    Notes
    -----
    Under a load of at least a tenth of the largest current so far the voltage moves: readings that do not are old ones
    that a gateway repeats.

    Examples
    --------
    >>> compute("frozen_s", dt_s=60, current_a=[10] * 12, voltage_v=[900] * 12)
    660.0
    """

    name, unit = "frozen_s", "s"
    sequential_states = (SignalSteps,)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``too_few_steps``."""
        told = totals.residue(SignalSteps)
        with defined_where({"too_few_steps": told[:, 1] > 0}) as defined:
            return defined(told[:, 0])
