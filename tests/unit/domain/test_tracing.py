"""Traced expressions give what the uncompiled ones give, and what cannot be traced is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.asset import AssetSpec
from stream_app.domain import views
from stream_app.domain.catalogue import Catalogue, Residues, share
from stream_app.domain.compilation import compiled_walk
from stream_app.domain.errors import UntraceableError
from stream_app.domain.metrics import REGISTRY
from stream_app.domain.metrics._base import (
    SUM,
    AssetSpecs,
    Columns,
    Field,
    Metric,
    MetricValues,
    Samples,
    Totals,
    defined_where,
    histogram,
)
from stream_app.domain.reading import LIFETIME
from stream_app.domain.rows import COLUMNS
from stream_app.domain.sequential import SequentialState
from stream_app.domain.soc_loops import SocLoops
from stream_app.domain.state import Fleet
from stream_app.domain.value_code import SEQ
from stream_app.domain.views import Windows

CATALOGUE = Catalogue()
READING = st.one_of(st.just(np.nan), st.sampled_from([0.0, -0.0, 50.0, 100.0, 120.0, -10.0]), st.floats(-500, 1000))


@st.composite
def samples_of_one_asset(draw: st.DrawFn) -> Samples:
    """Rows as the walk has them."""
    n = draw(st.integers(1, 12))
    values = {name: np.array(draw(st.lists(READING, min_size=n, max_size=n))) for name in COLUMNS}
    valid = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    held_s = np.array(draw(st.lists(st.sampled_from([0.5, 1.0, 2.0, 60.0]), min_size=n, max_size=n)))
    return Samples(
        asset=np.zeros(n, np.int64),
        starts=np.zeros(1, np.int64),
        values=values,
        soc_following_percent=np.append(values["soc_percent"][1:], np.nan),
        dt_s=np.where(valid, held_s, 0.0),
        valid=valid,
        gap_s=np.where(valid, 0.0, held_s),
        carried=CATALOGUE.carried,
        carry=np.array([[draw(READING) for _ in CATALOGUE.carried]]),
    )


@given(samples_of_one_asset())
def test_traced_contributions_are_the_uncompiled_ones(samples: Samples) -> None:
    """Every metric and statistic, bit for bit, with what sequential states see."""
    layout, fleet = CATALOGUE.layout, Fleet(CATALOGUE, (60,))
    for state in CATALOGUE.sequential_states:
        _, _, events = state.advance(state.start()[None], [np.zeros(0)], samples)
        samples.set_events(type(state), events)
    plain = layout.empty(1)
    layout.add(plain, np.zeros(len(samples), np.int64), CATALOGUE.contributions(samples))

    line, totals = fleet.floats.blank.copy(), layout.empty(1)[:, 0].copy()
    line[fleet.floats.carry_at : fleet.floats.carry_at + len(CATALOGUE.carried)] = samples._carry[0]
    scratch = (
        np.zeros(len(samples), np.int64),
        samples.dt_s,
        samples.valid,
        samples.gap_s,
        np.array([samples[name] for name in COLUMNS]),
    )
    stacks, events_room, _, depths = fleet.workspace.arrays()[4]
    depths[:] = 0
    add_rows: Callable[..., int] = _globals(compiled_walk(CATALOGUE))["add_rows"]
    n = len(samples)
    assert add_rows(0, n, 0, 1, n, scratch, totals, line, stacks, depths, events_room) == n
    assert totals.tobytes() == plain[:, 0].tobytes()


def _globals(walk: Any) -> dict[str, Any]:
    return dict(getattr(walk, "py_func", walk).__globals__)


NOT_NEGATIVE = (0.0, -0.0, 0.5, 1.0, 1e300)
SOC = st.floats(0, 100)


@st.composite
def windows_of_assets(draw: st.DrawFn) -> tuple[Fleet, Windows]:
    """Lifetimes and windows with any totals, of assets with any residue and newest stamp."""
    layout, fleet = CATALOGUE.layout, Fleet(CATALOGUE, (60,))
    for number in range(2):
        slot = fleet.slot(f"a{number}")
        fleet.set_spec(slot, AssetSpec(nominal_capacity_ah=draw(st.sampled_from([None, 1.0, 94.5]))))
        fleet.integers.last_us[slot] = draw(st.integers(0, 200_000_000))
        fleet.floats.state(SocLoops)[slot, [0, 1, 5]] = draw(st.sampled_from([-1.0, 0.0, 1.0])), draw(SOC), draw(SOC)
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        for state in CATALOGUE.sequential_states:
            if state.residue_width and not isinstance(state, SocLoops):
                sums = fleet.floats.state(type(state))[slot]
                sums[:] = rng.choice([0, 0.5, 1, 20, 1e5, 1e300], len(sums)) * rng.choice([0, 1, 1, 1])
        turning_points = np.array(draw(st.lists(st.tuples(SOC, SOC, SOC, SOC), max_size=4))).reshape(-1)
        fleet.stacks.set(
            slot, [turning_points if isinstance(s, SocLoops) else np.zeros(0) for s in CATALOGUE.sequential_states]
        )
    k = draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))  # too many numbers to draw one by one
    shape = (k, layout.width)
    totals = np.where(rng.random(shape) < 0.5, rng.choice(NOT_NEGATIVE, shape), rng.uniform(0, 1e9, shape))
    empty = rng.random(layout.width) < 0.5
    totals[0, empty] = layout.identity[empty]

    def integers(some: st.SearchStrategy[int]) -> np.ndarray:
        return np.array(draw(st.lists(some, min_size=k, max_size=k)), np.int64)

    return fleet, Windows.of(
        fleet,
        slot=integers(st.sampled_from([0, 1])),
        size_us=integers(st.sampled_from([LIFETIME, 60_000_000])),
        start_us=integers(st.integers(0, 200_000_000)),
        seq=integers(st.integers(0, 2**62)),
        totals=totals,
    )


def residues_of(fleet: Fleet, windows: Windows, state: type[SequentialState]) -> np.ndarray:
    """What a sequential state of each lifetime holds."""
    residues = np.zeros((len(windows), state.residue_width))
    number = [type(each) for each in CATALOGUE.sequential_states].index(state)
    for i, slot in enumerate(windows.slot.tolist()):
        if windows.size_us[i] == LIFETIME:
            state.residue(fleet.floats.state(state)[slot], fleet.stacks.get(slot)[number], residues[i])
    return residues


@given(windows_of_assets(), st.booleans())
def test_traced_values_are_the_uncompiled_ones(given_: tuple[Fleet, Windows], closed: bool) -> None:
    """Every metric's value, reason, uncertainty and unchecked value, bit for bit, of any totals."""
    fleet, windows = given_
    life = windows.size_us == LIFETIME
    newest_us = fleet.integers.last_us[windows.slot]
    end_us = np.where(life, newest_us, np.minimum(newest_us, windows.start_us + windows.size_us))
    span_s = (windows.size_us if closed else end_us - windows.start_us) / 1e6
    with_residue = [type(state) for state in CATALOGUE.sequential_states if state.residue_width]
    residues: Residues = {state: residues_of(fleet, windows, state) for state in with_residue}
    plain = CATALOGUE.read(np.ascontiguousarray(windows.totals.T), span_s, windows.specs, residues)
    readings = views.read(fleet, windows, closed=closed)
    assert list(plain) == list(readings.by_metric)
    for name, traced in readings.by_metric.items():
        expected = plain[name]
        assert list(traced.reason) == list(expected.reason), name
        if not REGISTRY[name].count:
            assert same_bits(traced.value, expected.value), name
        else:
            with np.errstate(invalid="ignore"):
                assert traced.value.tolist() == expected.value.astype(np.int64).tolist()
        assert same_bits(traced.sigma, expected.sigma), name
        assert same_bits(traced.unchecked, expected.unchecked), name
    valid_s = windows.totals[:, CATALOGUE.valid_at]
    assert same_bits(readings.coverage, share(valid_s, span_s))
    assert readings.whole[:, SEQ].tolist() == windows.seq.tolist()


