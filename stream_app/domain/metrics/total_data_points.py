"""Number of rows."""

from stream_app.domain.metrics._base import AssetSpecs, Metric, MetricValues, Totals, defined_where


class TotalDataPoints(Metric):
    """Rows applied [1], whatever their quality; rejected and late rows are not among them.

    References
    ----------
    API v1 of the batch service.

    Examples
    --------
    >>> compute("total_data_points", current_a=[1, 2, 3])
    3.0
    """

    name, unit, timed, count = "total_data_points", "1", False, True
    statistics = ("rows",)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Never null."""
        with defined_where({}) as defined:
            return defined(totals["rows"])
