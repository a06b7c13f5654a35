"""A metric with a defect, and a catalogue that changes between versions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import pytest

from stream_app.domain.errors import CorruptStateError
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
)
from stream_app.domain.views import Readings
from stream_app.usecases import checkpoints
from stream_app.usecases.ingest import Applied
from stream_app.wire.encode.update_list import UpdateList
from stream_app.wire.encode.update_records import update_records
from tests.unit.usecases.site import Site, a_row


class RowsAtSoc66(Metric):
    """Rows; of those at an SoC of 66 %, if there are any, the number below 0 [1]."""

    name, unit = "rows_at_soc_66", "1"
    fields: ClassVar[dict[str, Field]] = {"rows": SUM, "met": SUM}

    def contribute(self, samples: Samples) -> Columns:
        return {"rows": np.ones(len(samples)), "met": np.where(samples.soc_percent == 66, 1.0, 0.0)}

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        with defined_where({}) as defined:
            return defined(np.where(totals["met"] > 0, -totals["met"], totals["rows"]))


@pytest.fixture
def defect(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the writer of updates a defect: it fails on a window with an SoC of 66 %."""

    def failing(readings: Readings, *assets: Any, **options: Any) -> Iterator[UpdateList]:
        if (readings.by_metric[RowsAtSoc66.name].value < 0).any():
            raise ZeroDivisionError("a defect")
        return update_records(readings, *assets, **options)

    monkeypatch.setattr(checkpoints, "update_records", failing)


@pytest.mark.usefixtures("defect")
def test_a_defect_costs_the_row_that_meets_it_and_no_other() -> None:
    """Whatever fails on a row unforeseen: read again row by row, that row is a dead letter, all others count."""
    site = Site(None, RowsAtSoc66())
    site.add("a", *(a_row(i) for i in range(20)))
    site.add("a", a_row(20, soc=66))
    site.add("b", *(a_row(i) for i in range(20)))
    site.log.append((b"b", json.dumps([{"asset_id": "b", **a_row(30 + i, soc=60 + i)} for i in range(10)]).encode()))
    site.add("b", *(a_row(i) for i in range(50, 60)))
    failures, letters = 0, []
    while not site.tables.assets:
        try:
            site.ingest.apply(site.fetch(site.ingest.position(0) or 0))
            letters = list(site.written().dead_letters)
        except ZeroDivisionError:
            failures += 1
            assert failures < 6
    assert (site.rows("a"), site.rows("b")) == (20, 39)
    codes = [dict(letter.headers) for letter in letters]
    assert [c["__stream_app.errors.code"] for c in codes] == [b"unexpected"] * 2
    assert [c.get("__stream_app.errors.row") for c in codes] == [b"0", b"6"]
    assert b"ZeroDivisionError" in (codes[0]["__stream_app.errors.message"] or b"")


@pytest.mark.usefixtures("defect")
def test_a_defect_is_found_in_a_fetch_that_reaches_further() -> None:
    """Read again, a fetch may hold more than the one that failed: a second defect, behind it, is found as well."""
    site = Site(None, RowsAtSoc66())
    site.add("a", *(a_row(i, soc=66 if i in (5, 15) else 50) for i in range(20)))
    site.ingest.apply(site.fetch(0, 10))
    with pytest.raises(ZeroDivisionError):
        site.ingest.checkpoint(0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            site.ingest.apply(site.fetch(0, 20))
    assert site.ingest.apply(site.fetch(0, 20)) == Applied(18, 2)
    assert len(site.written().dead_letters) == 2
    assert site.rows("a") == 18


def test_a_stored_state_that_cannot_be_read_is_no_rows_fault() -> None:
    """It is told as often as the rows are read, and no row goes to the dead letters for it."""
    site = Site()
    site.add("a", *(a_row(i) for i in range(5)))
    site.ingest.apply(site.fetch())
    site.written()
    whole = site.tables.assets[b"a"]
    site.tables.assets[b"a"] = whole[:-8]
    site.restarted()
    site.add("a", a_row(5))
    for _ in range(3):
        with pytest.raises(CorruptStateError):
            site.ingest.apply(site.fetch(5))
    site.tables.assets[b"a"] = whole
    assert site.ingest.apply(site.fetch(5)) == Applied(1, 0)
    site.written()
    assert site.rows("a") == 6


def test_state_of_another_version_is_read_by_name() -> None:
    """A metric that is new starts empty, one that is gone is dropped, all others go on."""
    old = Site(None, RowsAtSoc66())
    old.add("a", *(a_row(i) for i in range(70)))
    old.ingest.apply(old.fetch())
    old.written()
    new = Site(old.tables)
    new.log = old.log
    new.add("a", *(a_row(i) for i in range(70, 140)))
    new.ingest.apply(new.fetch(70))
    new.written()
    assert new.rows("a") == 140
    closed = new.closed_windows()
    assert [w.metrics["total_data_points"].value for w in closed] == [60, 60]
    again = Site(new.tables, RowsAtSoc66())
    again.log = new.log
    again.add("a", a_row(140))
    again.ingest.apply(again.fetch(140))
    again.written()
    life = again.lifetime("a")
    assert life.metrics["total_data_points"].value == 141
    assert life.metrics["rows_at_soc_66"].value == 2, "the new row, and the one that waited for it"
