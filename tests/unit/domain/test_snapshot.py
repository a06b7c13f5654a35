"""Stored states and windows, many at once: the bytes are those of the format, one by one."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest

from schemas.asset import AssetSpec
from schemas.control import EndOfUpload
from stream_app.domain import views as windows
from stream_app.domain.asset_counts import AssetCounts
from stream_app.domain.errors import CorruptStateError
from stream_app.domain.lines import Integers
from stream_app.domain.rows import COLUMNS
from stream_app.domain.since import Since
from stream_app.domain.snapshot import FORMAT, Marker, Snapshots, header
from stream_app.domain.source import Source
from stream_app.domain.state import Ended, Fleet
from stream_app.domain.stored_layout import StoredLayout
from tests.unit.domain.fleets import SIZES_S, START_US, a_fleet, fed


def _plain(fleet: Fleet, slot: int) -> bytes:
    """One asset's state, written field by field."""
    levels = int(np.count_nonzero(fleet.integers.size_us[slot]))
    waiting = fleet.pending.get(np.array([slot]))
    measured = [i for i in range(len(COLUMNS)) if not np.isnan(waiting.values[i]).all()]
    tails = fleet.stacks.get(slot)
    about = {
        "spec": json.loads(fleet.spec_json[slot]),
        "levels": levels,
        "own_sizes": slot in fleet.own_sizes,
        "waiting": len(waiting),
        "columns": [COLUMNS[i] for i in measured],
        "tails": [len(tail) for tail in tails],
    }
    if slot in fleet.ended:
        ended = fleet.ended[slot]
        about["ended"] = {"control": ended.control.model_dump(), "timestamp_ms": ended.timestamp_ms}
    text = json.dumps(about, separators=(",", ":")).encode()
    own = fleet.integers.array[slot, : len(Integers.NAMES)]
    of_levels = zip(fleet.integers.open_number[slot, :levels], fleet.integers.size_us[slot, :levels], strict=True)
    integers = [*own, *(number for level in of_levels for number in level)]
    totals = [fleet.floats.life[slot], *(fleet.floats.level(level)[slot] for level in range(levels))]
    head = struct.pack(">Bq", FORMAT, fleet.integers.applied_offset[slot]) + bytes.fromhex(*Snapshots(fleet).layouts)
    states = [fleet.floats.state(type(state))[slot] for state in fleet.catalogue.sequential_states]
    history = fleet.floats.steps_s[slot], fleet.floats.period_s[slot : slot + 1]
    numbers = np.concatenate([*totals, fleet.floats.carry[slot], *history, *states])
    return b"".join(
        (
            head,
            struct.pack(">I", len(text)),
            text,
            struct.pack(f"<{len(integers)}q", *integers),
            struct.pack(f"<{len(numbers)}d", *numbers),
            struct.pack(f"<{2 * len(waiting)}q", *waiting.time_us, *waiting.offset),
            *(struct.pack(f"<{len(waiting)}d", *waiting.values[i]) for i in measured),
            *(struct.pack(f"<{len(tail)}d", *tail) for tail in tails),
        )
    )


def _a_varied_fleet(lateness_s: float) -> tuple[Fleet, list[windows.Windows]]:
    fleet = a_fleet(lateness_s=lateness_s)
    fleet.set_sizes(fleet.slot("few sizes"), (60, 120))
    fleet.slot("no rows")
    rows = [
        {
            "asset": ("a", "b", "few sizes")[i % 3],
            "offset": i,
            "time_us": START_US + i * 1_700_000,
            "current": 10.0 - i % 7 if i % 2 else None,
            "voltage": 800.0,
            "soc": 50 + 40 * np.sin(i / 20) if i % 3 else None,
        }
        for i in range(400)
    ]
    closed = fed(fleet, rows)
    fleet.ended[fleet.slot("b")] = Ended(EndOfUpload(asset_id="b", rows=1), 7)
    return fleet, closed


@pytest.mark.parametrize("lateness_s", [0, 30])
def test_states_of_many_assets_are_those_of_each(lateness_s: float) -> None:
    """In any order, with and without rows, waiting rows, tails and an end."""
    fleet, _ = _a_varied_fleet(lateness_s)
    slots = np.array([2, 3, 0, 1])
    assert Snapshots(fleet).dump_all(slots) == [_plain(fleet, slot) for slot in slots.tolist()]
    assert Snapshots(fleet).dump_all(slots[:0]) == []


@pytest.mark.parametrize("lateness_s", [0, 30])
def test_assets_loaded_at_once_are_those_that_were_stored(lateness_s: float) -> None:
    """Into blank slots and into those that other assets have used, of any sizes; their states are the same bytes."""
    fleet, _ = _a_varied_fleet(lateness_s)
    late = frozenset(sorted(StoredLayout.of(fleet.catalogue).keys)[:2])
    fleet.since[fleet.slot("a")] = {(0, 0): (Since(late, START_US, 3, 2.5),)}
    fleet.set_spec(fleet.slot("b"), AssetSpec(nominal_capacity_ah=7))
    ids, snapshots = [fleet.ids[slot] for slot in (2, 3, 0, 1)], Snapshots(fleet)
    values = snapshots.dump_all(np.array([2, 3, 0, 1]))
    back = Fleet(fleet.catalogue, SIZES_S, lateness_s)
    fed(back, [{"asset": "few sizes", "offset": 1, "time_us": START_US + i * 70_000_000} for i in range(9)])
    slots = Snapshots(back).load_all(ids, values, {})
    assert [back.ids[slot] for slot in slots] == ids
    assert Snapshots(back).dump_all(slots) == values
    assert Snapshots(back).load_all([], [], {}).tolist() == []
    several = Fleet(fleet.catalogue, (60, 3600), lateness_s)  # some must be brought to other sizes, some not
    by_one = Fleet(fleet.catalogue, (60, 3600), lateness_s)
    slots = Snapshots(several).load_all(ids, values, {})
    each = np.array([Snapshots(by_one).load(own, value, {}) for own, value in zip(ids, values, strict=True)])
    assert Snapshots(several).dump_all(slots) == Snapshots(by_one).dump_all(each) != values


