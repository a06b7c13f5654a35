"""Bytewax with one stateful map: lifetime and window in one state, the window kept by hand; recovery is on."""

from typing import Any

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow

from bench.programs.fold import Record, advance
from bench.programs.job import BATCHED, BROKER, CONSUMER_TUNING, INPUT, OUTPUT, PRODUCER_TUNING, ROWS_PER_ASSET

_TEXT = {name: str(value) for name, value in {**CONSUMER_TUNING, **PRODUCER_TUNING}.items()}


def parse(message: Any) -> tuple[str, Any]:
    """Key and rows of a message."""
    return message.key.decode(), orjson.loads(message.value)


def sum_up(state: Any, value: Any) -> tuple[Any, list[Record]]:
    """Add a message's rows to its asset's state."""
    records: list[Record] = []
    rows = value if BATCHED else (value,)
    return advance(state, rows[0]["asset_id"], rows, ROWS_PER_ASSET, records.append), records


def message_of(keyed: tuple[str, Record]) -> Any:
    """Message of an output record."""
    return KafkaSinkMessage(keyed[0].encode(), orjson.dumps(keyed[1]))


flow = Dataflow("bytewax_map")
_source = KafkaSource([BROKER], [INPUT], tail=False, add_config={name: _TEXT[name] for name in CONSUMER_TUNING})
_parsed = op.map("parse", op.input("input", flow, _source), parse)
_records = op.stateful_flat_map("sum_up", _parsed, sum_up)
_sink = KafkaSink([BROKER], OUTPUT, add_config={name: _TEXT[name] for name in PRODUCER_TUNING})
op.output("output", op.map("message", _records, message_of), _sink)
