"""What any release has stored is read for ever, by catalogues that have gained or lost things too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.columns.compiled import compiled
from stream_app.domain import ingestion, views
from stream_app.domain.catalogue import Catalogue
from stream_app.domain.lines import NEVER
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
)
from stream_app.domain.rows import COLUMNS, Rows
from stream_app.domain.sequential import SequentialState
from stream_app.domain.snapshot import Snapshots
from stream_app.domain.state import Fleet
from stream_app.domain.views import Windows
from tests.unit.domain import golden_states as golden
from tests.unit.domain.fleets import START_US, as_rows, fed, life_and_open

FOLDERS = sorted(golden.FOLDER.iterdir())
PRESENT = golden.FOLDER / "2"
Json = dict[str, Any]


def told(folder: Path) -> Json:
    return dict(json.loads((folder / "readings.json").read_text("utf-8")))


def same(found: dict[str, Json], due: dict[str, Json]) -> None:
    """Windows of both, and of them the metrics of both, are equal bit for bit."""
    assert found.keys() >= due.keys()
    compared = 0
    for window, metrics in due.items():
        for metric in metrics.keys() & found[window].keys():
            assert found[window][metric] == metrics[metric], (window, metric)
            compared += 1
    assert compared > 100


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_stored_state_is_read_as_it_was_written(folder: Path) -> None:
    """Lifetimes, open and closed windows read as in the release that stored them, and more rows lead to the same."""
    fleet, layouts = golden.loaded(folder, golden.a_fleet())
    reads = golden.now(fleet)
    back, _ = golden.loaded(folder, golden.a_fleet())
    for _, window in golden.stored_windows(folder, back, layouts):
        reads |= golden.read(back, window, closed=True)
    truth = told(folder)
    same(reads, truth["reads"])
    golden.with_former_gap_limits(fleet)
    same(golden.gone_on(fleet, truth["more"]), truth["reads_after"])


@compiled
def _see(state: FloatArray, stack: FloatArray, depth: IntArray, second_a: float, events: FloatArray) -> int:
    if not np.isnan(second_a):
        state[0] += 1
    if depth[0] < 4:
        stack[depth[0]] = 1.0
        depth[0] += 1
    return 0


class Seen(SequentialState):
    """How often the second current was there."""

    name, version, width, point, points, event = "seen", 1, 2, 1, 4, ()
    step = staticmethod(_see)

    def start(self) -> FloatArray:
        return np.array([0.0, 7.0])

    def inputs(self, samples: Samples) -> tuple[FloatArray, ...]:
        return (samples["second_a"],)

    def events(self, row: object, told: object) -> None:
        return None


class SecondPath(Metric):
    """Path of the second current while charging [A]."""

    name, unit = "second_path_a", "A"
    fields: ClassVar[dict[str, Field]] = {"path": SUM, "rows": SUM}
    statistics = ("valid_s",)
    sequential_states = (Seen,)

    def contribute(self, samples: Samples) -> Columns:
        return {"path": np.abs(samples.diff("second_a", "charging")), "rows": np.ones(len(samples))}

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        with defined_where({}) as defined:
            return defined(totals["path"] + 1000 * totals["rows"])


GONE = ("rte_v1", "rte_loop", "rainflow_cycles", "gap_count")
FEW_COLUMNS = COLUMNS[:4]


def _stored(columns: tuple[str, ...]) -> list[Metric]:
    """Metrics that the golden states have and that read these columns alone; more would only take time to compile."""
    names = {metric.partition("@")[0] for metrics in told(PRESENT)["reads"].values() for metric in metrics}
    return [metric for name, metric in REGISTRY.items() if name in names and _reads_no_more_than(metric, columns)]


def _reads_no_more_than(metric: Metric, columns: tuple[str, ...]) -> bool:
    try:
        return bool(Catalogue([metric], columns).trace.additions)
    except KeyError:
        return False


LEFT = [metric for metric in _stored(FEW_COLUMNS) if metric.name not in GONE]
CHANGED = {
    "gained": (Catalogue((*_stored(COLUMNS), SecondPath()), ("second_a", *COLUMNS)), (60, 300, 900, 3600)),
    "lost": (Catalogue(LEFT, FEW_COLUMNS), (60, 3600)),
    "both": (Catalogue([SecondPath(), *LEFT], (*FEW_COLUMNS, "second_a")), (60, 300, 3600)),
}


def second_rows(fleet: Fleet, more: list[Json]) -> list[Windows]:
    """Rows that have measured the second current too: as many amperes as their offset."""
    closed: list[Windows] = []
    for at in range(0, len(more), 17):
        rows = as_rows(fleet, more[at : at + 17])
        columns = {name: column for name, column in rows.columns.items() if name in fleet.catalogue.columns}
        if "second_a" in fleet.catalogue.columns:
            columns["second_a"] = rows.offset.astype(float)
        closed += ingestion.apply(fleet, Rows(rows.asset, rows.offset, rows.time_us, columns)).closed
    return closed


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
@pytest.mark.parametrize("change", CHANGED)
def test_what_is_known_goes_on_bit_for_bit(folder: Path, change: str) -> None:
    """Columns, metrics, window sizes and sequential states come and go: what was there before is what it would be."""
    catalogue, sizes_s = CHANGED[change]
    fleet, layouts = golden.loaded(folder, golden.a_fleet(catalogue, sizes_s))
    kept_us = {0, *(size * 1_000_000 for size in (60, *sizes_s))}
    truth = told(folder)

    def kept(reads: dict[str, Json]) -> dict[str, Json]:
        return {
            key: metrics
            for key, metrics in reads.items()
            if key.startswith("own-sizes ") or int(key.split()[1]) in kept_us
        }

    back, _ = golden.loaded(folder, golden.a_fleet(catalogue, sizes_s))
    reads = golden.now(fleet)
    for _, window in golden.stored_windows(folder, back, layouts):
        reads |= golden.read(back, window, closed=True)
    same(reads, kept(truth["reads"]))
    # Once more through a value of the new layout, so that it reads its own.
    stored = {own: Snapshots(fleet).dump_all(np.array([slot]))[0] for own, slot in fleet.slots.items()}
    again = golden.a_fleet(catalogue, sizes_s)
    for asset_id, value in stored.items():
        Snapshots(again).load(asset_id, value, {})
    assert again.since == fleet.since
    golden.with_former_gap_limits(again)
    closed = views.concatenated(again, second_rows(again, truth["more"]))
    same(golden.read(again, closed, closed=True) | golden.now(again), kept(truth["reads_after"]))


def test_what_was_added_counts_from_the_rows_that_waited() -> None:
    """The new metric holds the rows since, tells their stamp, and its coverage is that of the time since.

    ::

        stamps of "loops" [s]   0 ... 140   gap   1041 ...... 1193 | 1194 ... 1199 wait | 1200 ........ 1299
        old release             settled, without the new metric    | in its state       | not read yet
        new release                                                 the new metric counts from 1194 on
    """
    catalogue, sizes_s = CHANGED["gained"]
    plain, _ = golden.loaded(PRESENT, golden.a_fleet())
    fleet, _ = golden.loaded(PRESENT, golden.a_fleet(catalogue, sizes_s))
    slot, old = fleet.slot("loops"), plain.slot("loops")
    waiting = plain.pending.get(np.array([old]))
    rows_before = int(plain.floats.life[old, 0] + plain.floats.level(0)[old, 0])
    more = told(PRESENT)["more"]
    second_rows(fleet, more)
    life, open_ = life_and_open(fleet, np.array([slot]))
    reading = views.read(fleet, life, closed=False)
    late = reading.late["second_path_a"]
    since_us = int(waiting.time_us[0])
    assert late.since_us.tolist() == [since_us]
    counted = reading.by_metric["second_path_a"].value[0]
    rows = reading.by_metric["total_data_points"].value[0]
    assert counted // 1000 == rows - rows_before
    last_us, first_us = int(fleet.integers.last_us[slot]), int(fleet.integers.first_us[slot])
    settled_us = last_us - 1_000_000 * golden.LATENESS_S  # what is newer waits, without a duration
    assert late.coverage[0] == pytest.approx((settled_us - since_us) / (last_us - first_us))
    assert late.coverage[0] < reading.coverage[0] / 2
    younger = set(views.read(plain, life_and_open(plain, np.array([old]))[0], closed=False).late)  # than the state
    assert set(reading.late) - younger == {"second_path_a"}
    waits = int(fleet.pending.count[slot])
    seen = rows - rows_before - len(waiting) - waits  # those that waited came before the second current
    assert fleet.floats.state(Seen)[slot].tolist() == [seen, 7.0]
    # Windows that began later hold all of it; the one that was open then does not.
    sizes_us = open_.size_us.tolist()
    readings = views.read(fleet, open_, closed=False)
    by_size = dict(zip(sizes_us, readings.late["second_path_a"].since_us.tolist(), strict=True))
    assert by_size[60_000_000] == NEVER
    assert by_size[3_600_000_000] == since_us


def test_a_sum_whose_meaning_changed_begins_anew_and_the_others_go_on() -> None:
    """Energies went by the rest band when the state was stored: they count from then on, by sign. Time goes on."""
    fleet, _ = golden.loaded(PRESENT, golden.a_fleet())
    slot = fleet.slot("own-sizes")
    (reads,) = (metrics for key, metrics in told(PRESENT)["reads"].items() if key.startswith("own-sizes 0 "))
    before = {name.partition("@")[0]: value for name, (value, _) in reads.items()}
    life, _ = life_and_open(fleet, np.array([slot]))
    readings = views.read(fleet, life, closed=False)
    kept = {name for name in before if name not in readings.late}
    assert {"total_data_points", "current_mean_a", "soc_dwell_s", "rainflow_cycles", "rte_v1", "gap_s"} <= kept
    assert {"energy_in_kwh", "charge_out_ah", "equivalent_full_cycles", "rte_raw"} <= before.keys() - kept
    assert before["energy_in_kwh"] > 0
    assert readings.by_metric["energy_in_kwh"].value.tolist() == [0.0]
    since_us = int(fleet.pending.get(np.array([slot])).time_us[0])
    assert readings.late["energy_in_kwh"].since_us.tolist() == [since_us]


def test_a_window_that_was_open_tells_it_when_it_is_closed_and_stored() -> None:
    """Partly covered windows say so for ever, those closed before say that nothing is covered, later ones nothing."""
    catalogue, sizes_s = CHANGED["gained"]
    fleet, layouts = golden.loaded(PRESENT, golden.a_fleet(catalogue, sizes_s))
    since = {(size, start): some for (size, start), some in fleet.since[fleet.slot("own-sizes")].items() if size}
    closed = views.concatenated(fleet, second_rows(fleet, told(PRESENT)["more"]))
    at = [i for i in range(len(closed)) if fleet.ids[closed.slot[i]] == "own-sizes"]
    partly = [i for i in at if (int(closed.size_us[i]), int(closed.start_us[i])) in since]
    assert len(partly) == 2
    assert set(at) - set(partly)
    snapshots = Snapshots(fleet)
    slot = fleet.slot("own-sizes")
    for i in at:
        (value,) = snapshots.dump_windows(closed, np.array([i]))
        size_us, start_us = int(closed.size_us[i]), int(closed.start_us[i])
        window = snapshots.load_window(value, slot, size_us, start_us, {})
        late = views.read(fleet, window, closed=True).late
        assert bool(late) == (i in partly)
        if late:
            (one,) = since[size_us, start_us]
            valid_s = window.totals[0, catalogue.valid_at] - one.valid_s
            assert late["second_path_a"].coverage.tolist() == [valid_s / (size_us / 1e6)]
    assert not any(size for size, _ in fleet.since[slot]), "what was closed is forgotten"
    for _, window in golden.stored_windows(PRESENT, fleet, layouts):
        late = views.read(fleet, window, closed=True).late
        assert late["second_path_a"].coverage.tolist() == [0.0]
        assert late["second_path_a"].since_us.tolist() == (window.start_us + window.size_us).tolist()


def test_a_window_size_that_is_new_begins_with_the_open_smallest_window() -> None:
    """It tells since when all its metrics count; an asset whose spec names its sizes keeps those."""
    catalogue, sizes_s = CHANGED["gained"]
    fleet, _ = golden.loaded(PRESENT, golden.a_fleet(catalogue, sizes_s))
    own = fleet.integers.size_us[fleet.slot("own-sizes")].tolist()
    assert own[:3] == [60_000_000, 120_000_000, 0]
    slot = fleet.slot("repeated")
    assert fleet.integers.size_us[slot].tolist()[:4] == [size * 1_000_000 for size in sizes_s]
    _, open_ = life_and_open(fleet, np.array([slot]))
    of_five_minutes = open_.size_us == 300_000_000
    readings = views.read(fleet, open_, closed=False)
    late = readings.late["total_data_points"]
    pane_us = START_US + 4 * 60_000_000
    assert late.since_us[of_five_minutes].tolist() == [pane_us]
    assert (late.since_us[~of_five_minutes] == NEVER).all()


def test_an_asset_without_rows_and_a_forgotten_one_are_never_late() -> None:
    """Nothing was missed: there is nothing to tell."""
    plain = golden.a_fleet()
    value = Snapshots(plain).dump_all(np.array([plain.slot("new")]))[0]
    catalogue, sizes_s = CHANGED["gained"]
    fleet, _ = golden.loaded(PRESENT, golden.a_fleet(catalogue, sizes_s))
    slot = Snapshots(fleet).load("new", value, Snapshots(plain).layouts)
    assert slot not in fleet.since
    fleet.remove("late")
    assert fleet.slot("late") not in fleet.since
    fed(fleet, [{"asset": "late", "offset": 9999, "time_us": START_US}])
    assert views.read(fleet, views.current(fleet, np.array([fleet.slot("late")])), closed=False).late == {}
