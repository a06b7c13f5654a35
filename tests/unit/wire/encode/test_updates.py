"""Updates that are written column by column have the bytes of updates that are built one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import orjson
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from schemas.asset import window_size_name
from schemas.control import EndOfUpload
from schemas.metrics import EventHeaders, MetricsUpdate, UpdateHeaders
from stream_app.domain import views
from stream_app.domain.catalogue import Catalogue
from stream_app.domain.lines import NEVER
from stream_app.domain.reading import LIFETIME
from stream_app.domain.since import LateMetric
from stream_app.domain.state import Ended, Fleet
from stream_app.domain.value_code import SEQ, ReadingColumns, ReadingLayout
from stream_app.domain.views import Readings, Windows
from stream_app.infra.kafka.log.batch_writing import RecordBlock, whole_batches
from stream_app.wire.encode import json_columns
from stream_app.wire.encode import updates as update_json
from stream_app.wire.encode.update_list import UpdateList
from stream_app.wire.encode.update_records import update_records
from stream_app.wire.encode.updates import NESTED, UpdateForm


def _plain(fleet: Fleet, readings: Readings, i: int, form: UpdateForm, *, closed: bool) -> bytes:
    """Build one update as a dict."""
    windows = readings.windows
    size_us, start_us, slot = int(windows.size_us[i]), int(windows.start_us[i]), int(windows.slot[i])
    life = size_us == LIFETIME
    metrics: dict[str, Any] = {}
    values: dict[str, Any] = {}
    for metric in readings.layout.metrics:
        reading = readings.by_metric[metric.name]
        reason = reading.reason[i]
        value = reading.value[i].tolist()
        shown = metrics[metric.name] = {"value": None if reason else value, "unit": metric.unit}
        if metric.whole and not reason:
            shown["value"] = int(value)
        if reason:
            shown["reason"] = reason
        else:
            each = [shown["value"]] if metric.bins is None else shown["value"]
            values |= {
                name: number
                for name, number in zip(update_json.flat_names(metric), each, strict=True)
                if np.isfinite(number)
            }
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
    update = {
        "asset_id": fleet.ids[slot],
        "partition": 3,
        "window": window,
        "seq": int(windows.seq[i]),
        "final": closed or slot in fleet.ended,
    }
    told = ({"metrics": metrics} if form.has_metrics else {}) | ({"values": values} if form.has_values else {})
    return orjson.dumps(update | told)


def _stamp(time_us: int) -> str:
    time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_us)
    return time.isoformat().replace("+00:00", "Z")


NUMBER = st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from([0.0, -0.0, 1e16, 0.1, 5.0])
STAMP_US = st.integers(0, 7_000_000_000) | st.integers(-62_135_596_800_000_000, 253_402_200_000_000_000)


@st.composite
def readings_of(draw: st.DrawFn) -> tuple[Fleet, Readings]:
    k = draw(st.integers(1, 6))

    def numbers(*shape: int) -> np.ndarray:
        return np.array(draw(st.lists(NUMBER, min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))).reshape(
            shape
        )

    def integers(some: st.SearchStrategy[int], *shape: int) -> np.ndarray:
        size = int(np.prod(shape))
        return np.array(draw(st.lists(some, min_size=size, max_size=size)), np.int64).reshape(shape)

    names = draw(st.lists(st.sampled_from(['a"b', "\\", "é,", "plain", '","']), min_size=1, unique=True))
    metrics, late, number_count, whole_count = [], {}, 1, 1
    for number in range(draw(st.integers(1, 4))):
        bins = draw(st.none() | st.integers(1, 3))
        whole = bins is None and draw(st.booleans())
        value = whole_count if whole else number_count
        whole_count, number_count = whole_count + whole, number_count + (0 if whole else bins or 1)
        sigma, number_count = (number_count, number_count + 1) if draw(st.booleans()) else (None, number_count)
        unchecked = None
        if draw(st.booleans()):
            unchecked, number_count = number_count, number_count + (bins or 1)
        name, timed = f"m{number}", draw(st.booleans())
        reasons = ("", "no_charge", 'a "reason"')
        metrics.append(ReadingColumns(name, '"%é', timed, whole, value, bins, sigma, unchecked, reasons))
        if draw(st.booleans()):
            late[name] = LateMetric(numbers(k), integers(st.just(NEVER) | STAMP_US, k))
    fleet = Fleet(Catalogue([]), (60,))
    slots = [fleet.slot(name) for name in names]
    if draw(st.booleans()):
        fleet.ended[0] = Ended(EndOfUpload(asset_id="plain", rows=1), 0)
    whole_numbers = integers(st.integers(-(2**40), 2**40), k, whole_count)
    whole_numbers[:, SEQ] = integers(st.integers(0, 2**62), k)
    windows = Windows.of(
        fleet,
        slot=integers(st.sampled_from(slots), k),
        size_us=integers(st.sampled_from([LIFETIME, 60_000_000, 86_400_000_000]), k),
        start_us=integers(STAMP_US, k),
        seq=whole_numbers[:, SEQ],
        totals=fleet.catalogue.layout.empty(k).T,
    )
    layout = ReadingLayout(tuple(metrics), number_count, whole_count)
    codes = integers(st.sampled_from([0, 0, 1, 2]), k, len(metrics)).astype(np.uint8)
    return fleet, Readings(windows, layout, numbers(k, number_count), whole_numbers, codes, late)


@given(given_=readings_of(), closed=st.booleans())
def test_updates_have_the_bytes_of_plain_ones(given_: tuple[Fleet, Readings], *, closed: bool) -> None:
    """Nulls with reasons, sigma, unchecked values, histograms, counts, lifetimes, ids that need escapes."""
    fleet, readings = given_
    updates = update_json.updates(readings, fleet.ids, fleet.ended, partition=3, closed=closed)
    assert len(updates) == len(readings.windows)
    for i, text in enumerate(updates):
        assert text == _plain(fleet, readings, i, NESTED, closed=closed)


FORMS = [
    UpdateForm(has_metrics=metrics, has_values=values, keyed_by_window=keyed, event_source=source)
    for metrics, values in ((True, False), (False, True), (True, True))
    for keyed in (False, True)
    for source in ("", "/fleet")
]


@given(given_=readings_of(), form=st.sampled_from(FORMS), closed=st.booleans())
def test_records_have_the_text_in_each_form(given_: tuple[Fleet, Readings], form: UpdateForm, *, closed: bool) -> None:
    """A list has a name for each number; keys and headers say what the text does, as a reader of Kafka sees them."""
    fleet, readings = given_
    records = UpdateList.joined(update_records(readings, fleet.ids, fleet.ended, form=form, partition=3, closed=closed))
    assert len(records) == len(readings.windows)
    (batch,) = whole_batches("t", [RecordBlock(*block[1:]) for block in records.blocks])
    read = list(MemoryRecords(bytes(batch._build())).next_batch())
    for i, (record, as_read) in enumerate(zip(records, read, strict=True)):
        text = _plain(fleet, readings, i, form, closed=closed)
        update = orjson.loads(text)
        asset_id, window = update["asset_id"], update["window"]
        key = f"{asset_id}/{window['size']}/{window['start']}" if form.keyed_by_window else asset_id
        headers = {
            "size": window["size"],
            "final": "true" if update["final"] else "false",
            "seq": str(update["seq"]),
            "asset": asset_id,
        }
        UpdateHeaders.model_validate(headers)
        if form.event_source:
            event_id = f"{asset_id}/{window['size']}/{window['start']}/{update['seq']}"
            headers |= EventHeaders(ce_source="/fleet/3", ce_id=event_id).model_dump(by_alias=True)
        assert record.asset_id == asset_id.encode()
        assert (as_read.key, as_read.value) == (key.encode(), text)
        assert [(name, content.decode()) for name, content in as_read.headers] == list(headers.items())


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
        totals=catalogue.layout.empty(1).T,
    )
    (text,) = update_json.updates(views.read(fleet, windows, closed=True), fleet.ids, partition=3, closed=True)
    update = MetricsUpdate.model_validate_json(text)
    assert (update.window.start, update.window.end) == ("1970-01-01T00:00:00Z", "1970-01-01T00:01:00Z")


@given(st.lists(STAMP_US, max_size=5))
def test_stamps_are_those_of_the_calendar(times_us: list[int]) -> None:
    """Years 1 to 9999, before 1970 too."""
    texts = json_columns.stamps(np.array(times_us, np.int64))
    assert [text.decode() for text in texts if text is not None] == [_stamp(time_us) for time_us in times_us]