def same_bits(a: np.ndarray | None, b: np.ndarray | None) -> bool:
    """Whether both are the same numbers, or both are none; one NaN is as good as another."""
    if a is None or b is None:
        return a is b
    known = ~np.isnan(a)
    return bool((np.isnan(b) == ~known).all()) and a[known].tobytes() == b[known].tobytes()


class _Refused(Metric):
    """A metric that cannot be compiled [1]."""

    name, unit = "refused", "1"
    fields: ClassVar[dict[str, Field]] = {"x": SUM}
    asks: ClassVar[Callable[[Samples], Any]]

    def contribute(self, samples: Samples) -> Columns:
        return {"x": type(self).asks(samples)}

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        raise AssertionError


@pytest.mark.parametrize(
    ("asks", "named"),
    [
        (lambda s: np.sin(s.current_a), "sin"),
        (lambda s: np.cumsum(s.current_a), "cumsum"),
        (lambda s: np.add.accumulate(s.current_a), "add.accumulate"),
        (lambda s: s.current_a if s.current_a > 0 else s.voltage_v, "a branch on a value"),
        (lambda s: s.current_a + np.arange(3), "beside a column"),
    ],
)
def test_what_cannot_be_compiled_is_refused_with_the_cure(asks: Callable[[Samples], Any], named: str) -> None:
    """At the start, with the metric's name."""
    metric = type("Refused", (_Refused,), {"asks": staticmethod(asks)})
    with pytest.raises(UntraceableError, match=rf"refused uses .*{named}.*(np\.where|column)"):
        _ = Catalogue([*REGISTRY.values(), metric()]).carried


