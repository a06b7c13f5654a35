"""Events beyond the limits of the spec: known numbers, limiting cases, and the plain computation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from schemas.asset import AssetSpec
from stream_app.domain import views
from stream_app.domain.snapshot import Snapshots
from tests.metric_example import compute
from tests.oracle import Part, Row, known
from tests.unit.domain.fleets import START_US, a_fleet, all_bytes, fed, lifetime

NAMES = ("limit_event_count", "limit_event_s", "limit_event_open_s", "limit_event_excess")
VOLTAGE_HIGH, VOLTAGE_LOW, HOT, COLD, SOC_HIGH, SOC_LOW, C_RATE, SPREAD = range(8)


@dataclass
class _Event:
    """Rows beyond a limit until one is back within."""

    time_s: float = 0.0
    excess: float = 0.0
    is_open: bool = True


def _reading(row: Row, limit: int) -> float:
    """The reading that a limit limits; of low limits with its sign turned, so that more is beyond."""
    readings = row.readings
    if limit in (VOLTAGE_HIGH, VOLTAGE_LOW):
        reading = row.voltage_v
    elif limit in (HOT, COLD):
        cell_c = readings["t_max_c" if limit == HOT else "t_min_c"]
        reading = cell_c if known(cell_c) else readings["temperature_c"]
    elif limit in (SOC_HIGH, SOC_LOW):
        reading = row.soc_percent
    elif limit == C_RATE:
        reading = abs(row.current_a)
    else:
        reading = readings["cell_v_max"] - readings["cell_v_min"]
        reading = reading if reading >= 0 else float("nan")
    return -reading if limit in (VOLTAGE_LOW, COLD, SOC_LOW) else reading


def _limits(part: Part) -> list[tuple[float, float] | None]:
    """Each limit and the end of its events, with the sign of the reading; None: there is no such limit."""
    spec = part.nameplate.spec
    rate = spec.c_rate_high and spec.nominal_capacity_ah and spec.c_rate_high * spec.nominal_capacity_ah
    stated: tuple[tuple[float | None, Callable[[float], float]], ...] = (
        (spec.voltage_high_v, lambda v: v - 0.005 * v),
        (spec.voltage_low_v, lambda v: -(v + 0.005 * v)),
        (spec.temperature_high_c, lambda t: t - 1),
        (spec.temperature_low_c, lambda t: -(t + 1)),
        (spec.soc_high_percent, lambda s: s - 1),
        (spec.soc_low_percent, lambda s: -(s + 1)),
        (rate, lambda a: a - 0.05 * a),
        (spec.cell_spread_high_v, lambda v: v - 0.05 * v),
    )
    signs = (1, -1, 1, -1, 1, -1, 1, 1)
    return [None if at is None else (sign * at, end(at)) for sign, (at, end) in zip(signs, stated, strict=True)]


def _events(part: Part) -> list[list[_Event]] | None:
    """Events of each limit that lasted 10 s; None where none are looked for."""
    limits = _limits(part)
    if not part.is_lifetime or all(limit is None for limit in limits):
        return None
    found: list[list[_Event]] = []
    for number, limit in enumerate(limits):
        events: list[_Event] = []
        for row in part.rows if limit is not None else []:
            reading = _reading(row, number)
            if not row.settled or not known(reading) or limit is None:
                continue
            at, end = limit
            if events and events[-1].is_open:
                events[-1].is_open = reading > end
            elif reading > at:
                events.append(_Event())
            if events and events[-1].is_open:
                events[-1].time_s += row.dt_s
                events[-1].excess = max(events[-1].excess, reading - at)
        found.append([event for event in events if event.time_s >= 10])
    return found


def plain_limit_event_count(part: Part) -> list[float] | None:
    found = _events(part)
    return None if found is None else [float(len(events)) for events in found]


def plain_limit_event_s(part: Part) -> list[float] | None:
    found = _events(part)
    return None if found is None else [sum(event.time_s for event in events) for events in found]


def plain_limit_event_open_s(part: Part) -> list[float] | None:
    found = _events(part)
    return None if found is None else [events[-1].time_s if events and events[-1].is_open else 0.0 for events in found]


def plain_limit_event_excess(part: Part) -> list[float] | None:
    found = _events(part)
    return None if found is None else [max((event.excess for event in events), default=0.0) for events in found]


def _of(limit: int, name: str, spec: dict[str, float], **readings: Any) -> Any:
    """One limit's number of a metric; the reason where it is null."""
    value = compute(name, spec=spec, **readings)
    return value[limit] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("limit", "spec", "readings", "excess"),
    [
        (VOLTAGE_HIGH, {"voltage_high_v": 800}, {"voltage_v": [790, 810, 790]}, 10),
        (VOLTAGE_LOW, {"voltage_low_v": 800}, {"voltage_v": [810, 780, 810]}, 20),
        (HOT, {"temperature_high_c": 45}, {"temperature_c": [40, 48, 40]}, 3),
        (HOT, {"temperature_high_c": 45}, {"temperature_c": [40, 40, 40], "t_max_c": [40, 50, 40]}, 5),
        (COLD, {"temperature_low_c": 0}, {"temperature_c": [5, -8, 5]}, 8),
        (COLD, {"temperature_low_c": 0}, {"temperature_c": [5, 5, 5], "t_min_c": [5, -2, 5]}, 2),
        (SOC_HIGH, {"soc_high_percent": 90}, {"soc_percent": [80, 95, 80]}, 5),
        (SOC_LOW, {"soc_low_percent": 10}, {"soc_percent": [20, 3, 20]}, 7),
        (C_RATE, {"c_rate_high": 0.5, "nominal_capacity_ah": 100}, {"current_a": [40, -60, 40]}, 10),
        (SPREAD, {"cell_spread_high_v": 0.25}, {"cell_v_min": [3, 3, 3], "cell_v_max": [3.125, 3.5, 3]}, 0.25),
    ],
)
def test_each_limit(limit: int, spec: dict[str, float], readings: dict[str, Any], excess: float) -> None:
    """One row of a minute beyond one limit: an event of that limit, and of no other one."""
    expected = [(1.0, 60.0, 0.0, excess) if x == limit else (0.0, 0.0, 0.0, 0.0) for x in range(8)]
    values = [compute(name, spec=spec, dt_s=60, **readings) for name in NAMES]
    assert np.array(values).T.tolist() == [list(each) for each in expected]


