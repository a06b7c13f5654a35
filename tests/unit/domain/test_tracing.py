"""Traced expressions give what the uncompiled ones give, and what cannot be traced is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.asset import AssetSpec
from stream_app.domain.catalogue import Catalogue
from stream_app.domain.compilation import compiled_walk
from stream_app.domain.errors import UntraceableError
from stream_app.domain.metrics import REGISTRY
from stream_app.domain.metrics._base import SUM, AssetSpecs, Columns, Field, Metric, MetricValues, Samples, Totals
from stream_app.domain.rows import COLUMNS
from stream_app.domain.state import Fleet

CATALOGUE = Catalogue()
READING = st.one_of(st.just(np.nan), st.sampled_from([0.0, -0.0, 50.0, 100.0, 120.0, -10.0]), st.floats(-500, 1000))


@st.composite
def samples_of_one_asset(draw: st.DrawFn) -> tuple[Samples, float]:
    """Rows as the walk has them, and the rest limit of their asset [A]."""
    n = draw(st.integers(1, 12))
    values = {name: np.array(draw(st.lists(READING, min_size=n, max_size=n))) for name in COLUMNS}
    valid = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    held_s = np.array(draw(st.lists(st.sampled_from([0.5, 1.0, 2.0, 60.0]), min_size=n, max_size=n)))
    specs = AssetSpecs.of(AssetSpec(nominal_capacity_ah=draw(st.sampled_from([None, 1.0, 5000.0]))))
    samples = Samples(
        asset=np.zeros(n, np.int64),
        starts=np.zeros(1, np.int64),
        values=values,
        soc_following_percent=np.append(values["soc_percent"][1:], np.nan),
        dt_s=np.where(valid, held_s, 0.0),
        valid=valid,
        gap_s=np.where(valid, 0.0, held_s),
        specs=specs,
        carried=CATALOGUE.carried,
        carry=np.array([[draw(READING) for _ in CATALOGUE.carried]]),
    )
    return samples, float(specs.rest_current_a[0])


@given(samples_of_one_asset())
def test_traced_contributions_are_the_uncompiled_ones(given_: tuple[Samples, float]) -> None:
    """Every metric and statistic, bit for bit, with what sequential states see."""
    samples, rest_limit_a = given_
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
    assert add_rows(0, n, 0, 1, n, scratch, rest_limit_a, totals, line, stacks, depths, events_room) == n
    assert totals.tobytes() == plain[:, 0].tobytes()


def _globals(walk: Any) -> dict[str, Any]:
    return dict(getattr(walk, "py_func", walk).__globals__)


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
