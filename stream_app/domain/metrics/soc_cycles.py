"""Cycles of the state of charge, counted and metered where they close."""

import numpy as np

from stream_app.domain.metrics._base import (
    SUM,
    AssetSpecs,
    At,
    Binned,
    Columns,
    Metric,
    MetricValues,
    Samples,
    Totals,
    defined_where,
    histogram,
    measured_if_any,
)
from stream_app.domain.metrics.extremes import SocMax, SocMean, has_soc_if_any
from stream_app.domain.metrics.level_efficiency import is_balanced
from stream_app.domain.soc_levels import SocLevels
from stream_app.domain.soc_loops import DEPTH_BIN_PERCENT, DEPTH_BINS, EDGE_PERCENT, Loops, SocLoops

MIN_DEPTH_PERCENT = 50.0
MIN_LOOPS = 3
#: Uncertainty of the method itself: readings that hold until the next one, sampling.
SIGMA_FLOOR = 0.0002


def depth_bin(depth_percent: np.ndarray) -> np.ndarray:
    """Bin of a depth of discharge; deeper than 100 % counts in the last one."""
    return np.clip((depth_percent + EDGE_PERCENT) // DEPTH_BIN_PERCENT, 0, DEPTH_BINS - 1).astype(np.int64)


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
    fields = {"cycles": histogram(DEPTH_BINS)}
    sequential_states = (SocLoops,)
    reads = (SocMax,)

    def contribute(self, samples: Samples) -> Columns:
        """One per closed loop, in the bin of its depth."""
        loops: Loops | None = samples.events(SocLoops)
        if loops is None:
            return {}
        return {"cycles": Binned(depth_bin(loops.depth_percent), np.ones(len(loops.row)), loops.row)}

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``soc_missing``."""
        with defined_where({"soc_missing": np.isfinite(totals.of(SocMax)["reading"])}) as defined:
            return defined(totals["cycles"] + totals.residue(SocLoops))


class RteLoop(Metric):
    r"""Round-trip efficiency of closed SoC loops: their energy out over their energy in [1].

    .. math:: \frac{\sum_{loops} E_{out}}{\sum_{loops} E_{in}}

    Notes
    -----
    A loop ends at the SoC where it began, so nothing stored is counted as lost and the open-circuit voltage cancels. A
    loop counts in the window where it closes, with all its energy; loops that span a gap in which the SoC moved are
    left out.

    The uncertainty is that of a ratio estimator, from the scatter of the loops, and at least 0.0005, the method's own.
    Null below three loops; gated below 50 % of summed loop depth, and where charge out over charge in leaves 0.985 to
    1.005, as ``rte_level`` is, which is the one to quote.

    References
    ----------
    Loops: four-point rule of ASTM E1049-85 with energy counters; ratio estimator: Cochran, Sampling Techniques.

    Examples
    --------
    >>> compute(
    ...     "rte_loop", current_a=[10, -9.9] * 4, voltage_v=[900] * 8,
    ...     soc_percent=[20, 80, 20.1, 79.9, 20.2, 79.8, 20.3, 81]
    ... )
    0.99
    """

    name, unit, version = "rte_loop", "1", 2
    fields = {
        "in_j": SUM,
        "out_j": SUM,
        "depth_percent": SUM,
        "loops": SUM,
        "in_in": SUM,
        "in_out": SUM,
        "out_out": SUM,
    }
    statistics = ("valid_s", "metered_s", "trip_in_as", "trip_out_as")
    sequential_states = (SocLoops, SocLevels)
    reads = (SocMean,)

    def contribute(self, samples: Samples) -> Columns:
        """Energy and depth of the loops that close at the row, and squares and products of the energies [J2]."""
        loops: Loops | None = samples.events(SocLoops)
        if loops is None:
            return {}
        in_j, out_j = loops.energy_in_j * loops.whole, loops.energy_out_j * loops.whole
        return {
            "in_j": At(loops.row, in_j),
            "out_j": At(loops.row, out_j),
            "depth_percent": At(loops.row, loops.depth_percent * loops.whole),
            "loops": At(loops.row, loops.whole),
            "in_in": At(loops.row, in_j * in_j),
            "in_out": At(loops.row, in_j * out_j),
            "out_out": At(loops.row, out_j * out_j),
        }

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``soc_missing``, ``power_missing``, ``no_closed_loop`` or ``no_charge``.

        Gated by ``too_few_loops``, ``insufficient_throughput`` and ``charge_unbalanced``.
        """
        loops, in_j = totals["loops"], totals["in_j"]
        checks = {
            "soc_missing": (loops > 0) | has_soc_if_any(totals),
            "power_missing": (loops > 0) | measured_if_any(totals, "metered_s"),
            "no_closed_loop": loops > 0,
            "no_charge": in_j > 0,
        }
        gates = {
            "too_few_loops": loops >= MIN_LOOPS,
            "insufficient_throughput": totals["depth_percent"] >= MIN_DEPTH_PERCENT,
            "charge_unbalanced": is_balanced(totals),
        }
        with defined_where(checks, gates) as defined:
            rte = totals["out_j"] / in_j
            scatter = totals["out_out"] - 2 * rte * totals["in_out"] + rte * rte * totals["in_in"]
            sigma = np.sqrt(loops / (loops - 1) * np.maximum(scatter, 0.0)) / in_j
            return defined(rte, np.sqrt(sigma * sigma + SIGMA_FLOOR * SIGMA_FLOOR))
