"""Time spent in each range of the state of charge."""

import numpy as np

from stream_app.domain.metrics._base import (
    AssetSpecs,
    Binned,
    Columns,
    Metric,
    MetricValues,
    Samples,
    Totals,
    defined_where,
    even_bins,
    histogram,
)

BINS = 10
BIN_PERCENT = 100 / BINS


class SocDwell(Metric):
    """Time in ten bins of SoC, 0-10 % first [s]; readings outside 0-100 % count in the outer bins.

    References
    ----------
    DIN DKE SPEC 99100 and the battery passport's data model (dwell by SoC interval).

    Examples
    --------
    >>> compute("soc_dwell_s", soc_percent=[5, 5, 95, 95])
    [2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    """

    name, unit = "soc_dwell_s", "s"
    fields = {"seconds": histogram(BINS)}

    def contribute(self, samples: Samples) -> Columns:
        """The step's duration, in the bin of its SoC."""
        soc = samples.soc_percent
        bins = even_bins(soc, BIN_PERCENT, BINS)
        return {"seconds": Binned(bins, np.where(np.isnan(soc), 0.0, samples.dt_s))}

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_valid_steps``."""
        with defined_where({"no_valid_steps": totals["seconds"].sum(axis=1) > 0}) as defined:
            return defined(totals["seconds"])
