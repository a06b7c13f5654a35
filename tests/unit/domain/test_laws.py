"""Laws that hold for every metric of the catalogue, and so for a new one before its author writes a test."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.asset import AssetSpec
from stream_app.domain import ingestion
from stream_app.domain import views as windows
from stream_app.domain.metrics import REGISTRY
from stream_app.domain.snapshot import Snapshots
from tests.oracle import Expected, Nameplate, Part, expected, plain_values
from tests.unit.domain.fleets import (
    CATALOGUE,
    OTHER_COLUMNS,
    SIZES_S,
    START_US,
    a_fleet,
    all_bytes,
    fed,
    life_and_open,
    values,
)

LATENESS_S = st.sampled_from([0.0, 5.0, 60.0, None])
A_SPEC = AssetSpec(
    nominal_capacity_ah=10,
    nominal_energy_kwh=8,
    energy_price_per_kwh=0.3,
    warranty_full_cycles=6000,
    warranty_throughput_kwh=400,
    temperature_low_c=0,
    temperature_high_c=30,
    soc_low_percent=10,
    soc_high_percent=90,
    voltage_low_v=820,
    voltage_high_v=880,
    c_rate_high=1,
    cell_spread_high_v=12,
)
SPECS = {
    "a": A_SPEC,
    "b": AssetSpec(reporting="on_change"),
    "c": AssetSpec(sampling_period_s=2, max_gap_s=100),
}

#: Values that are small differences of large sums, by a part of their name: relative and absolute tolerance.
CANCELLING = {
    "_std_": (1e-6, 2e-4),
    "rest_charge": (1e-12, 1e-15),  # currents of both signs, in another order: by bins of the current
    "rest_energy": (1e-12, 1e-15),
    "soc_error": (1e-6, 2e-4),
    "aliasing": (1e-6, 1e-9),
    "self_discharge": (1e-6, 1e-9),
    "ocv_slope": (1e-6, 1e-9),
    "loss": (1e-9, 1e-12),
    "standby": (1e-9, 1e-12),
    "cell_spread_resistance": (1e-9, 1e-12),
}


@st.composite
def telemetry(draw: st.DrawFn, max_rows: int = 120) -> list[dict[str, Any]]:
    """Rows of three assets: steady, repeated, skipping and backward stamps, walking SoC, missing readings.

    Every column of the catalogue has readings, so that a new metric of any of them is tested.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    steps_s = rng.choice([0, 0, 1, 1, 5, 30, 80, 400, 1000, 4000, -3, -40], size=max_rows, p=_odds(rng))
    clock = dict.fromkeys(SPECS, START_US)
    soc = dict.fromkeys(SPECS, 50.0)
    rows = []
    for i in range(draw(st.integers(1, max_rows))):
        asset = str(rng.choice(list(SPECS)))
        clock[asset] += int(steps_s[i]) * 1_000_000
        soc[asset] = float(np.clip(soc[asset] + rng.choice([-9, -3, -0.4, 0, 0.4, 3, 9]), 0, 100))
        current_a = float(rng.choice([-20, -5, -0.01, 0, 0.02, 5, 20]))
        row = {
            "asset": asset,
            "offset": 10 + i,
            "time_us": clock[asset],
            "current": current_a,
            "voltage": float(np.round(rng.uniform(800, 900), 1)),
            "soc": round(soc[asset], 1),
            "power": None,
        }
        for name in ("current", "voltage", "soc"):
            if rng.random() < 0.04:
                row[name] = None
        if rng.random() < 0.1:
            row["power"] = float(rng.normal(0, 5000))
        for name in OTHER_COLUMNS:
            row[name] = None if rng.random() < 0.04 else round(float(rng.normal(20, 10)), 1)
        if row["power_setpoint_w"] is not None:  # near the power, for some of the rows to follow it
            row["power_setpoint_w"] = 850.0 * current_a
        rows.append(row)
        clock[asset] = max(clock[asset], START_US)
    return rows


def _odds(rng: np.random.Generator) -> np.ndarray:
    odds = rng.dirichlet(np.full(12, 0.5))
    return np.asarray(odds / odds.sum())


