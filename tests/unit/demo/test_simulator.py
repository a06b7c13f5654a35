import csv
import json
from pathlib import Path

import numpy as np
import pytest

from stream_app.demo.sample_day import PERIOD_S, simulate_day, write_csv
from stream_app.demo.simulator import DAY_S, FloatArray, Pack, Simulation, Trace, truth_of

EXAMPLE = Path(__file__).parents[3] / "example"
PACK = Pack()


@pytest.fixture(scope="module")
def week() -> Trace:
    return Simulation(PACK, period_s=2, seed=1).advance(7 * DAY_S // 2)


def test_energy_balance_closes(week: Trace) -> None:
    """Energy in, less energy out, less what the store gained, is the sum of the losses."""
    truth = truth_of(PACK, week)
    losses_kwh = truth.ohmic_loss_kwh + truth.rc_loss_kwh + truth.coulombic_loss_kwh
    open_kwh = truth.energy_in_kwh - truth.energy_out_kwh - truth.stored_change_kwh - losses_kwh
    assert abs(open_kwh) / truth.energy_in_kwh < 1e-9


def test_week_has_the_recipes_efficiency_and_health(week: Trace) -> None:
    """A week's efficiency is 0.9878 whatever the regulation did; cycles by SoC outnumber those by charge by 1/SoH."""
    truth = truth_of(PACK, week)
    assert truth.rte == pytest.approx(0.98775, abs=5e-4)
    assert truth.efc_charge / truth.efc_soc == pytest.approx(truth.soh, rel=2e-3)
    assert truth.self_discharge_percent_per_day == pytest.approx(0.2609, abs=1e-4)


def test_voltage_step_shows_the_series_resistance(week: Trace) -> None:
    """From a settled rest, the first row of a pulse reads R0 exactly: the voltage is taken just after the step."""
    start = 60 // 2 + 6 * 3_600 // 2  # the pulses of 06:01, after a minute's rest
    step_a = week.current_a[start] - week.current_a[start - 1]
    step_v = (week.voltage_v[start] - week.rc_v[start]) - (week.voltage_v[start - 1] - week.rc_v[start - 1])
    assert step_a == 50.0
    assert step_v / step_a == pytest.approx(PACK.r0_ohm, rel=1e-4)


def test_left_hold_integral_is_close_to_the_exact_one(week: Trace) -> None:
    """Summing current x voltage x period, as a meter does, differs from the exact energy by some 1e-5."""
    truth = truth_of(PACK, week)
    power_w = (week.current_a * week.voltage_v)[:-1]
    in_kwh = power_w[power_w > 0].sum() * week.period_s / 3.6e6
    assert in_kwh == pytest.approx(truth.energy_in_kwh, rel=1e-4)
    assert in_kwh != pytest.approx(truth.energy_in_kwh, rel=1e-7)


def test_pure_cycle_has_the_closed_forms_efficiency() -> None:
    """Without RC element and leakage, a full cycle's efficiency is eta (Um - I R0) / (Um + I R0)."""
    pack = Pack(r1_ohm=0.0, leak_a=0.0)
    i_a, low, high, steps = 30.0, 0.2, 0.8, 1_000
    up: FloatArray = np.linspace(low, high, steps + 1, dtype=np.float64)
    period_s = (high - low) / steps * pack.capacity_as / (i_a * pack.coulombic_efficiency)
    charge = _held(pack, period_s, i_a, up)
    period_s = (high - low) / steps * pack.capacity_as / i_a
    discharge = _held(pack, period_s, -i_a, np.flip(up))
    mean_v = pack.ocv_empty_v + pack.ocv_rise_v / 2 * (low + high)
    expected = pack.coulombic_efficiency * (mean_v - i_a * pack.r0_ohm) / (mean_v + i_a * pack.r0_ohm)
    ratio = truth_of(pack, discharge).energy_out_kwh / truth_of(pack, charge).energy_in_kwh
    assert ratio == pytest.approx(expected, rel=1e-12)


def _held(pack: Pack, period_s: float, current_a: float, soc: FloatArray) -> Trace:
    n = len(soc)
    zeros = np.zeros(n)
    return Trace(
        period_s, np.arange(n, dtype=np.float64) * period_s, np.full(n, current_a, dtype=np.float64), zeros, soc, zeros
    )


@pytest.mark.parametrize("period_s", [2, 4])
def test_cuts_do_not_matter(period_s: int) -> None:
    """A day in pieces is the day in one."""
    whole = Simulation(PACK, period_s=period_s, seed=3).advance(9_000)
    pieces = Simulation(PACK, period_s=period_s, seed=3)
    cut = [pieces.advance(n) for n in (1, 4_999, 4_000)]
    for name in ("time_s", "current_a", "voltage_v", "soc", "rc_v"):
        np.testing.assert_array_equal(np.concatenate([getattr(c, name) for c in cut]), getattr(whole, name))


@pytest.mark.parametrize("seed", range(4))
def test_state_of_charge_stays_in_bounds(seed: int) -> None:
    """Regulation never runs the pack full or empty."""
    soc = Simulation(PACK, period_s=4, seed=seed).advance(7 * DAY_S // 4).soc
    assert 0.0 < soc.min() < 0.13
    assert 0.89 < soc.max() < 1.0


def test_committed_sample_is_the_day_that_the_demo_writes(tmp_path: Path) -> None:
    """``sample_day.csv`` holds a whole day in at most 1 MB, and its truth belongs to it."""
    trace = simulate_day()
    write_csv(trace, tmp_path / "day.csv")
    committed = EXAMPLE / "sample_day.csv"
    assert committed.read_bytes() == (tmp_path / "day.csv").read_bytes()
    assert committed.stat().st_size <= 1_000_000
    with committed.open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == DAY_S // PERIOD_S
    truth = json.loads((EXAMPLE / "sample_day_truth.json").read_text(encoding="utf-8"))["truth"]
    assert truth["rte"] == pytest.approx(truth_of(PACK, trace).rte, rel=1e-12)
