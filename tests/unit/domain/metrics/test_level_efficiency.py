"""Efficiencies of trips back to one level of the SoC: known numbers, limiting cases, and the plain computation."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.metric_example import compute, compute_all
from tests.oracle import Part, total


def _energies_j(part: Part) -> list[float] | None:
    """Energy in and out of all trips; None below three of them."""
    trips = [crossing.energies_j for crossing in part.crossings if crossing.energies_j is not None]
    return [total(trip[x] for trip in trips) for x in range(2)] if len(trips) >= 3 else None


def charges_of(part: Part) -> list[float] | None:
    """Charge in and out and time of all trips; None below three of them."""
    trips = [crossing.charges for crossing in part.crossings if crossing.charges is not None]
    return [total(trip[x] for trip in trips) for x in range(3)] if len(trips) >= 3 else None


def is_unbalanced(part: Part) -> bool:
    trips = [crossing.charges for crossing in part.crossings if crossing.charges is not None]
    in_as, out_as = (total(trip[x] for trip in trips) for x in range(2))
    return in_as > 0 and not 0.985 * in_as <= out_as <= 1.005 * in_as


def plain_rte_level(part: Part) -> float | None:
    energies_j = _energies_j(part)
    return None if energies_j is None or energies_j[0] <= 0 or is_unbalanced(part) else energies_j[1] / energies_j[0]


def plain_voltage_efficiency(part: Part) -> float | None:
    trips = [(*c.energies_j, *c.charges[:2]) for c in part.crossings if c.energies_j and c.charges]
    in_j, out_j, in_as, out_as = (total(trip[x] for trip in trips) for x in range(4))
    known = [(c.energies_j, c.charges) for c in part.crossings]
    differ = any((energies is None) != (charges is None) for energies, charges in known)
    if len(trips) < 3 or differ or in_j <= 0 or in_as <= 0 or out_as <= 0:
        return None
    return (out_j / out_as) / (in_j / in_as)


def plain_coulombic_efficiency(part: Part) -> float | None:
    charges = charges_of(part)
    return None if charges is None or charges[0] <= 0 else charges[1] / charges[0]


def plain_current_offset_est_a(part: Part) -> float | None:
    charges = charges_of(part)
    return None if charges is None else (charges[0] - charges[1]) / charges[2]


#: 20 -> 80 -> 20 -> ... %: each rise takes 10 A x 900 V x 1 s, each fall gives 10 A x 882 V x 1 s.
SWINGS: dict[str, Any] = {"current_a": [10, -10] * 4, "voltage_v": [900, 882] * 4, "soc_percent": [20, 80] * 4}


def test_energy_out_over_energy_in() -> None:
    """Each level between 20 and 80 % sees whole rises and falls: 882 / 900; their scatter is 0, the floor stays."""
    values = compute_all("rte_level", **SWINGS)
    assert values.value[0] == pytest.approx(0.98)
    assert values.sigma is not None
    assert values.sigma[0] == pytest.approx(0.00017)


def test_its_uncertainty_is_the_scatter_of_the_trips() -> None:
    """One level, 22.513 %, between 21 and 24 %: each rise and fall is cut there into two parts.

    Falls give 8,820, 8,640 and 8,820 J. A trip above the level has the upper part of a rise and of the fall after it, a
    trip below it the lower parts; the root mean square of (out - r in) over all energy in is the uncertainty.
    """
    rows: dict[str, Any] = SWINGS | {"voltage_v": [900, 882, 900, 864, 900, 882, 900, 864], "soc_percent": [21, 24] * 4}
    values = compute_all("rte_level", **rows)
    below = (22.513 - 21) / 3
    rte = (8820 + 8640 + 8820) / 27_000
    deviations_j = [share * (out_j - rte * 9000) for out_j in (8820, 8640, 8820) for share in (below, 1 - below)]
    scatter_j = math.sqrt(sum(deviation_j**2 for deviation_j in deviations_j) / 6)
    assert values.value[0] == pytest.approx(rte)
    assert values.sigma is not None
    assert values.sigma[0] == pytest.approx(math.hypot(scatter_j / 27_000, 0.00017))


def test_a_drifting_voltage_is_in_the_energy() -> None:
    """10 A while the voltage goes up from 900 to 909 V, and down from 891 to 882 V: 904.5 V in, 886.5 V out."""
    rows: dict[str, Any] = {
        "current_a": [10, 10, 0, -10, -10, 0] * 4,
        "voltage_v": [900, 909, 909, 891, 882, 882] * 4,
        "soc_percent": [20, 50, 80, 80, 50, 20] * 4,
        "dt_s": 1,
    }
    # The second step of a rise and of a fall holds, since its power steps to 0 after it; the chains' ends are cut.
    assert compute("rte_level", **rows) == pytest.approx((886.5 + 882) / (904.5 + 909), rel=1e-5)


def test_lost_rows_widen_the_uncertainty() -> None:
    """Each 12th row does not come, while the power goes from 3 to 9 kW: it may have been either."""
    swing = [0.0, 3000.0, 6000.0, 9000.0, 9000.0, 9000.0, -9000.0, -9000.0, -9000.0, -9000.0, 0.0, 0.0]
    soc = [20, 20, 25, 35, 50, 65, 80, 65, 50, 35, 20, 20]
    times_s = [float(t) for t in range(48)]
    kept = [t for t in range(48) if t % 12 != 2]
    rows: dict[str, Any] = {"power_w": swing * 4, "soc_percent": soc * 4}
    whole = compute_all("rte_level", time_s=times_s, **rows)
    left: dict[str, Any] = {name: [column[t] for t in kept] for name, column in rows.items()}
    lossy = compute_all("rte_level", time_s=kept, **left)
    assert whole.sigma is not None
    assert lossy.sigma is not None
    assert lossy.sigma[0] > 2 * whole.sigma[0]


def test_one_trip_is_too_few() -> None:
    """A level that is crossed three times has two trips; one swing gives each level one."""
    assert (
        compute("rte_level", current_a=[10, -10, 0], voltage_v=[900] * 3, soc_percent=[24, 27, 24]) == "too_few_trips"
    )
    assert compute("coulombic_efficiency", current_a=[1, -1], soc_percent=[20, 21]) == "too_few_trips"


def test_within_the_hysteresis_nothing_is_crossed() -> None:
    """22.2 and 22.9 % lie on both sides of the level 22.513 %, less than half a percent from it."""
    rows: dict[str, Any] = {name: values * 4 for name, values in SWINGS.items()} | {"soc_percent": [22.2, 22.9] * 16}
    assert compute("rte_level", **rows) == "too_few_trips"


def test_an_offset_of_the_current_sensor_is_told() -> None:
    """12 A in, 8 A out: 0.667 of the charge comes back, as with a sensor that shows 2 A too much."""
    rows: dict[str, Any] = SWINGS | {"current_a": [12, -8] * 4}
    assert compute("rte_level", **rows) == "charge_unbalanced"
    assert compute_all("rte_level", **rows).unchecked == pytest.approx(0.98 * 8 / 12)
    assert compute("coulombic_efficiency", **rows) == pytest.approx(8 / 12)
    assert compute("current_offset_est_a", **rows) == pytest.approx(2.0)
    assert compute("voltage_efficiency", **rows) == pytest.approx(0.98)


def test_a_gap_is_filled_by_the_soc() -> None:
    """After a swing the asset has shown 9,000 J per 60 % up: a gap in which the SoC rises by 60 % took as much."""
    times_s = [0, 1, 2, 3, 4, 5, 6, 1006, 1007, 1008]
    rows: dict[str, Any] = {
        "current_a": [10, -10] * 3 + [10, -10, 10, 0],
        "voltage_v": [900, 882] * 5,
        "soc_percent": [20, 80] * 5,
    }
    assert compute("rte_level", time_s=times_s, **rows) == pytest.approx(0.98)


def test_a_gap_that_cannot_be_filled_leaves_its_trips_out() -> None:
    """Of the rise during a day of silence nothing is known: what counts is the fall and the rise after it."""
    rows: dict[str, Any] = {
        "current_a": [1, -10, 10, -10],
        "voltage_v": [900, 882, 900, 882],
        "soc_percent": [20, 80, 20, 80],
    }
    assert compute("rte_level", time_s=[0, 86_400, 86_401, 86_402], **rows) == pytest.approx(0.98)


@pytest.mark.parametrize("metric", ["rte_level", "voltage_efficiency", "coulombic_efficiency", "current_offset_est_a"])
def test_what_is_missing_is_named(metric: str) -> None:
    """Without a SoC there are no levels; charge needs a current, energy a power."""
    rows = {name: column for name, column in SWINGS.items() if name != "soc_percent"}
    assert compute(metric, **rows) == "soc_missing"
    by_power = {"power_w": [9000, -8820] * 4, "soc_percent": SWINGS["soc_percent"]}
    assert compute(metric, **by_power) == (pytest.approx(0.98) if metric == "rte_level" else "current_missing")
    by_current = {name: column for name, column in SWINGS.items() if name != "voltage_v"}
    needs_power = metric in ("rte_level", "voltage_efficiency")
    assert (compute(metric, **by_current) == "power_missing") == needs_power


def test_only_discharge_has_no_efficiency() -> None:
    """The SoC goes up and down, but nothing flows in."""
    rows: dict[str, Any] = SWINGS | {"current_a": [-10] * 8}
    assert compute("rte_level", **rows) == "no_charge"
    assert not math.isnan(compute_all("rte_level", **SWINGS).value[0])
