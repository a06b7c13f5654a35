"""Capacity by the charge between levels of the state of charge, and the state of health that follows."""

import numpy as np

from stream_app.columns.arrays import BoolArray, FloatArray
from stream_app.domain.metrics._base import AssetSpecs, Metric, MetricValues, Totals, defined_where, measured_if_any
from stream_app.domain.metrics.extremes import SocMean, has_soc_if_any
from stream_app.domain.metrics.level_efficiency import MIN_TRIPS, is_balanced
from stream_app.domain.soc_levels import SPAN_PERCENT, SocLevels

MIN_SPANS = 2
#: Largest difference to the capacity by all that moved the SoC.
MAX_DIFFERENCE = 0.03
#: What :func:`agrees` compares.
OF_SPANS = ("spans", "span_in_as", "span_out_as", "soc_moved_as", "soc_in_percent", "soc_out_percent")
_OF_BOTH = (
    *OF_SPANS,
    *("span_in_in", "span_in_out", "span_out_out"),
    *("charge_trips", "trip_in_as", "trip_out_as", "trip_s", "span_s"),
    "valid_s",
    "current_s",
)
AS_PER_AH = 3600
#: Share of the loss of charge that goes by time (leakage, standby, an offset of the sensor); the rest goes by charge.
SHARE_BY_TIME = 0.5
#: Its standard uncertainty: anything from 0 to 1 is as likely.
SHARE_SIGMA = 12**-0.5
#: Uncertainty of the method itself, as a share: readings that hold until the next one.
RELATIVE_SIGMA_FLOOR = 0.0001


def _capacity_ah(totals: Totals) -> tuple[FloatArray, FloatArray]:
    """Capacity and its standard uncertainty; divisions by no spans are to be silent.

    Charge is lost, so a span takes more on the way up than it gives on the way down: each direction takes half of the
    loss that the trips show, by the root of their coulombic efficiency. That is right where the loss goes by charge.
    Where it goes by time, spans of the slower direction have more of it. No telemetry tells the two apart.
    """
    spans, in_as, out_as = totals["spans"], totals["trip_in_as"], totals["trip_out_as"]
    trip_s = totals["trip_s"]
    shown = (totals["charge_trips"] >= MIN_TRIPS) & (in_as > 0) & (trip_s > 0) & is_balanced(totals)
    efficiency = np.where(shown, out_as / np.where(shown, in_as, 1.0), 1.0)
    root = np.sqrt(efficiency)
    span_as = root * totals["span_in_as"] - totals["span_out_as"] / root
    mean_as = span_as / spans
    # What the mean lacks if all of the loss goes by time.
    by_charge_as = (totals["span_in_as"] + totals["span_out_as"]) / 2
    by_time_as = np.where(shown, in_as, 0.0) / np.where(shown, trip_s, 1.0) * totals["span_s"]
    lacks_as = (1 - efficiency) * (by_charge_as - by_time_as) / spans
    squares = efficiency * totals["span_in_in"] - 2 * totals["span_in_out"] + totals["span_out_out"] / efficiency
    scatter = squares - span_as * mean_as
    sigma_as = few_factor(spans) * np.sqrt(np.maximum(scatter, 0.0) / (spans - 1) / spans)
    share_as, floor_as = SHARE_SIGMA * lacks_as, RELATIVE_SIGMA_FLOOR * mean_as
    to_ah = 100 / SPAN_PERCENT / AS_PER_AH
    capacity_ah = to_ah * (mean_as + SHARE_BY_TIME * lacks_as)
    return capacity_ah, to_ah * np.sqrt(sigma_as * sigma_as + share_as * share_as + floor_as * floor_as)


def few_factor(count: FloatArray) -> FloatArray:
    """By how much the standard uncertainty of a mean of few is wider, so that twice of it holds 95.45 %.

    Half the quantile of Student's distribution with one degree of freedom less, within 2 %.
    """
    freedom = count - 1
    return freedom / (freedom - 1.22 + 0.363 / (freedom * freedom))


def _checks(totals: Totals) -> dict[str, BoolArray]:
    """What must hold for a capacity."""
    spans = totals["spans"]
    return {
        "soc_missing": (spans > 0) | has_soc_if_any(totals),
        "current_missing": (spans > 0) | measured_if_any(totals, "current_s"),
        "too_few_spans": spans >= MIN_SPANS,
        "no_charge": totals["span_in_as"] > totals["span_out_as"],
    }


