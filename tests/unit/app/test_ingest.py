"""Fetches in, checkpoints out: the command side on the real codec, domain and in-memory tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
import pytest

from stream_app.app.batch import Fetch
from stream_app.app.ingest import AlreadyApplied, Applied, Gap, Ingest, Retention
from stream_app.app.layouts import StoredLayouts
from stream_app.app.ports import MARKER_KEY, Checkpoint
from stream_app.app.present import Presenter
from stream_app.domain.catalogue import Catalogue
from stream_app.domain.metrics import REGISTRY
from stream_app.domain.metrics._base import (
    SUM,
    AssetSpecs,
    Columns,
    Field,
    Metric,
    Reading,
    Samples,
    Totals,
    defined_where,
)
from stream_app.infra.codec import Codec

START_S = 1_649_808_000


class MemoryTables:
    """Tables of one partition, written by checkpoints."""

    def __init__(self) -> None:
        self.assets: dict[bytes, bytes] = {}
        self.closed: dict[bytes, bytes] = {}

    def take(self, checkpoint: Checkpoint) -> None:
        for table, entries in ((self.closed, checkpoint.windows), (self.assets, checkpoint.assets)):
            for key, value in entries:
                if value is None:
                    table.pop(key, None)
                else:
                    table[key] = value

    def partitions(self) -> Iterable[int]:
        return [0]

    def asset(self, partition: int, key: bytes) -> bytes | None:
        return self.assets.get(key)

    def asset_keys(self, partition: int) -> Iterable[bytes]:
        return [key for key in self.assets if key != MARKER_KEY]

    def windows(self, partition: int, prefix: bytes) -> Mapping[bytes, bytes]:
        return {key: self.closed[key] for key in sorted(self.closed) if key.startswith(prefix)}


class FailsAtSoc66(Metric):
    """A metric with a defect: it fails on one reading [1]."""

    name, unit = "fails_at_soc_66", "1"
    fields: ClassVar[dict[str, Field]] = {"rows": SUM}

    def contribute(self, samples: Samples) -> Columns:
        if (samples.soc_percent == 66).any():
            raise ZeroDivisionError("a defect")
        return {"rows": np.ones(len(samples))}

    def value(self, totals: Totals, specs: AssetSpecs) -> Reading:
        with defined_where({}) as defined:
            return defined(totals["rows"])


class Site:
    """An ingest, its tables, and a log that is fetched from."""

    def __init__(self, tables: MemoryTables | None = None, *metrics: Metric, lateness_s: float = 0) -> None:
        self.tables = tables or MemoryTables()
        self.catalogue = Catalogue((*REGISTRY.values(), *metrics))
        self.presenter = Presenter(self.catalogue, StoredLayouts(self.tables))
        self.log: list[tuple[bytes | None, bytes | None]] = []
        self.lateness_s = lateness_s
        self.ingest = self.restarted()

    def restarted(self) -> Ingest:
        self.ingest = Ingest(
            decoder=Codec(),
            tables=self.tables,
            catalogue=self.catalogue,
            presenter=self.presenter,
            window_sizes_s=(60, 3600),
            lateness_s=self.lateness_s,
            retention=Retention({60: 2}, 24),
        )
        return self.ingest

    def add(self, asset: str, *rows: dict[str, Any]) -> None:
        self.log += [(asset.encode(), json.dumps({"asset_id": asset, **row}).encode()) for row in rows]

    def fetch(self, start: int = 0, end: int | None = None) -> Fetch:
        end = len(self.log) if end is None else end
        part = self.log[start:end]
        return Fetch(
            topic="measurements",
            partition=0,
            start=start,
            end=end,
            offsets=range(start, end),
            keys=[key for key, _ in part],
            values=[value for _, value in part],
            timestamps_ms=[5] * len(part),
            headers=[[("trace", b"1")]] * len(part),
        )

    def written(self) -> Checkpoint:
        checkpoint = self.ingest.checkpoint(0)
        assert checkpoint is not None
        self.tables.take(checkpoint)
        self.ingest.written(checkpoint)
        return checkpoint

    def rows(self, asset: str) -> int:
        return self.presenter.summary(asset, self.tables.assets[asset.encode()]).rows


def a_row(i: int, soc: float = 50, **more: Any) -> dict[str, Any]:
    return {"timestamp": START_S + i, "current": 10, "voltage": 800, "soc": soc, **more}


def test_a_checkpoint_has_everything_and_the_marker_last() -> None:
    """Updates of closed and open windows and the lifetime, the states, and the position as the last entry."""
    site = Site()
    site.add("a", *(a_row(i) for i in range(130)))
    assert site.ingest.apply(site.fetch()) == Applied(130, 0)
    checkpoint = site.written()
    updates = [json.loads(value) for _, value in checkpoint.updates]
    assert [(u["window"]["size"], u["final"], u["seq"]) for u in updates] == [
        ("1m", True, 60),
        ("1m", True, 120),
        ("lifetime", False, 129),
        ("1m", False, 129),
        ("1h", False, 129),
    ]
    assert [key for key, _ in checkpoint.assets] == [b"a", MARKER_KEY]
    assert len(checkpoint.windows) == 2
    assert site.ingest.checkpoint(0) is None


def test_positions_move_contiguously() -> None:
    """A fetch from before is nothing new, one with a part from before applies the rest, one from beyond is a gap."""
    site = Site()
    site.add("a", *(a_row(i) for i in range(30)))
    site.ingest.apply(site.fetch(0, 10))
    site.written()
    assert site.ingest.apply(site.fetch(0, 10)) == AlreadyApplied()
    assert isinstance(site.ingest.apply(site.fetch(5, 20)), Applied)
    assert site.ingest.position(0) == 20
    assert site.ingest.apply(site.fetch(25, 30)) == Gap(10)
    assert site.ingest.position(0) == 10, "the hot state is gone: it starts from the tables"
    site.ingest.apply(site.fetch(10, 30))
    site.written()
    assert site.rows("a") == 30


def test_an_unconfirmed_checkpoint_is_taken_again() -> None:
    """What was collected but not written is in the next checkpoint, with what came since."""
    site = Site()
    site.add("a", a_row(0))
    site.add("b", a_row(0))
    site.ingest.apply(site.fetch(0, 1))
    assert site.ingest.checkpoint(0) is not None
    site.ingest.apply(site.fetch(1, 2))
    checkpoint = site.written()
    assert [key for key, _ in checkpoint.assets] == [b"a", b"b", MARKER_KEY]


@pytest.mark.parametrize("written", ["nothing", "windows", "states", "all"])
def test_a_crash_anywhere_in_a_checkpoint_counts_every_row_once(written: str) -> None:
    """Whatever part of a checkpoint was written when the process died, the next one ends in the same state."""
    straight = Site()
    straight.add("a", *(a_row(i, soc=30 + i % 40) for i in range(200)))
    straight.ingest.apply(straight.fetch())
    straight.written()
    site = Site()
    site.log = straight.log
    site.ingest.apply(site.fetch(0, 90))
    site.written()
    site.ingest.apply(site.fetch(90, 150))
    torn = site.ingest.checkpoint(0)
    assert torn is not None
    for key, value in {"nothing": [], "windows": torn.windows, "states": torn.assets[:-1], "all": torn.assets}[written]:
        assert value is not None
        (site.tables.closed if written == "windows" else site.tables.assets)[key] = value
    site.restarted()
    site.ingest.apply(site.fetch(site.ingest.position(0) or 0))
    site.written()
    assert site.tables.assets[b"a"] == straight.tables.assets[b"a"]


def test_closed_windows_are_kept_by_size() -> None:
    """Two one-minute windows are kept; the third one pushes the first out."""
    site = Site()
    site.add("a", *(a_row(60 * i) for i in range(6)))
    site.ingest.apply(site.fetch())
    site.written()
    starts = [site.presenter.window(key, value).window.start for key, value in sorted(site.tables.closed.items())]
    assert starts == ["2022-04-13T00:03:00Z", "2022-04-13T00:04:00Z"]
    site.add("a", a_row(360))
    site.ingest.apply(site.fetch(6))
    checkpoint = site.written()
    assert sorted(value is None for _, value in checkpoint.windows) == [False, True]


def test_a_spec_is_ordered_with_the_rows() -> None:
    """A window that closed before the spec came is read by the old one, whenever it is looked at."""
    site = Site()
    site.add("a", *(a_row(i) for i in range(61)))
    site.add("a", {"control": "asset_spec", "spec": {"nominal_capacity_ah": 100}})
    site.add("a", *(a_row(i) for i in range(61, 122)))
    site.ingest.apply(site.fetch())
    site.written()
    first, second = (site.presenter.window(key, value) for key, value in sorted(site.tables.closed.items()))
    assert first.metrics["c_rate_mean_per_h"].reason == "capacity_missing"
    assert second.metrics["c_rate_mean_per_h"].value == pytest.approx(0.1)


def test_an_upload_ends_and_is_forgotten() -> None:
    """The end settles the last rows and makes the lifetime final; later rows are rejected; forgetting is total."""
    site = Site()
    site.add("u", *(a_row(i) for i in range(130)), {"control": "end_of_upload", "rows": 130}, a_row(200))
    assert site.ingest.apply(site.fetch()) == Applied(131, 1)
    checkpoint = site.written()
    assert json.loads(checkpoint.updates[-1][1])["final"] is True
    assert [dict(letter.headers)["__stream_app.errors.code"] for letter in checkpoint.dead_letters] == [b"late"]
    site.add("u", {"control": "forget"})
    site.ingest.apply(site.fetch(132))
    site.written()
    assert list(site.tables.assets) == [MARKER_KEY]
    assert not site.tables.closed


def test_a_late_row_goes_to_the_dead_letters_with_what_it_came_with() -> None:
    """Original key, value and headers, and why: code, offset, the row's position, the record's stamp."""
    site = Site()
    site.add("a", a_row(10), a_row(5), a_row(11))
    assert site.ingest.apply(site.fetch()) == Applied(3, 1)
    (letter,) = site.written().dead_letters
    assert (letter.key, letter.value) == site.log[1]
    headers = dict(letter.headers)
    assert headers["trace"] == b"1"
    assert headers["__stream_app.errors.code"] == b"late"
    assert headers["__stream_app.errors.offset"] == b"1"
    assert headers["__stream_app.errors.row"] == b"0"
    assert site.rows("a") == 2


def test_rows_within_the_allowed_lateness_are_put_in_order() -> None:
    """Three seconds late of five allowed: the same totals as in order; the upload's end flushes what waits."""
    straight, shuffled = Site(), Site(lateness_s=5)
    order = [0, 1, 4, 2, 3, 7, 5, 6, 8]
    straight.add("a", *(a_row(i, soc=40 + i) for i in sorted(order)), {"control": "end_of_upload", "rows": 9})
    shuffled.add("a", *(a_row(i, soc=40 + i) for i in order), {"control": "end_of_upload", "rows": 9})
    lives = []
    for site in (straight, shuffled):
        site.ingest.apply(site.fetch())
        site.written()
        lives.append(site.presenter.asset("a", site.tables.assets[b"a"])[0].metrics)
    assert lives[0] == lives[1]


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
