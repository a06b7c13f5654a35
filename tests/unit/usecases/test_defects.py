"""A metric with a defect, and a catalogue that changes between versions."""

from __future__ import annotations

import json
from typing import ClassVar

import numpy as np

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
from tests.unit.usecases.site import Site, a_row


class FailsAtSoc66(Metric):
    """A metric with a defect: it fails on one reading [1]."""

    name, unit = "fails_at_soc_66", "1"
    fields: ClassVar[dict[str, Field]] = {"rows": SUM}

    def contribute(self, samples: Samples) -> Columns:
        if (samples.soc_percent == 66).any():
            raise ZeroDivisionError("a defect")
        return {"rows": np.ones(len(samples))}

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        with defined_where({}) as defined:
            return defined(totals["rows"])


def test_a_defect_costs_the_row_that_meets_it_and_no_other() -> None:
    """Whatever fails on a row unforeseen: read again row by row, that row is a dead letter, all others count."""
    site = Site(None, FailsAtSoc66())
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
    assert b"ZeroDivisionError" in codes[0]["__stream_app.errors.message"]


def test_state_of_another_version_is_read_by_name() -> None:
    """A metric that is new starts empty, one that is gone is dropped, all others go on."""
    old = Site(None, FailsAtSoc66())
    old.add("a", *(a_row(i) for i in range(70)))
    old.ingest.apply(old.fetch())
    old.written()
    new = Site(old.tables)
    new.log = old.log
    new.add("a", *(a_row(i) for i in range(70, 140)))
    new.ingest.apply(new.fetch(70))
    new.written()
    assert new.rows("a") == 140
    closed = [new.presenter.window(key, value) for key, value in sorted(new.tables.closed.items())]
    assert [w.metrics["total_data_points"].value for w in closed] == [60, 60]
    again = Site(new.tables, FailsAtSoc66())
    again.log = new.log
    again.add("a", a_row(140))
    again.ingest.apply(again.fetch(140))
    again.written()
    life = again.presenter.asset("a", again.tables.assets[b"a"])[0]
    assert life.metrics["total_data_points"].value == 141
    assert life.metrics["fails_at_soc_66"].value == 2, "the new row, and the one that waited for it"
