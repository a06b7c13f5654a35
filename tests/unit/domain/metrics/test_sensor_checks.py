"""Whether current, voltage and SoC belong together: known numbers, limiting cases, and the plain computation."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.metric_example import compute, compute_all
from tests.oracle import Part, known, total


def _steps(part: Part) -> list[tuple[float, float]]:
    """Steps of current and voltage of a lifetime."""
    rows = [row for row in part.rows if row.settled and row.previous and row.previous.dt_s > 0]
    steps = [(r.current_a - r.previous.current_a, r.voltage_v - r.previous.voltage_v) for r in rows if r.previous]
    return [(di, dv) for di, dv in steps if known(di) and known(dv)]


def _blocks(part: Part, length_s: float) -> list[tuple[float, float]]:
    """Change of the SoC and charge of each block of a lifetime."""
    blocks = []
    begin, charge_as, time_s = math.nan, 0.0, 0.0
    for row in part.rows:
        if not row.settled:
            continue
        if known(row.soc_percent):
            if known(begin) and time_s >= length_s:
                blocks.append((row.soc_percent - begin, charge_as))
                begin = math.nan
            if not known(begin):
                begin, charge_as, time_s = row.soc_percent, 0.0, 0.0
        if row.dt_s > 0 and known(row.current_a):
            charge_as += row.current_a * row.dt_s
            time_s += row.dt_s
        else:
            begin, time_s = math.nan, 0.0
    return blocks


def _correlation(pairs: list[tuple[float, float]], least: int) -> float | None:
    squares = total(x * x for x, _ in pairs) * total(y * y for _, y in pairs)
    return total(x * y for x, y in pairs) / math.sqrt(squares) if len(pairs) >= least and squares > 0 else None


def _correlations(part: Part) -> tuple[float | None, float | None]:
    if not part.is_lifetime:
        return None, None
    return _correlation(_steps(part), 100), _correlation(_blocks(part, 3600), 5)


def _is_reversed(by_voltage: float | None, by_soc: float | None) -> bool:
    return by_voltage is not None and by_soc is not None and by_voltage < -0.2 and by_soc < -0.2


def plain_voltage_current_correlation(part: Part) -> float | None:
    by_voltage, by_soc = _correlations(part)
    return None if by_voltage is None or by_voltage < 0 or _is_reversed(by_voltage, by_soc) else by_voltage


def plain_soc_charge_correlation(part: Part) -> float | None:
    by_voltage, by_soc = _correlations(part)
    return None if by_soc is None or by_soc < 0 or _is_reversed(by_voltage, by_soc) else by_soc


def _soc_error(part: Part, length_s: float) -> float | None:
    """Deviation of the blocks from a line through the origin, in two passes."""
    blocks = _blocks(part, length_s) if part.is_lifetime else []
    charges = total(charge**2 for _, charge in blocks)
    if len(blocks) < 5 or charges <= 0:
        return None
    slope = total(change * charge for change, charge in blocks) / charges
    return math.sqrt(total((change - slope * charge) ** 2 for change, charge in blocks) / (len(blocks) - 1))


def plain_soc_error_1h_percent(part: Part) -> float | None:
    return _soc_error(part, 3600)


def plain_soc_error_4h_percent(part: Part) -> float | None:
    return _soc_error(part, 14_400)


def plain_current_aliasing(part: Part) -> float | None:
    read_s = part.measured_s("current_a")
    steps = _steps(part) if part.is_lifetime else []
    if len(steps) < 100 or read_s <= 0:
        return None
    mean = total(row.current_a * row.dt_s for row in part.rows) / read_s
    squares = total(row.current_a**2 * row.dt_s for row in part.rows) / read_s
    variance = total((row.current_a - mean) ** 2 * row.dt_s for row in part.rows) / read_s
    if variance <= 1e-9 * squares:
        return None
    return math.sqrt(total(di**2 for di, _ in steps) / len(steps) / 2 / variance)


#: A day of an hour's charge and an hour's discharge in turn, in minutes: the voltage follows, and so does the SoC.
CHARGING = [k // 60 % 2 == 0 for k in range(1440)]
DAY: dict[str, Any] = {
    "dt_s": 60,
    "current_a": [64 if charging else -64 for charging in CHARGING],
    "voltage_v": [905 if charging else 895 for charging in CHARGING],
    "soc_percent": [20 + (k % 60 if charging else 60 - k % 60) for k, charging in enumerate(CHARGING)],
}


def test_signals_of_a_sound_pack_belong_together() -> None:
    """Both correlations are 1; the SoC follows the charge over hours."""
    assert compute("voltage_current_correlation", **DAY) == pytest.approx(1.0)
    assert compute("soc_charge_correlation", **DAY) == pytest.approx(1.0)
    assert compute("soc_error_1h_percent", **DAY) == pytest.approx(0.0, abs=1e-3)


def test_a_reversed_current_is_suspect() -> None:
    """Voltage and SoC both contradict it."""
    rows = DAY | {"current_a": [-current for current in DAY["current_a"]]}
    for name in ("voltage_current_correlation", "soc_charge_correlation"):
        values = compute_all(name, **rows)
        assert values.reason[0] == "sign_suspect"
        assert values.unchecked is not None
        assert values.unchecked[0] == pytest.approx(-1.0)


def test_a_voltage_that_alone_contradicts_was_read_at_another_time() -> None:
    """The voltage falls as the current rises, the SoC is right."""
    rows = DAY | {"voltage_v": [1800 - voltage for voltage in DAY["voltage_v"]]}
    assert compute("voltage_current_correlation", **rows) == "v_i_skew_suspect"
    assert compute("soc_charge_correlation", **rows) == pytest.approx(1.0)


def test_a_depth_of_discharge_is_no_state_of_charge() -> None:
    """The SoC falls while the asset charges, the voltage is right."""
    rows = DAY | {"soc_percent": [100 - soc for soc in DAY["soc_percent"]]}
    assert compute("soc_charge_correlation", **rows) == "soc_suspect"
    assert compute("voltage_current_correlation", **rows) == pytest.approx(1.0)


def test_a_soc_that_wanders_shows() -> None:
    """Blocks of an hour with 64 Ah each, and the SoC says 60, 50, 60, 50 ... %: 5 % off the mean of 55 %."""
    soc_percent = [0, 60, 110, 170, 220, 280, 330, 390, 440, 500, 550]
    rows: dict[str, Any] = {"current_a": [64] * 11, "soc_percent": [value / 10 for value in soc_percent]}
    assert compute("soc_error_1h_percent", dt_s=3600, **rows) == pytest.approx(0.5 * math.sqrt(10 / 9))


def test_a_gap_ends_a_block() -> None:
    """Of five blocks one has a gap within: four are too few. Without any charge there is no capacity."""
    rows: dict[str, Any] = {"current_a": [64] * 6, "soc_percent": [0, 10, 20, 30, 40, 50]}
    assert compute("soc_error_1h_percent", dt_s=3600, **rows) == pytest.approx(0.0, abs=1e-3)
    times_s = [0, 3600, 7200, 100_000, 103_600, 107_200]
    assert compute("soc_error_1h_percent", time_s=times_s, **rows) == "too_few_blocks"
    assert compute("soc_error_1h_percent", dt_s=3600, **rows | {"current_a": [0] * 6}) == "no_charge"
    assert compute("soc_error_4h_percent", dt_s=3600, **rows) == "too_few_blocks"


def test_rows_that_follow_the_current_are_not_aliased() -> None:
    """+-50 A that change once a minute: a step of 100 A in 60 rows, sqrt(10^4 x 3 / 239 / 2 / 2,500)."""
    rows: dict[str, Any] = {"current_a": ([50] * 60 + [-50] * 60) * 2, "voltage_v": [900] * 240}
    aliasing = compute("current_aliasing", **rows)
    assert aliasing == pytest.approx(math.sqrt(3e4 / 239 / 2 / 2500), rel=1e-4)
    swinging = compute("current_aliasing", current_a=[50, -50] * 60, voltage_v=[900] * 120)
    assert swinging == pytest.approx(math.sqrt(2), rel=1e-4)
    assert compute("current_aliasing", current_a=[50] * 120, voltage_v=[900] * 120) == "no_load"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("voltage_current_correlation", "too_few_steps"),
        ("current_aliasing", "too_few_steps"),
        ("soc_charge_correlation", "too_few_blocks"),
        ("soc_error_4h_percent", "too_few_blocks"),
    ],
)
def test_few_rows_tell_nothing(name: str, reason: str) -> None:
    """Three rows."""
    assert compute(name, current_a=[1, 2, 3], voltage_v=[1, 2, 3], soc_percent=[1, 2, 3]) == reason


def test_a_block_begins_at_a_row_with_a_soc() -> None:
    """Time that passes after a gap, before a SoC is read, is in no block."""
    soc = [*[20, 40] * 6, None, None, 40]
    current = [*[10, -10] * 6, None, 10, 10]
    after_a_gap = compute("soc_charge_correlation", dt_s=3600, soc_percent=soc, current_a=current, voltage_v=[900] * 15)
    assert after_a_gap == compute(
        "soc_charge_correlation", dt_s=3600, soc_percent=soc[:12], current_a=current[:12], voltage_v=[900] * 12
    )
