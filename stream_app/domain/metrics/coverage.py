"""Share of the time that the rows cover, and the gaps between them."""

import numpy as np

from stream_app.domain.metrics._base import AssetSpecs, Metric, MetricValues, Totals, defined_where


class Coverage(Metric):
    r"""Share of the window that valid steps cover [1]; the lifetime runs from the first to the last stamp.

    .. math:: \min\left(1, \frac{\sum dt_k}{T}\right)

    Notes
    -----
    A step belongs to the window in which it begins, so the last step of a window may reach into the next one: the share
    is cut at 1.

    Examples
    --------
    >>> compute("coverage", current_a=[1, 2, 3])
    1.0
    """

    name, unit, timed = "coverage", "1", False
    statistics = ("valid_s",)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_time`` while all rows share one stamp."""
        with defined_where({"no_time": totals.span_s > 0}) as defined:
            return defined(np.minimum(totals["valid_s"] / totals.span_s, 1.0))


class GapCount(Metric):
    """Gaps: steps longer than the gap limit, which is the spec's or else ten periods and at least 15 minutes [1].

    Examples
    --------
    >>> compute("gap_count", current_a=[1, 2, 3])
    0.0
    """

    name, unit, timed, count = "gap_count", "1", False, True
    statistics = ("gaps",)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Never null."""
        with defined_where({}) as defined:
            return defined(totals["gaps"])


class GapTime(Metric):
    """Time in gaps, all of a gap in the window where it begins [s].

    Examples
    --------
    >>> compute("gap_s", dt_s=7200, current_a=[1, 2])
    7200.0
    """

    name, unit, timed = "gap_s", "s", False
    statistics = ("gap_s",)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Never null."""
        with defined_where({}) as defined:
            return defined(totals["gap_s"])