class _RefusedValue(Metric):
    """A metric whose value cannot be compiled [1]."""

    name, unit = "refused", "1"
    fields: ClassVar[dict[str, Field]] = {"x": SUM, "bins": histogram(3)}
    asks: ClassVar[Callable[[Totals], Any]]

    def contribute(self, samples: Samples) -> Columns:
        return {"x": samples.dt_s}

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        with defined_where({}) as defined:
            return defined(type(self).asks(totals))


@pytest.mark.parametrize(
    ("asks", "named"),
    [
        (lambda t: np.exp(t["x"]), "exp"),
        (lambda t: t["x"] if t["x"] > 0 else -t["x"], "a branch on a value"),
        (lambda t: t["x"][0], "the index 0"),
        (lambda t: t["bins"].sum(), "a sum over axis None"),
        (lambda t: t["bins"][0], "the index 0 of a histogram"),
        (lambda t: t["bins"] + t["bins"][:, 1:], "histograms of different bins"),
    ],
)
def test_values_that_cannot_be_compiled_are_refused_with_the_cure(asks: Callable[[Totals], Any], named: str) -> None:
    """At the start, with the metric's name."""
    metric = type("Refused", (_RefusedValue,), {"asks": staticmethod(asks)})
    with pytest.raises(UntraceableError, match=rf"refused uses .*{named}.*: (use|give)"):
        _ = Catalogue([metric()]).values


def test_values_of_histograms_are_traced_bin_by_bin() -> None:
    """A histogram may be divided by its sum, cut, or read at one bin."""
    for asks, bins in (
        (lambda t: t["bins"] / t["bins"].sum(axis=1)[:, None], 3),
        (lambda t: np.where(t["bins"][:, 1:] > 0, 1.0, 0.0), 2),
        (lambda t: np.sum(t["bins"], axis=1) - t["bins"][:, 0], None),
    ):
        catalogue = Catalogue([type("Traced", (_RefusedValue,), {"asks": staticmethod(asks)})()])
        assert [columns.bins for columns in catalogue.reading_layout.metrics] == [bins]
