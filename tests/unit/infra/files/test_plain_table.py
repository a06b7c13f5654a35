"""Rows read by compiled code, beside the same rows read cell by cell."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from schemas.file import FileSpec
from stream_app.infra.files import Block, read_blocks
from stream_app.infra.files.csv_records import Record
from stream_app.infra.files.csv_table import CellTable
from stream_app.infra.files.dialect import sniff
from stream_app.infra.files.findings import Findings
from stream_app.infra.files.plain_table import PlainTable, Text
from stream_app.infra.files.stamp_form import decide
from stream_app.usecases.errors import InvalidError


class Outcome(NamedTuple):
    """Blocks of a file, compared to the bit, and its refusal."""

    blocks: list[tuple[list[object], list[int], dict[str, list[int]], list[str] | None]]
    refusal: tuple[object, ...] | None


def outcome(blocks: Iterator[Block]) -> Outcome:
    found = Outcome([], None)
    try:
        for block in blocks:
            columns = {name: _bits(values) for name, values in block.columns.items()}
            found.blocks.append((list(block.timestamps), block.time_us.tolist(), columns, block.asset_ids))
    except InvalidError as error:
        return found._replace(refusal=(error.code, error.detail, error.row, error.column))
    return found


def _bits(values: NDArray[np.float64]) -> list[int]:
    whole: list[int] = np.where(np.isnan(values), np.nan, values).view(np.int64).tolist()  # any NaN is "not measured"
    return whole


def plainly(content: bytes) -> Iterator[Block]:
    """Read a file strictly."""
    return read_blocks(io.BytesIO(content), spec=FileSpec(strict=True))


def cell_by_cell(content: bytes) -> Iterator[Block]:
    """Read a file strictly, without any compiled code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PlainTable, "block", lambda _, text, at: PlainTable.skipped(text, at))
        yield from plainly(content)


_HEADERS = [
    ["timestamp", "current", "voltage", "soc"],
    ["asset_id", "timestamp", "current", "voltage", "soc"],
    ["note", "Unix Time / s", "I/mA", "U[V]", "soc fraction", "device_id"],
    ["T [K]", "soc", "current", "I", "voltage", "ts", "comment", "power_kw"],
    ["vin", "ts", "amps", "PackVoltage", "SOC (%)", "x", "timestamp"],
]
_PLAIN_STAMPS = st.one_of(
    st.integers(1_600_000_000, 1_700_000_000).map(str),
    st.integers(1_600_000_000_000, 1_700_000_000_000).map(str),
    st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
    st.sampled_from(["2022-04-13T00:00:02Z", "2022-04-13 00:00:02.5", "2022-04-13T00:00:02.123456789+05:30"]),
)
_ODD_STAMPS = st.sampled_from(
    [
        *(
            "4/13/2022 0:00",
            "13.04.2022 12:30:01",
            "2022-04-13",
            "2022-04-13T00:00",
            "1649808002.25",
            "4/13/2022 1:00 PM",
        ),
        *(
            "",
            "?",
            "2022-02-30T00:00:00Z",
            "1649808002,5",
            "0001649808002",
            "12",
            "9" * 19,
            "2022-04-13T00:00:02+24:00",
        ),
        *(
            "1989-12-31T23:59:59Z",
            "2200-01-01T00:00:00Z",
            "2022-04-13T00:00:02z",
            "2022-04-13t00:00:02Z",
            "\u0661" * 10,
        ),
        *("2022-04-13T00:00:60Z", "2022-04-13T00:00:02 UTC", "2022-04-13T00:00:02,5Z", "-1649808002", "1e9", "1970"),
    ]
)
_PLAIN_READINGS = st.one_of(
    st.floats(-10, 100).map(lambda value: f"{value:.2f}"),
    st.floats(-10, 100).map(repr),
    st.integers(-10, 120).map(str),
    st.just(""),
)
_ODD_READINGS = st.one_of(
    st.floats().map(repr),
    st.floats(-1e3, 1e3).map(lambda value: f"{value:.17e}"),
    st.decimals(-100, 100, places=25).map(str),
    st.text("0123456789.,eE+- _", max_size=24),
    st.sampled_from(
        [
            *(
                "nan",
                "inf",
                "-inf",
                "1_000",
                "+5",
                "+-5",
                ".5",
                "5.",
                ".",
                "-",
                "-.5e1",
                "007",
                "-0",
                "1e999",
                "1e-400",
            ),
            *(
                "1,5",
                "1.234,5",
                "0x10",
                "1e5",
                "5e-324",
                "\u0663",
                "9007199254740993",
                "1" * 40,
                "0." + "0" * 30 + "17",
            ),
            *("high", "\u00a05", " ", "\t7", "7\x0b", "5 5", "99999999999", "120.00000000000001", "1d5", "1E+2"),
        ]
    ),
)
_IDS = st.sampled_from(["a", "b", "pack-1", "\u00fc", "a b", "", "a/b", "x" * 201, 'a"b', "\u2003a"])
_NOTES = st.one_of(
    st.sampled_from(["", "ok", "caf\u00e9", 'in "quotes"', "a,b", "a;b", "lone\rreturn"]), st.text(max_size=6)
)
_DRESS = st.sampled_from(["{}"] * 12 + [" {}", "{} ", "\t{}", '"{}"', '" {} "', '"{}"x', '"{}', '"{}""', ' "{}"'])