def test_at_the_limit_is_within() -> None:
    """A charge that is held at the highest voltage allowed is no event."""
    spec = {"voltage_high_v": 800.0}
    assert _of(VOLTAGE_HIGH, "limit_event_count", spec, dt_s=60, voltage_v=[800, 800, 800]) == 0


def test_a_reading_that_wavers_at_the_limit_is_one_event() -> None:
    """It ends 1 K below the limit, and what lies between belongs to it."""
    readings: dict[str, Any] = {"dt_s": 10, "temperature_c": [46, 44.5, 46, 44.5, 44, 46, 20]}
    assert _of(HOT, "limit_event_count", {"temperature_high_c": 45}, **readings) == 2
    assert _of(HOT, "limit_event_s", {"temperature_high_c": 45}, **readings) == 50


def test_less_than_ten_seconds_do_not_count() -> None:
    """Neither their time nor how far beyond they were; from ten seconds on all of the event does."""
    spec, short = {"voltage_high_v": 800.0}, [700, *[990] * 9, 700]
    long = [700, *[990] * 3, *[810] * 7, 700]
    assert [_of(VOLTAGE_HIGH, name, spec, voltage_v=short) for name in NAMES] == [0, 0, 0, 0]
    assert [_of(VOLTAGE_HIGH, name, spec, voltage_v=long) for name in NAMES] == [1, 10, 0, 190]