@given(rows=telemetry(), lateness_s=LATENESS_S, data=st.data())
def test_batching_changes_no_bit(rows: list[dict[str, Any]], lateness_s: float | None, data: st.DataObject) -> None:
    """One batch, row by row, and random cuts lead to the same bytes of state and of every closed window."""
    whole = a_fleet(SPECS, lateness_s=lateness_s)
    one = all_bytes(whole, fed(whole, rows))
    single = a_fleet(SPECS, lateness_s=lateness_s)
    assert all_bytes(single, fed(single, rows, range(len(rows)))) == one
    cut = a_fleet(SPECS, lateness_s=lateness_s)
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=8))
    assert all_bytes(cut, fed(cut, rows, cuts)) == one


@given(rows=telemetry(), data=st.data())
def test_batching_changes_no_bit_where_more_rows_wait_than_may(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    """The same of an asset whose oldest rows are settled early, for want of room."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ingestion, "MAX_WAITING", data.draw(st.integers(4, 20)))
        single = a_fleet(SPECS, lateness_s=600)
        one = all_bytes(single, fed(single, rows, range(len(rows))))
        cut = a_fleet(SPECS, lateness_s=600)
        cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=8))
        assert all_bytes(cut, fed(cut, rows, cuts)) == one


@given(rows=telemetry(), lateness_s=LATENESS_S, cut=st.integers(0, 120))
def test_a_restart_changes_no_bit(rows: list[dict[str, Any]], lateness_s: float | None, cut: int) -> None:
    """State that was written and read back goes on as if nothing had happened."""
    whole = a_fleet(SPECS, lateness_s=lateness_s)
    before = fed(whole, rows[:cut])
    stored = all_bytes(whole, [])[0]
    back = a_fleet(lateness_s=lateness_s)
    for asset_id, value in stored.items():
        Snapshots(back).load(asset_id, value, {})
    assert all_bytes(back, [])[0] == stored
    after = fed(back, rows[cut:])
    straight = a_fleet(SPECS, lateness_s=lateness_s)
    closed = fed(straight, rows)
    assert all_bytes(back, after)[0] == all_bytes(straight, [])[0]
    assert all_bytes(whole, before)[1] | all_bytes(back, after)[1] == all_bytes(straight, closed)[1]


@given(rows=telemetry(), again=st.integers(0, 120))
def test_rows_applied_before_are_skipped(rows: list[dict[str, Any]], again: int) -> None:
    """Rows whose offset the state includes change nothing when they come again."""
    fleet = a_fleet(SPECS)
    fed(fleet, rows)
    state = all_bytes(fleet, [])[0]
    assert not fed(fleet, rows[:again])
    assert all_bytes(fleet, [])[0] == state


@given(rows=telemetry(), lateness_s=LATENESS_S, ended=st.booleans())
def test_every_metric_equals_the_plain_computation(
    rows: list[dict[str, Any]], lateness_s: float | None, ended: bool
) -> None:
    """Lifetime, closed and open windows of every metric equal its plain function within 1e-12 of their terms."""
    fleet = a_fleet(SPECS, lateness_s=lateness_s)
    closed = fed(fleet, rows)
    for asset_id in sorted({row["asset"] for row in rows}):
        spec, slot = SPECS[asset_id], fleet.slot(asset_id)
        own_closed = list(closed)
        if ended:
            own_closed += ingestion.finish(fleet, slot, 10_000)
        plate = Nameplate(
            spec.nominal_capacity_ah, spec.sampling_period_s, spec.max_gap_s, spec.reporting == "on_change", spec
        )
        truth = expected([row for row in rows if row["asset"] == asset_id], plate, ended=ended, lateness_s=lateness_s)
        life, open_ = life_and_open(fleet, np.array([slot]))
        _compare(values(windows.read(fleet, life, closed=False), 0), truth.lifetime())
        assert int(fleet.integers.late_rows[slot]) == truth.late
        _compare_windows(fleet, windows.concatenated(fleet, own_closed), truth, slot, closed=True)
        _compare_windows(fleet, open_, truth, slot, closed=False)
        seen = {
            (int(size), int(start))
            for part in (*own_closed, open_)
            for c, size, start in zip(part.slot, part.size_us, part.start_us, strict=True)
            if c == slot
        }
        due = {(size * 1_000_000, start) for size in SIZES_S for start in truth.starts_us(size * 1_000_000)}
        assert seen == due if ended else seen <= due


def _compare_windows(fleet: Any, part: windows.Windows, truth: Expected, slot: int, *, closed: bool) -> None:
    readings = windows.read(fleet, part, closed=closed)
    for i in np.flatnonzero(part.slot == slot).tolist():
        size_us, start_us = int(part.size_us[i]), int(part.start_us[i])
        _compare(values(readings, i), truth.window(size_us, start_us, closed=closed))


def _compare(got: dict[str, Any], part: Part) -> None:
    for name, want in plain_values(part).items():
        value = got[name]
        assert (value is None) == (want is None), f"{name}: {value} is not {want}"
        if value is not None:
            scale = 1e-9 if name.endswith(("_kwh", "_ah")) else 1e-3  # sums of terms that may cancel
            rel, abs_ = next((CANCELLING[part] for part in CANCELLING if part in name), (1e-12, 1e-12 * scale))
            assert np.asarray(value) == pytest.approx(np.asarray(want), rel=rel, abs=abs_), name


@pytest.mark.parametrize("name", REGISTRY)
def test_metric_is_presentable(name: str) -> None:
    """A metric is named as its registry says, has a unit, a reference, and one line that tells what it is."""
    metric = REGISTRY[name]
    assert metric.name == name
    assert metric.unit
    text = type(metric).__doc__ or ""
    assert "[" in text.split("\n\n")[0]
    assert f"[{_unit_sign(metric.unit)}]" in text.split("\n\n")[0]


def _unit_sign(unit: str) -> str:
    return unit


def test_nothing_is_nan() -> None:
    """An undefined reading has a reason, a defined one is finite."""
    fleet = a_fleet(SPECS)
    row = {"asset": "a", "offset": 1, "time_us": START_US, "current": None, "voltage": None, "soc": None}
    fed(fleet, [row])
    life = windows.current(fleet, np.array([fleet.slot("a")]))
    for name, reading in windows.read(fleet, life, closed=False).by_metric.items():
        value = np.asarray(reading.value[0]).ravel()
        assert all(math.isfinite(v) for v in value) != bool(reading.reason[0]), name


def test_catalogue_covers_the_registry() -> None:
    """The catalogue computes every registered metric."""
    assert [metric.name for metric in CATALOGUE.metrics] == list(REGISTRY)


@given(rows=telemetry(), lateness_s=LATENESS_S, data=st.data())
def test_windows_of_silent_assets_close_the_same_however_rows_are_cut(
    rows: list[dict[str, Any]], lateness_s: float, data: st.DataObject
) -> None:
    """Closing up to some time between any two rows, once or twice, gives the same bits in every batching."""
    at = data.draw(st.integers(0, len(rows)))
    ahead_us = data.draw(st.integers(-100, 200_000)) * 1_000_000
    until_us = max((row["time_us"] for row in rows[:at]), default=START_US) + ahead_us
    later = [{**row, "offset": row["offset"] + 1_000} for row in rows[at:]]

    def history(cuts: list[int], *, twice: bool, restart: bool) -> tuple[Any, Any]:
        fleet = a_fleet(SPECS, lateness_s=lateness_s)
        closed = fed(fleet, rows[:at], [cut for cut in cuts if cut <= at])
        for seq in (900, 901)[: 1 + twice]:
            for asset_id in SPECS:
                closed += ingestion.close_until(fleet, fleet.slots[asset_id], until_us, seq)
        known = all_bytes(fleet, closed)[1]
        if restart:
            stored, fleet = all_bytes(fleet, [])[0], a_fleet(lateness_s=lateness_s)
            for asset_id, value in stored.items():
                Snapshots(fleet).load(asset_id, value, {})
            closed = []
        closed += fed(fleet, later, [cut - at for cut in cuts if cut > at])
        states, windows_ = all_bytes(fleet, closed)
        return states, known | windows_

    one = history([], twice=False, restart=False)
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=8))
    assert history(list(range(len(rows))), twice=True, restart=False) == one
    assert history(cuts, twice=data.draw(st.booleans()), restart=True) == one
