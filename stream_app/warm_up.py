"""Compiling what goes row by row before the first row comes.

Machine code that is kept on disk loads in half a second; where there is none, compiling takes tens of seconds, in which
a worker that had joined its group would answer nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from typing import Final

import numpy as np
import orjson

from schemas.file import FileSpec
from stream_app.domain.catalogue import Catalogue
from stream_app.infra.kafka.log.batch_writing import RecordBlock, whole_batches
from stream_app.infra.kafka.log.fetches import fetches, response
from stream_app.infra.kafka.log.partitioning import partitions_of
from stream_app.infra.kafka.topic_partition import TopicPartition
from stream_app.infra.row_messages import RowMessages
from stream_app.usecases.asset_views import AssetViews
from stream_app.usecases.ingest import Ingest
from stream_app.usecases.ports import MARKER_KEY, NoTables
from stream_app.usecases.spans import KeptWindows
from stream_app.wire.batch import Fetch
from stream_app.wire.decode import arrow
from stream_app.wire.encode.updates import UpdateForm
from stream_app.wire.update_cells import CellReader

_START_S: Final = 1_649_808_000
_ROWS: Final = 200
#: Numbers short and long.
_FILE: Final = b"timestamp,current,voltage,soc\n1649808000,-40.5,890,51.000000000000001\n"

Messages = Sequence[tuple[bytes, bytes]]  # key and value


def warm_up() -> Catalogue:
    """Take rows of every form from Kafka's bytes to a checkpoint, the history and a look-up; read a file.

    Returns the catalogue whose metrics are traced and compiled.
    """
    catalogue = Catalogue()
    ingest = Ingest(
        tables=NoTables(),
        catalogue=catalogue,
        window_sizes_s=(60, 900),
        kept_windows=KeptWindows({}, 1),
        update_form=UpdateForm(has_values=True, keyed_by_window=True),
    )
    ingest.apply(fetch_of(0, [list(_messages())]))
    checkpoint = ingest.checkpoint(0)
    if checkpoint is not None:
        cells = CellReader()
        for block in checkpoint.updates.blocks:
            for update in block.values:
                cells.read(update or b"")
            partitions_of(block.asset_ids, 4)
            list(whole_batches("warm-up", [RecordBlock(block.keys, block.values, block.headers)]))
        for entry in checkpoint.assets:
            if (value := entry.value) is not None and entry.key != MARKER_KEY:
                AssetViews(catalogue, {}).asset(entry.key.decode(), value)
    RowMessages().check(BytesIO(_FILE), FileSpec())
    return catalogue


def fetch_of(start: int, parts: Iterable[Messages]) -> Fetch:
    """Messages from an offset on, as a broker sends them: each part a record batch."""
    (fetch,) = fetches(TopicPartition("warm-up", 0), response(start, parts), start)
    return fetch


def _messages() -> Iterator[tuple[bytes, bytes]]:
    """The same minutes as single rows, as a list of rows, as columns and as Arrow; and one message that is no row."""
    second = np.arange(_ROWS)
    columns = {
        "current": np.where(second % 40 < 20, 10.5, -10.5),
        "voltage": np.full(_ROWS, 800.5),
        "soc": 50 + 20 * np.sin(second / 10),
    }
    stamps = (_START_S + second) * 1000
    listed = {name: each.tolist() for name, each in columns.items()}
    readings = zip(*listed.values(), strict=True)
    rows = [
        {"timestamp": stamp, **dict(zip(columns, values, strict=True))}
        for stamp, values in zip(stamps.tolist(), readings, strict=True)
    ]
    for row in rows:
        yield b"a", orjson.dumps({"asset_id": "a", **row, "timestamp": f"{np.datetime64(row['timestamp'], 'ms')}Z"})
    yield b"b", orjson.dumps([{"asset_id": "b", **row} for row in rows])
    yield b"c", orjson.dumps({"asset_id": "c", "timestamp": stamps.tolist(), **listed})
    yield b"d", arrow.write(stamps.astype("datetime64[ms]"), columns)
    yield b"e", b"no row"


if __name__ == "__main__":
    warm_up()
