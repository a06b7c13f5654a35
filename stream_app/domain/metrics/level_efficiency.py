"""Efficiencies of round trips between crossings of one level of the state of charge."""

import numpy as np

from stream_app.columns.arrays import BoolArray, FloatArray
from stream_app.domain.level_crossings import Crossings
from stream_app.domain.metrics._base import (
    SUM,
    AssetSpecs,
    At,
    Columns,
    Metric,
    MetricValues,
    Samples,
    Totals,
    defined_where,
    measured_if_any,
)
from stream_app.domain.metrics.extremes import SocMean, has_soc_if_any
from stream_app.domain.soc_levels import SocLevels

MIN_TRIPS = 3
#: Uncertainty of the method itself: what flows before the first and after the last trip of a level is in no trip.
LEVEL_SIGMA_FLOOR = 0.00017
#: Charge out over charge in of a sound pack: beyond it the current sensor or the SoC is wrong, not the pack.
CE_LOWEST, CE_HIGHEST = 0.985, 1.005

_TRIPS = ("level_trips", "lowest_trip", "highest_trip", "trip_in_j", "trip_out_j")
_CHARGES = ("trip_in_as", "trip_out_as")


def is_balanced(totals: Totals) -> BoolArray:
    """Whether charge out over charge in is that of a sound pack; without a current there is nothing to compare."""
    in_as, out_as = totals["trip_in_as"], totals["trip_out_as"]
    inside: BoolArray = (out_as >= CE_LOWEST * in_as) & (out_as <= CE_HIGHEST * in_as)
    return inside | (in_as <= 0)


def _measured(totals: Totals, trips: FloatArray) -> dict[str, BoolArray]:
    """What trips of known charge need; trips that are told have it."""
    return {
        "soc_missing": (trips > 0) | has_soc_if_any(totals),
        "current_missing": (trips > 0) | measured_if_any(totals, "current_s"),
    }


def trip_checks(totals: Totals) -> dict[str, BoolArray]:
    """What must hold for ``rte_level``, by its totals."""
    trips = totals["level_trips"]
    return {
        "soc_missing": (trips > 0) | has_soc_if_any(totals),
        "power_missing": (trips > 0) | measured_if_any(totals, "metered_s"),
        "too_few_trips": trips >= MIN_TRIPS,
        "no_charge": totals["trip_in_j"] > 0,
    }


class RteLevel(Metric):
    r"""Round-trip efficiency: energy out over energy in, of trips back to one level of the SoC [1].

    .. math:: \frac{\sum_{trips} E_{out}}{\sum_{trips} E_{in}}

    Notes
    -----
    Levels stand every 5 % of SoC. A trip lies between two crossings of one level, one after the other, so it ends at
    the SoC where it began: nothing stored counts as lost, and the open-circuit voltage cancels. A trip counts in the
    window where it ends, with all its energy. What flows during a gap is filled in by the change of the SoC times the
    asset's own energy per percent; trips whose gaps cannot be filled are left out.

    The uncertainty comes from the scatter of the trips. The errors of the SoC at successive trips of a level telescope,
    so it is the scatter of one trip times the number of levels from the lowest to the highest with a trip, over all
    energy in. What lost rows leave unknown adds up instead: the variance of a walk from one reading to the next, over
    all of them. At least 0.00017, the method's own: what flows before the first and after the last trip of a level is
    in no trip.

    Null below three trips, and gated where charge out over charge in leaves 0.985 to 1.005: then the current sensor or
    the SoC is wrong, see ``coulombic_efficiency`` and ``current_offset_est_a``.

    References
    ----------
    Level-crossing counting of ASTM E1049-85, 5.1, with energy counters; ratio estimator: Cochran, Sampling Techniques.

    Examples
    --------
    >>> compute(
    ...     "rte_level", current_a=[10, -10] * 4, voltage_v=[900, 882] * 4, soc_percent=[20, 80] * 4
    ... )
    0.9800000000000008
    """

    name, unit = "rte_level", "1"
    fields = {"in_in": SUM, "in_out": SUM, "out_out": SUM, "held_j2": SUM}
    statistics = (*_TRIPS, "valid_s", "metered_s", "energy_in_j", *_CHARGES)
    sequential_states = (SocLevels,)
    reads = (SocMean,)

    def contribute(self, samples: Samples) -> Columns:
        """Squares and products of the energies of the trips that end at the row, variance of what was held [J2]."""
        told: Crossings | None = samples.events(SocLevels)
        if told is None:
            return {}
        return {
            "in_in": At(told.row, told.in_j * told.in_j),
            "in_out": At(told.row, told.in_j * told.out_j),
            "out_out": At(told.row, told.out_j * told.out_j),
            "held_j2": At(told.row, told.held_j2),
        }

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``soc_missing``, ``power_missing``, ``too_few_trips`` or ``no_charge``.

        Gated by ``charge_unbalanced``.
        """
        trips, in_j = totals["level_trips"], totals["trip_in_j"]
        levels = totals["highest_trip"] - totals["lowest_trip"] + 1
        with defined_where(trip_checks(totals), {"charge_unbalanced": is_balanced(totals)}) as defined:
            rte = totals["trip_out_j"] / in_j
            scatter = totals["out_out"] - 2 * rte * totals["in_out"] + rte * rte * totals["in_in"]
            chain_j = in_j / levels
            ends = np.maximum(scatter, 0.0) / trips / chain_j / chain_j  # the square of a tiny energy would be 0
            # All levels share what was held: over the energy of one chain, which is part of all energy.
            held = totals["held_j2"] / np.maximum(totals["energy_in_j"], chain_j) / chain_j
            sigma = np.sqrt(ends + held + LEVEL_SIGMA_FLOOR * LEVEL_SIGMA_FLOOR)
            return defined(rte, np.where(np.isfinite(sigma), sigma, np.nan))  # energies out of all proportion


class VoltageEfficiency(Metric):
    r"""Mean voltage while discharging over mean voltage while charging, of trips back to one level of the SoC [1].

    .. math:: \frac{E_{out} / Q_{out}}{E_{in} / Q_{in}}

    Notes
    -----
    The part of the round-trip efficiency that resistance takes. It does not feel an offset of the current sensor, so it
    is the one to watch over months. Trips as in ``rte_level``.

    References
    ----------
    Energy efficiency is coulombic efficiency times voltage efficiency; both of the trips of ``rte_level``.

    Examples
    --------
    >>> compute(
    ...     "voltage_efficiency", current_a=[10, -10] * 4, voltage_v=[900, 882] * 4, soc_percent=[20, 80] * 4
    ... )
    0.9800000000000004
    """

    name, unit = "voltage_efficiency", "1"
    fields = {"trips": SUM}
    statistics = (
        "level_trips",
        "charge_trips",
        "trip_in_j",
        "trip_out_j",
        "valid_s",
        "current_s",
        "metered_s",
        *_CHARGES,
    )
    sequential_states = (SocLevels,)
    reads = (SocMean,)

    def contribute(self, samples: Samples) -> Columns:
        """Trips that end at the row whose energy and charge are both known."""
        told: Crossings | None = samples.events(SocLevels)
        if told is None:
            return {}
        return {"trips": At(told.row, told.trip * told.charged)}

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``soc_missing``, ``current_missing``, ``power_missing``, ``too_few_trips`` or ``trips_differ``.

        Null with ``no_charge`` or ``no_discharge`` too.
        """
        trips, in_j, both = totals["level_trips"], totals["trip_in_j"], totals["trips"]
        in_as, out_as = totals["trip_in_as"], totals["trip_out_as"]
        checks = _measured(totals, both) | {
            "power_missing": (trips > 0) | measured_if_any(totals, "metered_s"),
            "too_few_trips": trips >= MIN_TRIPS,
            "trips_differ": (both >= trips) & (both >= totals["charge_trips"]),
            "no_charge": (in_j > 0) & (in_as > 0),
            "no_discharge": out_as > 0,
        }
        with defined_where(checks) as defined:
            return defined((totals["trip_out_j"] / out_as) / (in_j / in_as))