def test_neither_a_gap_nor_a_missing_reading_ends_an_event() -> None:
    """Their time is not the event's."""
    readings: dict[str, Any] = {"time_s": [0, 60, 120, 180, 8000, 8060], "voltage_v": [810, 810, None, 810, 810, 700]}
    spec = {"voltage_high_v": 800.0, "max_gap_s": 600.0}
    assert [_of(VOLTAGE_HIGH, name, spec, **readings) for name in NAMES] == [1, 180, 0, 10]


def test_an_open_event_tells_how_long_it_has_lasted() -> None:
    """It counts as soon as it has lasted ten seconds."""
    spec = {"soc_low_percent": 10.0}
    readings: dict[str, Any] = {"dt_s": 5, "soc_percent": [50, 9, 8, 7, 7]}
    assert [_of(SOC_LOW, name, spec, **readings) for name in NAMES] == [1, 15, 15, 3]
    assert _of(SOC_LOW, "limit_event_open_s", spec, dt_s=5, soc_percent=[50, 9, 8]) == 0


def test_a_c_rate_without_a_capacity_is_no_limit() -> None:
    """So there is none at all."""
    assert compute("limit_event_count", spec={"c_rate_high": 1}, current_a=[5, 5]) == "limit_missing"


@pytest.mark.parametrize("name", NAMES)
def test_null(name: str) -> None:
    """Without a limit."""
    assert compute(name, voltage_v=[1, 2, 3]) == "limit_missing"


def _rows(temperatures: list[float], first: int = 0) -> list[dict[str, Any]]:
    return [
        {"asset": "a", "offset": 1 + i, "time_us": START_US + i * 60_000_000, "temperature_c": t, "soc": 95.0}
        for i, t in enumerate(temperatures, first)
    ]


def _since_us(fleet: Any) -> dict[str, int]:
    life = views.current(fleet, np.array([fleet.slot("a")]))
    late = views.read(fleet, life, closed=False).late
    return {name: int(metric.since_us[0]) for name, metric in late.items()}


def test_a_limit_that_stays_goes_on_and_a_new_one_begins() -> None:
    """What changes beside it does not matter; the answer tells since when the events count."""
    fleet = a_fleet({"a": AssetSpec(temperature_high_c=45)})
    fed(fleet, _rows([50, 50, 20, 20]))
    fleet.set_spec(0, AssetSpec(temperature_high_c=45, nominal_capacity_ah=100))
    assert lifetime(fleet)["limit_event_count"][HOT] == 1
    assert _since_us(fleet) == {}
    fleet.set_spec(0, AssetSpec(temperature_high_c=45, soc_high_percent=90))
    fed(fleet, _rows([50, 20, 20], first=4))
    assert lifetime(fleet)["limit_event_count"] == [0, 0, 2, 0, 1, 0, 0, 0]
    assert _since_us(fleet) == dict.fromkeys(NAMES, START_US + 3 * 60_000_000)
    fleet.set_spec(0, AssetSpec(temperature_high_c=40, soc_high_percent=90))
    assert lifetime(fleet)["limit_event_count"] == [0, 0, 0, 0, 1, 0, 0, 0]


def test_limits_of_the_spec_are_in_force_after_a_restart() -> None:
    """Whether its state was stored with the events or, as by an older release, without."""
    spec = AssetSpec(temperature_high_c=45)
    fleet = a_fleet({"a": spec})
    fed(fleet, _rows([50, 50, 20, 50]))
    (stored,) = all_bytes(fleet, [])[0].values()
    back = a_fleet()
    Snapshots(back).load("a", stored, {})
    fed(back, _rows([50, 20], first=4))
    fed(fleet, _rows([50, 20], first=4))
    assert lifetime(back) == lifetime(fleet)
    assert lifetime(back)["limit_event_count"][HOT] == 2
