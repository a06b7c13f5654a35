"""Cycles of the state of charge, counted and metered where they close."""

import numpy as np

from stream_app.domain.metrics._base import (
    SUM,
    AssetSpecs,
    At,
    Binned,
    Columns,
    Contribution,
    Metric,
    MetricValues,
    Samples,
    Totals,
    defined_where,
    histogram,
)
from stream_app.domain.soc_loops import DEPTH_BIN_PERCENT, DEPTH_BINS, Loops, SocLoops

MIN_DEPTH_PERCENT = 50.0


def depth_bin(depth_percent: np.ndarray) -> np.ndarray:
    """Bin of a depth of discharge; deeper than 100 % counts in the last one."""
    return np.clip(depth_percent // DEPTH_BIN_PERCENT, 0, DEPTH_BINS - 1).astype(np.int64)


class RainflowCycles(Metric):
    """Cycles by depth of discharge, 20 bins of 5 %, 0-5 % first [1].

    Notes
    -----
    Full cycles of the four-point rainflow rule on SoC turning points (hysteresis 1 %); a cycle counts in the window
    where it closes. The lifetime also counts each leg of the residue as half a cycle, as ASTM E1049 does.

    References
    ----------
    ASTM E1049-85, rainflow counting.

    Examples
    --------
    >>> compute("rainflow_cycles", soc_percent=[20, 90, 60, 80, 10])[:5]
    [0.0, 0.0, 0.0, 0.0, 1.0]
    """

    name, unit, timed = "rainflow_cycles", "1", False
    fields = {"cycles": histogram(DEPTH_BINS), "soc_rows": SUM}
    sequential_states = (SocLoops,)

    def contribute(self, samples: Samples) -> Columns:
        """One per closed loop, in the bin of its depth."""
        columns: dict[str, Contribution] = {"soc_rows": (~np.isnan(samples.soc_percent)).astype(float)}
        loops: Loops | None = samples.events(SocLoops)
        if loops is not None:
            columns["cycles"] = Binned(depth_bin(loops.depth_percent), np.ones(len(loops.row)), loops.row)
        return columns

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``soc_missing``."""
        with defined_where({"soc_missing": totals["soc_rows"] > 0}) as defined:
            return defined(totals["cycles"] + totals.residue(SocLoops))


class RteLoop(Metric):
    r"""Round-trip efficiency of closed SoC loops: their energy out over their energy in [1].

    .. math:: \frac{\sum_{loops} E_{out}}{\sum_{loops} E_{in}}

    Notes
    -----
    A loop ends at the SoC where it began, so nothing stored is counted as lost and the open-circuit voltage cancels. A
    loop counts in the window where it closes, with all its energy; loops that span a gap in which the SoC moved are
    left out.
    Gated below 50 % of summed loop depth. The uncertainty comes from the SoC's resolution q at the ends of n loops:
    sigma / RTE = q sqrt(n / 6) / (sum of depths).

    References
    ----------
    Loops: four-point rule of ASTM E1049-85 with energy counters; compare the batch method of trips back to one SoC.

    Examples
    --------
    >>> compute("rte_loop", current_a=[-9, 10, -9, 10, 0], voltage_v=[900] * 5, soc_percent=[60, 20, 80, 20, 90])
    0.9
    """

    name, unit = "rte_loop", "1"
    fields = {"in_j": SUM, "out_j": SUM, "depth_percent": SUM, "loops": SUM}
    statistics = ("soc_resolution_percent",)
    sequential_states = (SocLoops,)

    def contribute(self, samples: Samples) -> Columns:
        """Energy and depth of the loops that close at the row."""
        loops: Loops | None = samples.events(SocLoops)
        if loops is None:
            return {}
        return {
            "in_j": At(loops.row, loops.energy_in_j * loops.whole),
            "out_j": At(loops.row, loops.energy_out_j * loops.whole),
            "depth_percent": At(loops.row, loops.depth_percent * loops.whole),
            "loops": At(loops.row, loops.whole),
        }

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_closed_loop`` or ``no_charge``; gated by ``insufficient_throughput``."""
        depth, loops = totals["depth_percent"], totals["loops"]
        checks = {"no_closed_loop": loops > 0, "no_charge": totals["in_j"] > 0}
        gates = {"insufficient_throughput": depth >= MIN_DEPTH_PERCENT}
        with defined_where(checks, gates) as defined:
            rte = totals["out_j"] / totals["in_j"]
            sigma = rte * totals["soc_resolution_percent"] * np.sqrt(loops / 6) / depth
            return defined(rte, sigma)
