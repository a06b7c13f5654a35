"""The slow path: one message that the typed decoder refused, read by the contract and explained."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import isfinite, nan
from typing import Any, Final

from pydantic import ValidationError

from schemas.control import CONTROL, EndOfUpload, Forget, SpecControl
from schemas.measurement import Measurement
from schemas.rejected import RejectCode
from stream_app.wire.decode.keys import asset_id as asset_of_key
from stream_app.wire.decode.row import COLUMN_NAMES, LIMITS, REQUIRED, Row

_KEY_CURE: Final = "the key must be the row's asset id (UTF-8): the order of an asset's rows hangs on it"
_ARROW_FILE: Final = b"ARROW1"
_ASSET_CURE: Final = "an asset id has 1 to 200 printable characters, none of them a blank or a slash"


class Refusal(Exception):  # noqa: N818  # no error of the program: what is wrong with a message or a row
    """A message or a row is not applied."""

    def __init__(self, code: RejectCode, reason: str, column: str | None = None) -> None:
        super().__init__(reason)
        self.code, self.reason, self.column = code, reason, column


@dataclass(slots=True)
class Reading:
    """What could be read of a message: a control record, or rows and their positions; and the refused rows."""

    control: SpecControl | EndOfUpload | Forget | None = None
    single: bool = False  # the message is one row, not a list of rows
    rows: list[Row] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    refused: list[tuple[int, Refusal]] = field(default_factory=list)


def read(value: bytes | None, key: bytes | None, asset_id: str | None) -> Reading:
    """Read one message; ``asset_id`` is what its key says, None when the key is no asset id.

    Raises
    ------
    Refusal
        When nothing of the message can be applied.
    """
    if value is None or not value.strip():
        raise Refusal(
            "empty_message", "the message is empty: send a row, a list of rows, a columnar batch or a control"
        )
    if value.startswith(_ARROW_FILE):
        raise Refusal("bad_arrow", "the message is an Arrow file: send an Arrow IPC stream, which has no footer")
    content = parse(value)
    if asset_id is None:
        raise no_asset(key)
    if isinstance(content, list):
        return _read_rows(content, asset_id)
    if not isinstance(content, dict):
        raise Refusal("bad_row", f"a message must be a JSON object or a list of them, not {shown(content)}")
    if content.get("control") is not None:
        return Reading(control=_read_control(content, asset_id))
    if isinstance(content.get("timestamp"), list):
        return _read_rows(_rows_of_batch(content, asset_id), asset_id)
    return Reading(single=True, rows=[_read_row_of(content, asset_id)], positions=[0])


def out_of_range(name: str, value: float) -> str:
    """Reason of a reading that is not plausible."""
    low, high, unit = LIMITS[name]
    return (
        f"{name} is {value:g}, outside {low:g} to {high:g} {unit}: check the unit, or send null when it is not measured"
    )


def implausible(name: str, value: float) -> tuple[RejectCode, str]:
    """Code and reason of a reading beyond its limits, or beyond all."""
    if isfinite(value):
        return "out_of_range", out_of_range(name, value)
    return "bad_row", f"{name} is no finite number: send null when it is not measured"


def no_asset(key: bytes | None) -> Refusal:
    """Refusal of a message whose key names no asset."""
    return Refusal("key_mismatch", f"{_describe_key(key)}; {_KEY_CURE}")


def foreign(found: str | None, asset_id: str) -> Refusal:
    """Refusal of a row that is not of the key's asset."""
    if found is None or asset_of_key(found.encode()) is None:
        return Refusal("bad_row", f"asset_id is {shown(found)}: {_ASSET_CURE}", "asset_id")
    return Refusal("key_mismatch", f"the row is of {shown(found)}, the key of {shown(asset_id)}; {_KEY_CURE}")