class CoulombicEfficiency(Metric):
    r"""Charge out over charge in, of trips back to one level of the SoC [1].

    .. math:: \frac{\sum_{trips} Q_{out}}{\sum_{trips} Q_{in}}

    Notes
    -----
    Of lithium-ion it is 0.995 to 1 in the field. Outside 0.985 to 1.005 it is no loss of the cells: the current sensor
    has an offset or the SoC drifts, and efficiency and state of health are held back as ``charge_unbalanced``. Trips as
    in ``rte_level``.

    References
    ----------
    Battery Data Format, coulombic efficiency: discharged over charged capacity, here of the trips of ``rte_level``.

    Examples
    --------
    >>> compute(
    ...     "coulombic_efficiency", current_a=[10, -9.9] * 4, voltage_v=[900, 882] * 4, soc_percent=[20, 80] * 4
    ... )
    0.9900000000000002
    """

    name, unit = "coulombic_efficiency", "1"
    statistics = ("charge_trips", "valid_s", "current_s", *_CHARGES)
    sequential_states = (SocLevels,)
    reads = (SocMean,)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``soc_missing``, ``current_missing``, ``too_few_trips`` or ``no_charge``."""
        in_as, trips = totals["trip_in_as"], totals["charge_trips"]
        checks = _measured(totals, trips) | {"too_few_trips": trips >= MIN_TRIPS, "no_charge": in_as > 0}
        with defined_where(checks) as defined:
            return defined(totals["trip_out_as"] / in_as)


class CurrentOffsetEst(Metric):
    r"""Offset of the current sensor that would explain the net charge of trips back to one level of the SoC [A].

    .. math:: \frac{\sum_{trips} (Q_{in} - Q_{out})}{\sum_{trips} t}

    Notes
    -----
    > 0: the sensor shows too much charge. A coulombic efficiency below 1 and a current that the sensor does not see
    look alike, so a small value is not an error: of a sound pack it is below 0.1 % of the mean current.

    References
    ----------
    Net charge of trips back to one SoC, as in ``coulombic_efficiency``.

    Examples
    --------
    >>> compute(
    ...     "current_offset_est_a", current_a=[12, -8] * 4, voltage_v=[900, 882] * 4, soc_percent=[20, 80] * 4
    ... )
    2.0000000000000018
    """

    name, unit = "current_offset_est_a", "A"
    statistics = ("charge_trips", "trip_s", "valid_s", "current_s", *_CHARGES)
    sequential_states = (SocLevels,)
    reads = (SocMean,)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``soc_missing``, ``current_missing`` or ``too_few_trips``."""
        trips = totals["charge_trips"]
        with defined_where(_measured(totals, trips) | {"too_few_trips": trips >= MIN_TRIPS}) as defined:
            return defined((totals["trip_in_as"] - totals["trip_out_as"]) / totals["trip_s"])