@st.composite
def _rows(draw: st.DrawFn, header: list[str], odd: bool) -> list[list[str]]:
    def cell(title: str) -> str:
        plain = not odd or draw(st.integers(0, 9)) > 0
        if title in {"note", "comment", "x"}:
            return draw(_NOTES) if odd else "-"
        if title in {"asset_id", "device_id", "vin"}:
            return draw(st.sampled_from(["a", "b"]) if plain else _IDS)
        if title in {"timestamp", "ts", "Unix Time / s"}:
            return draw(_PLAIN_STAMPS if plain else _ODD_STAMPS)
        return draw(_PLAIN_READINGS if plain else _ODD_READINGS)

    return [[cell(title) for title in header] for _ in range(draw(st.integers(0, 8)))]


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Tables as people have them, whole and broken."""
    header, separator = draw(st.sampled_from(_HEADERS)), draw(st.sampled_from([",", ";", "\t"]))
    odd, end = draw(st.booleans()), draw(st.sampled_from(["\n", "\r\n"]))
    lines = [separator.join(header)]
    for row in draw(_rows(header, odd)):
        cells = [draw(_DRESS).format(cell) for cell in row] if odd else row
        if odd and draw(st.integers(0, 19)) == 0:
            cells = draw(st.sampled_from([cells[:-1], [*cells, "x"], [""], ["", *[""] * (len(cells) - 1)], ["  "]]))
        if separator == ";" and draw(st.booleans()):
            cells = [cell.replace(".", ",") for cell in cells]
        lines.append(separator.join(cells))
    if odd and draw(st.booleans()):
        lines = lines + lines[1:] * draw(st.sampled_from([0, 130, 500, 1100]))  # across blocks
    text = end.join(lines) + draw(st.sampled_from(["", end, end + end]))
    return draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + text.encode("utf-8", "surrogatepass")


@given(files())
@example(b"timestamp,current,voltage,soc\n1649808002,1,2,3\r")
@example(b"timestamp,current,voltage,soc\n1649808002,1,2,3\r\r\n")
@example(b'timestamp,current,voltage,soc\n"1649808002","1","2","3"\n')
@example(b"timestamp,current,voltage,soc\n" + b"1649808002,1,2,3\n" * 1000 + b"1649808002,1,2,x\n")
@example(b"timestamp,current,voltage,soc\n" + b"\n1649808002,1,2,3\n" * 700 + b"1649808002,1,2,300\n")
@example(b"timestamp;current;voltage;soc\n1649808002;0,12345678901234567;2,5;-,5\n")
def test_both_readers_agree(content: bytes) -> None:
    """Blocks are equal to the bit, and refusals to the letter, whatever a file holds."""
    assert outcome(plainly(content)) == outcome(cell_by_cell(content))


@given(st.binary(max_size=200))
def test_both_readers_agree_about_any_bytes(content: bytes) -> None:
    """Of files that are not tables too."""
    content = b"timestamp,current,voltage,soc\n1649808002,1,2,3\n" + content
    assert outcome(plainly(content)) == outcome(cell_by_cell(content))


@pytest.mark.parametrize(
    ("title", "line"),
    [
        ("timestamp,current,voltage,soc", b"2022-04-13T00:00:02Z,-40.5,890,51\r\n"),
        ("timestamp,current,voltage,soc", b"1649808002,.5,+5.,\n"),
        ("timestamp;current;voltage;soc", b"2022-04-13 00:00:02+02:00;-40,5;890,123456789012345678;51\n"),
        ("asset_id,timestamp,note,current,voltage,soc", b'"a",4/13/2022 0:00,"x, y", 1 ,2e1,3\n'),
        ("timestamp\tI/mA\tvoltage\tsoc", b"1649808002\t-40500\t890\t51\n\n"),
    ],
)
def test_what_is_common_is_read_by_compiled_code(title: str, line: bytes) -> None:
    """Blocks that would be read cell by cell cost fifty times as much."""
    lines = [title, line.decode()]
    dialect = sniff(lines, FileSpec(), Findings())
    stamps = decide(dialect.layout, dialect.sample, FileSpec(), Findings())
    scanned = PlainTable(dialect.layout, stamps).block(Text(line * 3), 0)
    assert scanned.block is not None
    assert len(scanned.block) == 3
    assert scanned.at == len(line * 3)


def test_an_odd_block_leaves_the_others_plain() -> None:
    """Only the block that holds an odd row is read cell by cell, and rows are counted through all of them."""
    row = b"1649808002,1,2,3\n"
    content = (
        b"timestamp,current,voltage,soc\n" + row * 1500 + b'1649808002,"1",2,"3"\n,,,\n' + row * 3000 + b"1,1,2,3\n"
    )
    judged, starts = CellTable.block, []

    def judge(self: CellTable, records: Sequence[Record]) -> Block:
        starts.append(records[0][0])
        return judged(self, records)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CellTable, "block", judge)
        blocks = list(plainly(content.removesuffix(b"1,1,2,3\n")))
    assert [len(block) for block in blocks] == [1000, 999, 1000, 1000, 502]
    assert starts == [1002]
    found = outcome(plainly(content))
    assert found.refusal is not None
    assert found.refusal[2] == 4502
    assert "row 4502 (line 4504)" in str(found.refusal[1])
