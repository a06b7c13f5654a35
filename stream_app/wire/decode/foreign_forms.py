"""Forms in which other tools write rows, each recognised by its first bytes or its names, with its cure.

Only a message that is refused is looked at here, so no valid one is ever taken for something else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from schemas.columns import BY_WIRE_NAME

_PLAIN: Final = "send plain JSON, and let the producer compress it by its setting compression.type"
_JSON: Final = "send plain JSON in UTF-8, or an Arrow IPC stream"

_BEGINNINGS: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\x1f\x8b", f"the message is compressed with gzip: {_PLAIN}"),
    (b"\x28\xb5\x2f\xfd", f"the message is compressed with zstd: {_PLAIN}"),
    (b"\x04\x22\x4d\x18", f"the message is compressed with lz4: {_PLAIN}"),
    (b"\xff\x06\x00\x00sNaPpY", f"the message is compressed with snappy: {_PLAIN}"),
    (b"\x82SNAPPY\x00", f"the message is compressed with snappy: {_PLAIN}"),
    (b"BZh", f"the message is compressed with bzip2: {_PLAIN}"),
    (b"\x78\x01", f"the message is compressed with zlib: {_PLAIN}"),
    (b"\x78\x9c", f"the message is compressed with zlib: {_PLAIN}"),
    (b"\x78\xda", f"the message is compressed with zlib: {_PLAIN}"),
    (b"PK\x03\x04", f"the message is a ZIP archive: {_PLAIN}"),
    (b"Obj\x01", f"the message is an Avro container file: {_JSON}"),
    (b"PAR1", f"the message is a Parquet file: {_JSON}"),
    (b"\xef\xbb\xbf", "the message begins with a byte order mark (BOM): write UTF-8 without it"),
    (b"\xff\xfe", f"the message is UTF-16: {_JSON}"),
    (b"\xfe\xff", f"the message is UTF-16: {_JSON}"),
)
_REGISTRY_BYTES: Final = 5  # 0, then the schema's id
_LINE_PROTOCOL: Final = re.compile(r"[^\s,={\[]+(,[^\s=]+=[^\s]+)* [^\s=]+=[^\s]+( \d+)?\s*(\n|$)")
_STAMP_NUMBERS: Final = range(3, 8)  # year, month, day, hour, minute, second, nanosecond


def form_of_bytes(value: bytes) -> str | None:
    """Say what a message is that is not JSON, and its cure; None where it cannot be told."""
    for beginning, told in _BEGINNINGS:
        if value.startswith(beginning):
            return told
    if value[:1] == b"\0" and len(value) > _REGISTRY_BYTES and value[1:2] not in b"{[":
        schema_id = int.from_bytes(value[1:_REGISTRY_BYTES], "big")
        return (
            f"the message begins as a Schema Registry serializer writes it (byte 0 and the schema id {schema_id}): use "
            "a serializer of plain JSON, in Kafka Connect org.apache.kafka.connect.json.JsonConverter with "
            "schemas.enable=false"
        )
    if len(value) > 1 and (value[:1] == b"\0" or value[1:2] == b"\0") and len(value) % 2 == 0:
        return f"the message is UTF-16 without a byte order mark: {_JSON}"
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return _binary(value)
    return _text(text.strip())


def _binary(value: bytes) -> str | None:
    first = value[0]
    if 0x80 <= first <= 0x9F or first in (0xDC, 0xDD, 0xDE, 0xDF):
        return f"the message is binary and may be MessagePack: {_JSON}"
    if 0xA0 <= first <= 0xBF:
        return f"the message is binary and may be CBOR: {_JSON}"
    if first < 0x80 and first & 7 in (0, 1, 2, 5) and first >> 3 and chr(first) not in '{["':
        return f"the message is binary and may be Protobuf or Avro: {_JSON}"
    return None


def _text(text: str) -> str | None:
    if not text:  # blank beyond ASCII, or separators such as U+001C
        return None
    lines = [line.strip() for line in text.splitlines()]
    if text[:1] == "<":
        return "the message is XML: send JSON"
    if text.startswith(("{'", "[{'")):
        return "the message has single quotes, as Python's str() writes it: write it with json.dumps()"
    if len(lines) > 1 and all(line[:1] == "{" and line[-1:] == "}" for line in lines if line):
        return "the message has one row a line (JSON Lines): send a list of rows, or a message per row"
    if _LINE_PROTOCOL.match(text):
        return 'the message is in line protocol: send JSON (in Telegraf data_format = "json" with a transformation)'
    if text[:1] not in tuple('{["') and len(lines[0].split(",")) > 2:
        return "the message is a CSV line: send JSON, or upload the file (POST /api/v1/metrics)"
    return None


def form_of_json(content: object) -> str | None:
    """Say what a message, or a row of one, is that is JSON but no row, and its cure; None where it cannot be told."""
    if isinstance(content, str):
        if content.lstrip()[:1] in ("{", "["):
            return "the message is JSON within a JSON text: it was encoded twice, encode it once"
        return None
    if not isinstance(content, dict):
        return None
    if _is_array_stamp(content):
        return (
            "timestamp must be text or a number, not an array such as [2026, 3, 1, 0, 0]: in Jackson, disable "
            "WRITE_DATES_AS_TIMESTAMPS"
        )
    if all(name in content for name, column in BY_WIRE_NAME.items() if column.required):
        return None  # a row, with whatever else
    return _envelope(content)


def _is_array_stamp(content: Mapping[str, Any]) -> bool:
    """Whether a row, which is no columnar batch as its columns are no lists, has an array for its time."""
    stamp = content.get("timestamp")
    if not isinstance(stamp, list) or any(isinstance(content.get(name), list) for name in BY_WIRE_NAME):
        return False
    return len(stamp) in _STAMP_NUMBERS and all(type(number) is int for number in stamp)


def _envelope(content: Mapping[str, Any]) -> str | None:
    payload = content.get("payload")
    change = payload if isinstance(payload, dict) else content
    if "op" in change and ("after" in change or "before" in change):
        return (
            "the message is a Debezium change event (before, after, op): send the row alone, with the transformation "
            "io.debezium.transforms.ExtractNewRecordState"
        )
    if "schema" in content and "payload" in content:
        return (
            "the row is below payload, in Kafka Connect's envelope of schema and payload: set "
            "value.converter.schemas.enable=false"
        )
    if "specversion" in content and ("data" in content or "data_base64" in content):
        return (
            "the row is below data, in a CloudEvents envelope: send CloudEvents in binary mode, whose value is the "
            "row alone"
        )
    if isinstance(content.get("fields"), dict):
        return "the row's readings are below fields, as Telegraf writes them: send them at the top level of the row"
    for name in ("payload", "data", "value", "values", "message", "body", "row", "rows", "records"):
        if isinstance(content.get(name), dict | list | str):
            return f"the row may be below {name}: send the row alone, or a list of rows"
    return None


def form_of_key(key: bytes | None, asset_id: object) -> str | None:
    """Say how a key was written that is not the row's asset id, and the cure; None where it cannot be told."""
    if key is None:
        return None
    name = asset_id.encode(errors="surrogatepass") if isinstance(asset_id, str) else None
    if len(key) > 2 and key[:1] == key[-1:] == b'"' and name in (None, key[1:-1]):
        return "the key is quoted, as a JSON serializer writes it: use a serializer of plain strings for the key"
    if len(key) > _REGISTRY_BYTES and key[:2] == b"\0\0" and (name is None or name in key):
        return "the key begins as a Schema Registry serializer writes it: use a serializer of plain strings for the key"
    return None