def agrees(totals: Totals) -> BoolArray:
    """Whether all charge over all change of the SoC gives nearly the same capacity.

    It does not where the SoC lags behind: then what is in the steps of a turn belongs to the steps before.
    """
    moved_percent = totals["soc_in_percent"] + totals["soc_out_percent"]
    span_as = totals["span_in_as"] - totals["span_out_as"]
    with np.errstate(over="ignore", invalid="ignore"):
        by_span = 100 / SPAN_PERCENT * span_as * moved_percent
        by_all = 100 * totals["soc_moved_as"] * totals["spans"]
        inside: BoolArray = np.abs(by_all - by_span) <= MAX_DIFFERENCE * by_span
    return inside


class CapacityEst(Metric):
    r"""Charge of the whole range of the SoC, from the net charge between levels 20 % apart [Ah].

    .. math:: \frac{100 \%}{20 \%} \cdot \frac{1}{n} \sum_{spans}
        \left|\sqrt{\eta} \, Q_{in} - Q_{out} / \sqrt{\eta}\right| + \frac{1}{2} \, (1 - \eta) \, d \left(
        \frac{Q_{in} + Q_{out}}{2} - t \, \frac{\sum_{trips} Q_{in}}{\sum_{trips} t}\right)

    Notes
    -----
    A span lies between two neighbouring levels (12.5, 32.5, 52.5, 72.5 and 92.5 %) that the SoC crosses one after the
    other in one direction, so a turn of the SoC is in none, and a SoC that lags behind shifts both ends alike. Charge
    is lost on the way, so a span takes more up than it gives down: the coulombic efficiency of the trips, where it is
    known and sound, shares the loss between the two. Half of the loss is taken to go by charge, and half by time t, as
    leakage, standby and an offset of the sensor do: then a slow fall (d = -1) takes more of it than a fast rise (d =
    1). It is the capacity by the asset's own SoC: a BMS that counts with a wrong capacity and resets the SoC when full
    shows its own.

    The uncertainty comes from the scatter of the spans, wider where they are few: twice of it holds 95 %, as Student's
    distribution has it. That the loss may go by charge alone or by time alone comes on top, any share being as likely.
    At least 0.01 %, the method's own.

    Gated where all charge that flowed over all change of the SoC meanwhile differs by more than 3 %: then the SoC lags
    behind the current, or the current between two readings is not that of the readings.

    References
    ----------
    Net charge over the change of the SoC, as coulomb counting has it; here between crossings of levels (``rte_level``).
    Few spans: Guide to the expression of uncertainty in measurement, JCGM 100:2008, table G.2.

    Examples
    --------
    >>> compute(
    ...     "capacity_est", dt_s=3600, current_a=[50, -50] * 2, soc_percent=[10, 60, 10, 60]
    ... )
    100.0
    """

    name, unit = "capacity_est", "Ah"
    statistics = _OF_BOTH
    sequential_states = (SocLevels,)
    reads = (SocMean,)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``soc_missing``, ``current_missing``, ``too_few_spans`` or ``no_charge``.

        Gated by ``soc_lag_suspect``.
        """
        with defined_where(_checks(totals), {"soc_lag_suspect": agrees(totals)}) as defined:
            return defined(*_capacity_ah(totals))


class SohCapacity(Metric):
    r"""State of health: capacity over nominal capacity [%].

    .. math:: 100 \cdot \frac{C_{est}}{C_{nom}}

    Notes
    -----
    Never clamped: a new pack may show more than 100 %. Gated where charge out over charge in leaves 0.985 to 1.005:
    then the current sensor or the SoC is wrong, see ``coulombic_efficiency``; and where ``capacity_est`` is.

    References
    ----------
    EU 2023/1542, Annex IV: remaining capacity; capacity as in ``capacity_est``.

    Examples
    --------
    >>> compute(
    ...     "soh_capacity", dt_s=3600, nominal_capacity_ah=125, current_a=[50, -50] * 2,
    ...     soc_percent=[10, 60, 10, 60]
    ... )
    80.0
    """

    name, unit = "soh_capacity", "%"
    statistics = _OF_BOTH
    sequential_states = (SocLevels,)
    reads = (SocMean,)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``capacity_missing``, ``soc_missing``, ``current_missing``, ``too_few_spans`` or ``no_charge``.

        Gated by ``charge_unbalanced`` and ``soc_lag_suspect``.
        """
        gates = {"charge_unbalanced": is_balanced(totals), "soc_lag_suspect": agrees(totals)}
        with defined_where({"capacity_missing": specs.capacity_ah > 0} | _checks(totals), gates) as defined:
            capacity_ah, sigma_ah = _capacity_ah(totals)
            return defined(100 * capacity_ah / specs.capacity_ah, 100 * sigma_ah / specs.capacity_ah)
