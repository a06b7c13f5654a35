"""Rows with other names than ours: from the spec's record on, however the log is cut into fetches."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import orjson
import pyarrow as pa
import pytest

from stream_app.infra.foreign_rows import ForeignRows
from tests.unit.usecases.site import START_S, Site

SPEC: dict[str, Any] = {"control": "asset_spec", "spec": {"profile": "none"}}


def titled(second: int) -> dict[str, Any]:
    """A row of 2 A and 800 V under other names."""
    return {"ts": START_S + second, "Current (mA)": 2000, "Spannung [V]": 800, "SOC": 50}


def ours(second: int) -> dict[str, Any]:
    """The same row under ours."""
    return {"timestamp": START_S + second, "current": 2, "voltage": 800, "soc": 50}


def a_site() -> Site:
    return Site(translator=ForeignRows())


def told(site: Site, *cuts: int) -> tuple[int, list[str]]:
    """Apply the log in fetches that end at the cuts: rows, and the reasons of messages that were refused."""
    rows, start = 0, 0
    for end in (*cuts, len(site.log)):
        result: Any = site.ingest.apply(site.fetch(start, end))
        rows, start = rows + result.rows, end
    return rows, [repr(letter.headers) for letter in site.written().dead_letters]


def applied(site: Site, *cuts: int) -> tuple[int, int]:
    """Rows, and how many messages were refused."""
    rows, reasons = told(site, *cuts)
    return rows, len(reasons)


@pytest.mark.parametrize("cuts", [(), (1,), (2,), (1, 2, 3, 4, 5)])
def test_rows_are_read_by_the_profile_once_the_spec_names_it(cuts: tuple[int, ...]) -> None:
    """The row before the spec is refused, those behind it count, wherever a fetch ends."""
    site = a_site()
    site.add("a", titled(0), SPEC, titled(1), ours(2), titled(3))
    assert applied(site, *(cut for cut in cuts if cut < 5)) == (3, 1)
    life = site.lifetime("a").metrics
    assert life["charge_in_ah"].value == pytest.approx(2 * 2 / 3600)
    assert life["current_max_a"].value == 2


@pytest.mark.parametrize("cuts", [(), (3,), (4,)])
def test_a_spec_without_a_profile_ends_it(cuts: tuple[int, ...]) -> None:
    """So does the asset's deletion; rows behind that are refused."""
    for ending in ({"control": "asset_spec", "spec": {}}, {"control": "forget"}):
        site = a_site()
        site.add("a", SPEC, titled(0), titled(1), ending, titled(2), ours(3))
        assert applied(site, *cuts) == (3, 1)


def test_a_stored_spec_holds_after_a_restart() -> None:
    """The profile is in the state."""
    site = a_site()
    site.add("a", SPEC, titled(0))
    assert applied(site) == (1, 0)
    site.restarted()
    site.add("a", titled(1))
    result: Any = site.ingest.apply(site.fetch(2))
    assert (result.rows, result.rejected) == (1, 0)


def test_a_refused_spec_changes_nothing() -> None:
    """Its window sizes cannot hold any more, so its profile does not."""
    site = a_site()
    site.add("a", ours(0), {"control": "asset_spec", "spec": {"profile": "none", "windows": ["7m"]}}, titled(1))
    assert applied(site) == (1, 2)


def test_assets_without_a_profile_are_read_as_ever() -> None:
    """Another asset's profile is its own."""
    site = a_site()
    site.add("a", SPEC)
    site.add("b", titled(0), ours(1))
    site.add("a", titled(2))
    assert applied(site) == (2, 1)


def test_a_list_of_rows_is_read_too_and_what_is_refused_says_why() -> None:
    """Rows of a list are refused one by one."""
    site = a_site()
    site.add("a", SPEC)
    site.log.append((b"a", b'[{"ts": 1649808000, "I": 1, "U": 2}, {"ts": 1649808001, "I": "hot", "U": 2}]'))
    assert applied(site) == (1, 1)


def arrow(**columns: Any) -> bytes:
    table = pa.table(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table, max_chunksize=2)
    written: bytes = sink.getvalue().to_pybytes()
    return written


@pytest.mark.parametrize("cuts", [(), (1,)])
def test_columns_are_read_as_rows_are(cuts: tuple[int, ...]) -> None:
    """Of JSON and of Arrow, with an unread column and a title that is none of ours; a bad row is refused alone."""
    site = a_site()
    stamps = [datetime.fromtimestamp(START_S + s, UTC) for s in (4, 5, 6)]
    texts = pa.array(["2000", "2000", "hot"]).dictionary_encode()
    site.add("a", SPEC)
    site.log += [
        (b"a", orjson.dumps({"ts": [START_S, START_S + 1], "Current (mA)": [2000, None], "Spannung [V]": [800, 800]})),
        (b"a", orjson.dumps({"asset_id": "a", "timestamp": [START_S + 3], "I": [2], "U": [800], "colour": ["red"]})),
        (b"a", arrow(time=stamps, **{"Current (mA)": texts, "Spannung [V]": [800.0, 800.0, None], "on": [True] * 3})),
    ]
    rows, (reason,) = told(site, *cuts)
    assert rows == 5
    life = site.lifetime("a").metrics
    assert life["total_data_points"].value == 5
    assert (life["current_max_a"].value, life["current_min_a"].value) == (2, 2)
    assert "must be a number or null, not the text" in reason


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (orjson.dumps({"ts": [1, 2], "I": [1], "U": [2]}), "column I has 1 values, ts has 2"),
        (orjson.dumps({"ts": [], "I": [], "U": []}), "holds no rows"),
        (arrow(time=pa.array([], pa.timestamp("s")), I=pa.array([], pa.int8())), "holds no rows"),
        (arrow(time=[START_S], colour=["red"]), "the header has no column"),
        (arrow(time=[START_S], I=[1], U=[2])[:90], "cannot be read|cut|end"),
    ],
)
def test_columns_that_cannot_be_read_are_told(value: bytes, reason: str) -> None:
    """With the cure; nothing of them counts."""
    site = a_site()
    site.add("a", SPEC)
    site.log.append((b"a", value))
    rows, (found,) = told(site)
    assert rows == 0
    assert re.search(reason, found), found


def test_a_row_with_a_list_beside_its_readings_is_one_row() -> None:
    """It is no column."""
    site = a_site()
    site.add("a", SPEC, {**titled(0), "tags": ["x", "y"]})
    assert applied(site) == (1, 0)


def test_without_a_translator_the_contract_alone_reads_rows() -> None:
    """As the upload of a file, whose rows have our names."""
    site = Site()
    site.add("a", SPEC, titled(0))
    assert applied(site) == (0, 1)
