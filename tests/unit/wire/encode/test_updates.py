"""Updates that are written column by column have the bytes of updates that are built one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import orjson
from hypothesis import given
from hypothesis import strategies as st

from schemas.asset import window_size_name
from schemas.control import EndOfUpload
from schemas.metrics import MetricsUpdate
from stream_app.domain.catalogue import Catalogue
from stream_app.domain.lines import NEVER
from stream_app.domain.metrics._base import AssetSpecs, Metric, MetricValues, Reasons, Totals
from stream_app.domain.since import LateMetric
from stream_app.domain.state import Ended, Fleet
from stream_app.domain.views import LIFETIME, Readings, Windows
from stream_app.wire.encode import json_columns
from stream_app.wire.encode import updates as update_json


class _Fixed(Metric):
    """A metric of which only name, unit and kind matter here."""

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        raise NotImplementedError


def _metric(number: int, *, timed: bool, count: bool) -> Metric:
    kind: Any = type(f"M{number}", (_Fixed,), {"name": f"m{number}", "unit": '"%é', "timed": timed, "count": count})
    return kind()  # type: ignore[no-any-return]


def _plain(catalogue: Catalogue, fleet: Fleet, readings: Readings, i: int, *, closed: bool) -> bytes:
    """Build one update as a dict."""
    windows = readings.windows
    size_us, start_us, slot = int(windows.size_us[i]), int(windows.start_us[i]), int(windows.slot[i])
    life = size_us == LIFETIME
    metrics: dict[str, Any] = {}
    for metric in catalogue.metrics:
        reading = readings.by_metric[metric.name]
        reason = reading.reason[i]
        value = reading.value[i].tolist()
        shown = metrics[metric.name] = {"value": None if reason else value, "unit": metric.unit}
        if metric.count and not reason and reading.value.ndim == 1:
            shown["value"] = int(np.nan_to_num(value))
        if reason:
            shown["reason"] = reason
        late = readings.late.get(metric.name)
        for name, numbers, there in (
            ("sigma", reading.sigma, True),
            ("value_unchecked", reading.unchecked, bool(reason)),
            ("coverage", late.coverage if late else readings.coverage, metric.timed),
        ):
            if numbers is not None and there and np.isfinite(numbers[i]).all():
                shown[name] = numbers[i].tolist()
        if late and late.since_us[i] != NEVER:
            shown["since"] = _stamp(int(late.since_us[i]))
    window = {
        "size": "lifetime" if life else window_size_name(size_us // 1_000_000),
        "start": _stamp(start_us),
        "end": None if life else _stamp(start_us + size_us),
    }
    return orjson.dumps(
        {
            "asset_id": fleet.ids[slot],
            "window": window,
            "seq": int(windows.seq[i]),
            "final": closed or slot in fleet.ended,
            "metrics": metrics,
        }
    )


def _stamp(time_us: int) -> str:
    time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_us)
    return time.isoformat().replace("+00:00", "Z")


NUMBER = st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from([0.0, -0.0, 1e16, 0.1, 5.0])
STAMP_US = st.integers(0, 7_000_000_000) | st.integers(-62_135_596_800_000_000, 253_402_200_000_000_000)


@st.composite
def readings_of(draw: st.DrawFn) -> tuple[Catalogue, Fleet, Readings]:
    k = draw(st.integers(1, 6))

    def numbers(*shape: int) -> np.ndarray:
        return np.array(draw(st.lists(NUMBER, min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))).reshape(
            shape
        )

    names = draw(st.lists(st.sampled_from(['a"b', "\\", "é,", "plain", '","']), min_size=1, unique=True))
    metrics, by_metric, late = [], {}, {}
    for number in range(draw(st.integers(1, 4))):
        metric = _metric(number, timed=draw(st.booleans()), count=draw(st.booleans()))
        shape = (k, draw(st.integers(1, 3))) if draw(st.booleans()) else (k,)
        value = numbers(*shape)
        if metric.count and len(shape) == 1:
            value = np.array(draw(st.lists(st.integers(-(2**40), 2**40), min_size=k, max_size=k)), float)
        reason: Any = draw(st.lists(st.sampled_from(["", "", "no_charge", 'a "reason"']), min_size=k, max_size=k))
        metrics.append(metric)
        by_metric[metric.name] = MetricValues(
            value=value,
            reason=draw(st.sampled_from([reason, Reasons.of(reason)])),
            sigma=numbers(k) if draw(st.booleans()) else None,
            unchecked=numbers(*shape) if draw(st.booleans()) else None,
        )
        if draw(st.booleans()):
            since_us = draw(st.lists(st.just(NEVER) | STAMP_US, min_size=k, max_size=k))
            late[metric.name] = LateMetric(numbers(k), np.array(since_us, np.int64))
    catalogue = Catalogue(metrics)
    fleet = Fleet(catalogue, (60,))
    slots = [fleet.slot(name) for name in names]
    if draw(st.booleans()):
        fleet.ended[0] = Ended(EndOfUpload(asset_id="plain", rows=1), 0)

    def whole(some: st.SearchStrategy[int]) -> np.ndarray:
        return np.array(draw(st.lists(some, min_size=k, max_size=k)), np.int64)

    windows = Windows.of(
        fleet,
        slot=whole(st.sampled_from(slots)),
        size_us=whole(st.sampled_from([LIFETIME, 60_000_000, 86_400_000_000])),
        start_us=whole(STAMP_US),
        seq=whole(st.integers(0, 2**50)),
        totals=catalogue.layout.empty(k),
    )
    return catalogue, fleet, Readings(windows, by_metric, numbers(k), late)


@given(given_=readings_of(), closed=st.booleans())
def test_updates_have_the_bytes_of_plain_ones(given_: tuple[Catalogue, Fleet, Readings], *, closed: bool) -> None:
    """Nulls with reasons, sigma, unchecked values, histograms, counts, lifetimes, ids that need escapes."""
    catalogue, fleet, readings = given_
    updates = update_json.updates(catalogue, readings, fleet.ids, fleet.ended, closed=closed)
    assert len(updates) == len(readings.windows)
    for i, (asset_id, text) in enumerate(updates):
        assert asset_id.decode() == fleet.ids[readings.windows.slot[i]]
        assert text == _plain(catalogue, fleet, readings, i, closed=closed)


def test_an_update_is_one() -> None:
    """The text of an update of the real catalogue is what its model says."""
    catalogue = Catalogue()
    fleet = Fleet(catalogue, (60,))
    windows = Windows.of(
        fleet,
        slot=np.array([fleet.slot("a")]),
        size_us=np.array([60_000_000]),
        start_us=np.array([0]),
        seq=np.array([7]),
        totals=catalogue.layout.empty(1),
    )
    readings = Readings(windows, catalogue.read(windows.totals, np.array([60.0]), windows.specs), np.zeros(1))
    ((_, text),) = update_json.updates(catalogue, readings, fleet.ids, closed=True)
    update = MetricsUpdate.model_validate_json(text)
    assert (update.window.start, update.window.end) == ("1970-01-01T00:00:00Z", "1970-01-01T00:01:00Z")


@given(st.lists(STAMP_US, max_size=5))
def test_stamps_are_those_of_the_calendar(times_us: list[int]) -> None:
    """Years 1 to 9999, before 1970 too."""
    texts = json_columns.stamps(np.array(times_us, np.int64))
    assert [text.decode() for text in texts if text is not None] == [_stamp(time_us) for time_us in times_us]
