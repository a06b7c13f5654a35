"""The line of the state of health: known numbers, limiting cases, and the plain computation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from stream_app.domain.metrics._base import MetricValues
from tests.metric_example import compute, compute_all
from tests.oracle import Part
from tests.unit.domain.metrics.test_capacity import plain_soh_capacity

DAY_S = 86_400


def _days(part: Part) -> dict[int, list[float]]:
    """Charges of the spans of each day since the first row; one far from the newest day's with the limit."""
    ages_s, age_s = {}, 0.0
    for row in part.rows:
        ages_s[id(row)] = age_s
        age_s += row.dt_s + row.gap_s
    days: dict[int, list[float]] = {}
    newest: list[float] = []
    for crossing in part.crossings:
        if crossing.span_as is None:
            continue
        span_as, mean_as = crossing.span_as, sum(newest) / len(newest) if newest else 0
        if mean_as > 0:
            span_as = min(max(span_as, mean_as / 1.2), mean_as * 1.2)
        newest = days.setdefault(int((ages_s[id(crossing.row)] + 0.001) // DAY_S), [])
        newest.append(span_as)
    return days


def _line(part: Part) -> tuple[float, float, float, float] | None:
    """Slope [%/d], its variance, state of health at the mean day, and that day."""
    days, capacity_ah = _days(part) if part.is_lifetime else {}, part.nameplate.capacity_ah
    age_s = math.fsum(row.dt_s + row.gap_s for row in part.rows if row.settled)
    if len(days) < 10 or capacity_ah is None or age_s < 90 * DAY_S or plain_soh_capacity(part) is None:
        return None
    t, n = np.array(list(days), float), np.array([len(spans) for spans in days.values()])
    soh = np.array([sum(spans) / len(spans) for spans in days.values()]) / 36 / capacity_ah * 5
    mean_t, mean_soh = np.average(t, weights=n), np.average(soh, weights=n)
    s_tt = float(np.sum(n * (t - mean_t) ** 2))
    slope = float(np.sum(n * (t - mean_t) * (soh - mean_soh))) / s_tt
    residuals = soh - mean_soh - slope * (t - mean_t)
    return slope, float(np.sum(n * residuals**2)) / (len(t) - 2) / s_tt, float(mean_soh), float(mean_t) + 0.5


def plain_soh_trend_percent_per_year(part: Part) -> float | None:
    line = _line(part)
    return None if line is None else 365.25 * line[0]


def _days_left(part: Part, percent: float) -> float | None:
    line = _line(part)
    if line is None or line[0] >= -2 * math.sqrt(line[1]):
        return None
    slope, _, soh, day = line
    return day + (percent - soh) / slope - part.span_s / DAY_S


def plain_soh_80_percent_days_left(part: Part) -> float | None:
    return _days_left(part, 80)


def plain_soh_70_percent_days_left(part: Part) -> float | None:
    return _days_left(part, 70)


def swings(soh_percent: np.ndarray, spec: dict[str, float] | None = None) -> dict[str, Any]:
    """A day for each state of health: 10 -> 60 -> 10 % in 16 h, at the current that it takes of 120 Ah; then a rest."""
    return {
        "dt_s": 28_800,
        "nominal_capacity_ah": 120,
        "spec": {"max_gap_s": 30_000} | (spec or {}),
        "current_a": [7.5 * soh / 100 * sign for soh in soh_percent.tolist() for sign in (1, -1, 0)],
        "soc_percent": [10, 60, 10] * len(soh_percent),
    }


def trend(rows: dict[str, Any]) -> MetricValues:
    return compute_all("soh_trend_percent_per_year", **rows)


def test_a_steady_fade_is_its_slope() -> None:
    """0.02 % a day are 7.305 % a year: from 100 % at the begin, 80 % comes 1,000 days later, 70 % 1,500 days later."""
    fade = swings(100 - 0.02 * np.arange(100))
    values = trend(fade)
    assert values.value[0] == pytest.approx(-7.305)
    assert values.sigma is not None
    assert values.sigma[0] == pytest.approx(0, abs=1e-4)
    # A day's spans stand for its middle; the newest row stands 2/3 of a day after the begin of day 99.
    assert compute("soh_80_percent_days_left", **fade) == pytest.approx(1000.5 - 99 - 2 / 3)
    assert compute("soh_70_percent_days_left", **fade) == pytest.approx(1500.5 - 99 - 2 / 3)


def test_uncertainty_is_that_of_the_days() -> None:
    """By the textbook's weighted least squares over the days' means, each of four spans."""
    rng = np.random.default_rng(5)
    days = np.arange(200.0)
    soh = 100 - 0.02 * days + rng.normal(0, 0.5, 200)
    slope, intercept = np.polyfit(days, soh, 1)
    residuals = soh - intercept - slope * days
    s_tt = np.sum((days - days.mean()) ** 2)
    sigma = math.sqrt(np.sum(residuals**2) / 198 / s_tt)
    values, left = trend(swings(soh)), compute_all("soh_80_percent_days_left", **swings(soh))
    assert values.value[0] == pytest.approx(365.25 * slope)
    assert values.sigma is not None
    assert values.sigma[0] == pytest.approx(365.25 * sigma)
    at = (80 - intercept) / slope
    assert left.value[0] == pytest.approx(at + 0.5 - 199 - 2 / 3)
    assert left.sigma is not None
    far = np.sum(residuals**2) / 198 * (1 / 200 + (at - days.mean()) ** 2 / s_tt)
    assert left.sigma[0] == pytest.approx(math.sqrt(far) / abs(slope))


def test_truths_lie_within_two_uncertainties() -> None:
    """About 95 of 100 fades: with other noise each time; one in twenty may be further off."""
    rng = np.random.default_rng(7)
    inside = 0
    for _ in range(100):
        values = trend(swings(98 - 0.01 * np.arange(120) + rng.normal(0, 0.3, 120)))
        assert values.sigma is not None
        inside += abs(values.value[0] + 3.6525) <= 2 * values.sigma[0]
    assert 89 <= inside <= 100


def test_a_day_without_spans_is_no_day() -> None:
    """The fade goes on in time, whichever days have spans."""
    soh = 100 - 0.02 * np.arange(120)
    rows = swings(soh)
    for day in range(120):
        if day % 3:
            rows["current_a"][3 * day : 3 * day + 3] = [0, 0, 0]
            rows["soc_percent"][3 * day : 3 * day + 3] = [10, 10, 10]
    assert trend(rows).value[0] == pytest.approx(-7.305)


def test_a_gap_counts_as_time() -> None:
    """Half the days are a gap: the fade of the others stays what it is per year."""
    soh = 100 - 0.02 * np.arange(120)
    rows = swings(soh)
    kept = [i for i in range(360) if not 30 <= i // 3 < 90]
    rows["time_s"] = [28_800 * i for i in kept]
    rows |= {name: [rows[name][i] for i in kept] for name in ("current_a", "soc_percent")}
    assert trend(rows).value[0] == pytest.approx(-7.305)


def test_a_corrected_soc_does_not_turn_the_line() -> None:
    """Twice the SoC is corrected while it rises: the spans have a tenth of their charge, or ten times as much."""
    soh = 90 + np.random.default_rng(3).normal(0, 0.1, 150)
    rows, wild = swings(soh), swings(soh)
    wild["current_a"][3 * 40] /= 10
    wild["current_a"][3 * 100] *= 10
    assert _told(trend(wild)) == pytest.approx(_told(trend(rows)), abs=2)  # as they are, they would add 15


def _told(values: MetricValues) -> float:
    """The value, whatever gates hold it back: ten times the charge is out of balance."""
    assert values.unchecked is not None
    return float(values.unchecked[0])


def test_it_is_null_until_it_can_be_stood_by() -> None:
    """Ten days with spans, 90 days in all, a capacity, and a lifetime."""
    fade = 100 - 0.02 * np.arange(100)
    assert trend(swings(fade) | {"nominal_capacity_ah": None}).reason[0] == "capacity_missing"
    assert trend(swings(fade[:9])).reason[0] == "too_few_days"
    short = trend(swings(fade[:50]))
    assert short.reason[0] == "too_short"
    assert short.unchecked is not None
    assert short.unchecked[0] == pytest.approx(-7.305)


def test_no_date_without_a_fall() -> None:
    """A state of health that rises, or only scatters, meets no limit."""
    scatter = 90 + np.random.default_rng(1).normal(0, 0.5, 100)
    for soh in (90 + 0.01 * np.arange(100), scatter):
        assert compute("soh_80_percent_days_left", **swings(soh)) == "no_trend"


def test_a_limit_that_was_met_is_in_the_past() -> None:
    """At 79 % and falling by 0.02 % a day: 50 days ago."""
    fade = swings(81 - 0.02 * np.arange(100))
    assert compute("soh_80_percent_days_left", **fade) == pytest.approx(50.5 - 99 - 2 / 3)
    assert compute("soh_70_percent_days_left", **fade) == pytest.approx(550.5 - 99 - 2 / 3)
