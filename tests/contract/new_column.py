"""Sends rows with the column ``pressure`` in every form and prints what arrives; test_columns adds that column."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from schemas.measurement import Measurement
from stream_app.columns.byte_column import ByteColumn
from stream_app.domain.rows import COLUMNS
from stream_app.infra.files import Block, read_blocks
from stream_app.infra.row_messages import encode
from stream_app.usecases.errors import InvalidError
from stream_app.wire.batch import Batch, Fetch
from stream_app.wire.decode import Decoder, arrow
from stream_app.wire.decode.scan import UNUSUAL, scan
from stream_app.wire.decode.templates import KnownTemplates

ROW: dict[str, Any] = {"asset_id": "a", "timestamp": 1_649_808_000, "current": 1.5, "voltage": 2.5, "soc": 50.5}


def plain(pressure: float) -> dict[str, bytes]:
    """Messages that the fast path takes."""
    row = ROW | {"pressure": pressure}
    batch = {name: value if name == "asset_id" else [value] for name, value in row.items()}
    return {"row": dump(row), "list": dump([row, row]), "columnar batch": dump(batch)}


def others(pressure: float) -> dict[str, bytes]:
    """Messages that it leaves: Arrow, and rows with a field that is nested."""
    row = ROW | {"pressure": pressure, "note": {"by": "hand"}}
    columns = {name: np.array([float(value)]) for name, value in row.items() if isinstance(value, float)}
    return {
        "Arrow": arrow.write(np.array([ROW["timestamp"]], "datetime64[s]"), columns),
        "list into structs": dump([row]),
        "row by the contract": dump(row),
    }


def file(title: str, pressure: float) -> Block:
    """A CSV file with the column under a title of its own."""
    text = f"time,current,voltage,soc,{title}\n2022-04-13,1.5,2.5,50.5,{pressure}\n"
    (block,) = read_blocks(io.BytesIO(text.encode()))
    return block


def refused_file() -> str:
    """Code of a file whose pressure is beyond the limits."""
    try:
        file("pressure", 1e9)
    except InvalidError as error:
        return error.code
    return ""


def dump(content: object) -> bytes:
    return json.dumps(content).encode()


def decode(messages: Mapping[str, bytes]) -> Batch:
    n = len(messages)
    return Decoder().decode(Fetch("m", 0, 0, n, range(n), [b"a"] * n, list(messages.values()), [0] * n, [()] * n))


def arrived(messages: Mapping[str, bytes]) -> dict[str, list[float]]:
    """Pressures of each message's rows."""
    batch = decode(messages)
    pressures = batch.columns["pressure_pa"]
    return {name: pressures[batch.message == i].tolist() for i, name in enumerate(messages)}


def refused(messages: Mapping[str, bytes]) -> dict[str, str]:
    """Code of each message's reject."""
    names = list(messages)
    return {names[reject.message]: reject.code for reject in decode(messages).rejects}


def files() -> dict[str, bytes]:
    """A file's rows in each form."""
    block = file("Coolant Pressure (Pa)", 101_325.5)
    return {form: message.value for form in ("rows", "columns", "arrow") for _, message in encode(block, "a", form)}


if __name__ == "__main__":
    values = list(plain(1.5).values())
    scanned = scan(ByteColumn.of(values), ByteColumn.of([b"a"] * len(values)), KnownTemplates())
    report = {
        "domain": COLUMNS[-1],
        "described": Measurement.model_json_schema()["properties"]["pressure"]["description"],
        "arrived": arrived(plain(101_325.5) | others(101_325.5)),
        "from a file": arrived(files()),
        "refused": refused(plain(1e9) | others(1e9)),
        "refused file": refused_file(),
        "left by the fast path": int(np.count_nonzero(scanned.kind == UNUSUAL)),
    }
    sys.stdout.write(json.dumps(report))