def shown(value: object) -> str:
    """A JSON value in a message: named by its kind, text cut short."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return f"the text {value[:40]!r}" + ("…" if len(value) > 40 else "")
        case int() | float():
            return f"{value:g}" if abs(value) < 1e300 else "a number beyond all bounds"
        case list():
            return "a list"
        case _:
            return "an object"


def parse(value: bytes) -> Any:
    """Parse JSON, leniently in what the contract refuses better; Refusal when it is none."""
    try:
        # Python's parser, since it reads NaN and Infinity: the contract then refuses that row alone, and by its name.
        return json.loads(value.decode())
    except RecursionError:
        raise Refusal("bad_json", "the JSON is nested too deeply: rows are flat objects") from None
    except UnicodeDecodeError as error:
        raise Refusal("bad_json", f"byte {error.start} is no UTF-8: send JSON as UTF-8") from None
    except json.JSONDecodeError as error:
        raise Refusal("bad_json", f"no JSON: {error.msg} at character {error.pos}") from None
    except ValueError:  # an integer with more digits than Python converts
        raise Refusal("bad_json", "a number has thousands of digits") from None


def _describe_key(key: bytes | None) -> str:
    if key is None:
        return "the message has no key"
    return f"the key {key[:40]!r} is no asset id ({_ASSET_CURE})"


def _read_rows(rows: Iterable[object], asset_id: str) -> Reading:
    reading = Reading()
    for position, content in enumerate(rows):
        try:
            reading.rows.append(_read_row_of(content, asset_id))
            reading.positions.append(position)
        except Refusal as refusal:
            reading.refused.append((position, refusal))
    if not reading.rows and not reading.refused:
        raise Refusal("empty_message", "the message holds no rows")
    return reading


def read_row(content: object) -> Row:
    """Read one row by the contract; its stamp is read later, with all others.

    Raises
    ------
    Refusal
        Naming the column, what it holds and what to send instead.
    """
    if not isinstance(content, dict):
        raise Refusal("bad_row", f"a row must be a JSON object, not {shown(content)}")
    if content.get("control") is not None:
        raise Refusal("bad_row", "a control record must be a message of its own", "control")
    try:
        row = Measurement.model_validate(content)
    except ValidationError as error:
        raise _explain(error) from None
    return Row(row.asset_id, row.timestamp, *(getattr(row, name) for name in COLUMN_NAMES))


def _read_row_of(content: object, asset_id: str) -> Row:
    row = read_row(content)
    if row.asset_id != asset_id:
        raise foreign(row.asset_id, asset_id)
    return row


def _read_control(content: dict[str, Any], asset_id: str) -> SpecControl | EndOfUpload | Forget:
    try:
        control = CONTROL.validate_python(content)
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, problem['loc'])) or 'control'}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)
        ]
        raise Refusal("bad_control", f"the control record is not applied: {'; '.join(problems)}") from None
    if control.asset_id != asset_id:
        reason = f"the control record is of {shown(control.asset_id)}, the key of {shown(asset_id)}; {_KEY_CURE}"
        raise Refusal("key_mismatch", reason)
    return control


def _rows_of_batch(content: dict[str, Any], asset_id: str) -> Iterator[dict[str, object]]:
    """Rows of a columnar batch; a batch whose columns do not fit together is refused as a whole."""
    if content.get("asset_id") != asset_id:
        code: RejectCode = "key_mismatch" if isinstance(content.get("asset_id"), str) else "bad_row"
        raise Refusal(code, f"the batch's asset_id is {shown(content.get('asset_id'))}, not {asset_id!r}; {_KEY_CURE}")
    stamps = content["timestamp"]
    columns: dict[str, list[object]] = {}
    for name in COLUMN_NAMES:
        column = content.get(name)
        if column is None and name not in REQUIRED:
            continue
        if not isinstance(column, list):
            found = shown(column) if name in content else "missing"
            raise Refusal(
                "bad_row", f"column {name} of a columnar batch must be a list, as timestamp is; it is {found}"
            )
        if len(column) != len(stamps):
            reason = f"column {name} has {len(column)} values, timestamp has {len(stamps)}: send columns of one length"
            raise Refusal("bad_row", reason)
        columns[name] = column
    for position, stamp in enumerate(stamps):
        row = {name: column[position] for name, column in columns.items()}
        yield {"asset_id": asset_id, "timestamp": stamp, **row}


def _explain(error: ValidationError) -> Refusal:
    problems: dict[str, tuple[RejectCode, str]] = {}
    for problem in error.errors(include_url=False):
        name = str(problem["loc"][0])
        problems.setdefault(name, _problem(name, problem["type"], problem["input"]))
    codes = {code for code, _ in problems.values()}
    code = codes.pop() if len(codes) == 1 else "bad_row"
    return Refusal(code, "; ".join(reason for _, reason in problems.values()), next(iter(problems)))


def _problem(name: str, kind: str, value: Any) -> tuple[RejectCode, str]:
    if kind == "missing":
        return "bad_row", f"{name} is missing: send it{', or null when it is not measured' if name in LIMITS else ''}"
    if name == "asset_id":
        return "bad_row", f"asset_id is {shown(value)}: {_ASSET_CURE}"
    if name == "timestamp":
        return "bad_timestamp", f"timestamp must be text or a number, not {shown(value)}"
    if kind in ("greater_than_equal", "less_than_equal"):
        return "out_of_range", out_of_range(name, value)
    if kind == "finite_number":
        return implausible(name, nan)
    return "bad_row", f"{name} must be a number or null, not {shown(value)}"