def test_lines_are_as_wide_as_the_levels_that_assets_have() -> None:
    """A fifth size that a spec names later makes room for all, and changes no bit of the others; so does loading it."""
    five_s = (*SIZES_S, 7 * 86400)
    rows = [
        {"asset": asset, "offset": i, "time_us": START_US + i * 30_000_000, "current": 5.0 - i % 7, "voltage": 800.0}
        for i in range(200)
        for asset in ("a", "five")
    ]
    fleet, wide = a_fleet(), Fleet(a_fleet().catalogue, five_s)
    fed(fleet, [row for row in rows if row["asset"] == "a"])
    assert fleet.floats.levels == len(SIZES_S)
    (before,) = Snapshots(fleet).dump_all(np.array([0]))
    fleet.set_sizes(fleet.slot("five"), five_s)
    fed(fleet, [row for row in rows if row["asset"] == "five"])
    wide.set_sizes(wide.slot("five"), five_s)
    fed(wide, [row for row in rows if row["asset"] == "five"])
    assert fleet.floats.levels == wide.floats.levels == 5
    values = Snapshots(fleet).dump_all(np.array([0, 1]))
    assert values == [before, *Snapshots(wide).dump_all(np.array([0]))]
    back = a_fleet()
    assert Snapshots(back).dump_all(Snapshots(back).load_all(["a", "five"], values, {})) == values
    followed = Fleet(fleet.catalogue, five_s)  # of four sizes: brought to five
    (slot,) = Snapshots(followed).load_all(["a"], [before], {})
    assert followed.integers.size_us[slot].tolist() == [size_s * 1_000_000 for size_s in five_s]


def test_of_several_assets_none_is_loaded_if_one_cannot_be_read() -> None:
    """The error names the one."""
    fleet, _ = _a_varied_fleet(0)
    values = Snapshots(fleet).dump_all(np.array([0, 1]))
    back = a_fleet()
    with pytest.raises(CorruptStateError, match="'second'"):
        Snapshots(back).load_all(["first", "second"], [values[0], values[1][:-8]], {})
    assert back.ids == []


@pytest.mark.parametrize("lateness_s", [0, 30])
def test_progress_is_that_of_the_whole_asset(lateness_s: float) -> None:
    """Rows that wait are counted; an asset without rows has no stamp."""
    fleet, _ = _a_varied_fleet(lateness_s)
    snapshots = Snapshots(fleet)
    slots = np.arange(len(fleet.ids))
    found = [snapshots.progress("x", value, {}) for value in snapshots.dump_all(slots)]
    rows = fleet.floats.life[slots, 0] + fleet.floats.level(0)[slots, 0] + fleet.pending.count[slots]
    assert [one.rows for one in found] == rows.tolist()
    assert sum(one.rows for one in found) == 400
    assert [one.last_us for one in found] == fleet.integers.last_us[slots].tolist()
    with pytest.raises(CorruptStateError, match="'x'"):
        snapshots.progress("x", snapshots.dump_all(slots)[0][:60], {})


def test_closed_windows_at_once_are_those_of_each() -> None:
    """Any of them, in any order, and none."""
    fleet, closed = _a_varied_fleet(0)
    snapshots, together = Snapshots(fleet), windows.concatenated(fleet, closed)
    index = np.arange(len(together))[::-2]
    spec = together.spec_json
    assert snapshots.dump_windows(together, index) == [
        struct.pack(">Bq", FORMAT, together.seq[i])
        + bytes.fromhex(*snapshots.layouts)
        + struct.pack(">I", len(b'{"spec":%b}' % spec[i]))
        + b'{"spec":%b}' % spec[i]
        + struct.pack(f"<{together.totals.shape[1]}d", *together.totals[i])
        for i in index.tolist()
    ]
    assert snapshots.dump_windows(together, index[:0]) == []


def test_a_marker_keeps_what_it_says() -> None:
    """Name, id, shift and counts come back; an older release's has none; its offset among entries is its seq."""
    source = Source("measurements", "00000000-0000-0000-0000-000000000001")
    counts = AssetCounts(9, ((29_538_720, 4), (29_538_719, 1)))
    marker = Marker(7, {}, held_from=3, source=source, shift=1_000_000_000, resetting=True, assets=counts)
    assert Marker.load(marker.dump()) == marker
    assert header(marker.dump()) == 1_000_000_007
    assert Marker.load(Marker(7, {}).dump()) == Marker(7, {})


def test_a_topic_is_another_one_by_name_or_by_a_known_id() -> None:
    """An id that one side does not know proves nothing."""
    source = Source("a", "1")
    assert not source.is_other_than(Source("a", "1"))
    assert not source.is_other_than(Source("a", None))
    assert source.is_other_than(Source("a", "2"))
    assert source.is_other_than(Source("b", None))
