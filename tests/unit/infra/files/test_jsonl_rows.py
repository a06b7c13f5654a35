"""JSON lines."""

from __future__ import annotations

import io
import json
import math

import numpy as np
import pytest

from schemas.file import FileSpec
from stream_app.infra.files import Block, read_blocks
from stream_app.infra.files.block import BLOCK_ROWS
from stream_app.usecases.errors import InvalidError

STAMP = "2022-04-13T00:00:02Z"


def read(text: str | bytes, asset_id: str | None = None) -> list[Block]:
    content = io.BytesIO(text.encode() if isinstance(text, str) else text)
    return list(read_blocks(content, asset_id, FileSpec(strict=True)))


def error(text: str | bytes) -> InvalidError:
    with pytest.raises(InvalidError) as caught:
        read(text)
    return caught.value


ROW = {"asset_id": "a", "timestamp": STAMP, "current": 1, "voltage": 2.5, "soc": None}


def test_json_lines() -> None:
    """A JSON row per line is read as on the measurements topic; rows may leave the asset to the caller."""
    unnamed = {key: value for key, value in ROW.items() if key != "asset_id"} | {"timestamp": 1_649_808_002, "power": 7}
    (block,) = read(f"\n{json.dumps(ROW)}\r\n\n{json.dumps(unnamed)}\n", asset_id="z")
    assert block.asset_ids == ["a", "z"]
    assert list(block.timestamps) == [STAMP, "1649808002"]
    np.testing.assert_array_equal(block.columns["soc"], [math.nan, math.nan])
    np.testing.assert_array_equal(block.columns["power"], [math.nan, 7.0])
    assert "t_min" not in block.columns


@pytest.mark.parametrize(
    ("line", "code", "name", "detail"),
    [
        ("{", "bad_json", None, "row 2 (line 3): not valid JSON"),
        ("[1]", "bad_row", None, "row 2 (line 3): a row must be a JSON object, not a list"),
        (json.dumps({**ROW, "soc": "x"}), "bad_number", "soc", "'x' is not a number"),
        (json.dumps({**ROW, "soc": 1e5}), "out_of_range", "soc", "soc is 100000, outside"),
        (json.dumps({**ROW, "timestamp": "2x"}), "bad_timestamp", "timestamp", "'2x' is not a date or time"),
    ],
)
def test_bad_json_lines(line: str, code: str, name: str | None, detail: str) -> None:
    """The first bad line is told with its row and column."""
    found = error(f"{json.dumps(ROW)}\n\n{line}\n")
    assert (found.code, found.row, found.column) == (code, 2, name)
    assert detail in found.detail


def test_json_lines_come_in_blocks() -> None:
    """Blocks hold at most a thousand rows."""
    assert [len(block) for block in read(f"{json.dumps(ROW)}\n" * (BLOCK_ROWS + 1))] == [BLOCK_ROWS, 1]
