"""The slow path: one message that the typed decoder did not take, read by the contract and explained."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import nan
from typing import Any, Final

from pydantic import ValidationError

from schemas.columns import BY_WIRE_NAME, COLUMNS
from schemas.control import CONTROL, AnyControl
from schemas.measurement import Measurement
from schemas.rejected import RejectCode
from stream_app.wire.decode.foreign_forms import form_of_bytes, form_of_json, form_of_key
from stream_app.wire.decode.refusal import (
    KEY_CURE,
    Refusal,
    bad_asset_id,
    bad_key,
    bad_timestamp,
    implausible,
    other_asset,
    out_of_range,
    quoted,
    shown,
)
from stream_app.wire.decode.row import Row, make_row

_ARROW_FILE: Final = b"ARROW1"


@dataclass(slots=True)
class Reading:
    """What a message holds: a control record, or rows and their positions; and the refused rows."""

    control: AnyControl | None = None
    single: bool = False  # the message is one row, not a list of rows
    rows: list[Row] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    refused: list[tuple[int, Refusal]] = field(default_factory=list)


#: Gives a row our names and units; a Refusal tells what is wrong with it.
Translate = Callable[[dict[str, Any]], dict[str, Any]]
#: How rows of an asset that the contract refuses are read, by its spec; None: not at all.
TranslateOf = Callable[[str], Translate | None]


def no_translation(_asset_id: str) -> None:
    """Of rows that only the contract reads."""
    return


def read(
    value: bytes | None, key: bytes | None, asset_id: str | None, translate_of: TranslateOf = no_translation
) -> Reading:
    """Read one message; ``asset_id`` is the asset that its key names, None when the key is not an asset id.

    A row that the contract refuses is read as ``translate_of`` its asset gives it.

    Raises
    ------
    Refusal
        When nothing of the message can be applied.
    """
    if value is None or not value.strip():
        raise Refusal(
            "empty_message", "the message is empty: send a row, a list of rows, a columnar batch or a control record"
        )
    if value.startswith(_ARROW_FILE):
        raise Refusal("bad_arrow", "the message is an Arrow file: send an Arrow IPC stream, which has no footer")
    try:
        content = parse(value)
    except Refusal as refusal:
        raise _named(refusal, form_of_bytes(value)) from None
    try:
        reading = _read_content(content, key, asset_id, translate_of)
    except Refusal as refusal:
        raise _named(refusal, form_of_json(content) or form_of_key(key, asset_of(content))) from None
    if reading.refused and isinstance(content, list):
        reading.refused = [
            (
                position,
                _named(refusal, form_of_json(content[position]) or form_of_key(key, asset_of(content[position]))),
            )
            for position, refusal in reading.refused
        ]
    return reading


def _named(refusal: Refusal, form: str | None) -> Refusal:
    """The refusal, for the form in which another tool writes rows if it is one."""
    return refusal if form is None else Refusal(refusal.code, f"{form} ({refusal.reason})", refusal.column)


def asset_of(content: object) -> object:
    """What a row gives as its asset."""
    return content.get("asset_id") if isinstance(content, dict) else None


def _read_content(content: object, key: bytes | None, asset_id: str | None, translate_of: TranslateOf) -> Reading:
    if asset_id is None:
        raise bad_key(key)
    if isinstance(content, list):
        return read_rows(content, asset_id, translate_of)
    if not isinstance(content, dict):
        raise Refusal("bad_row", f"a message must be a JSON object or a list of objects, not {shown(content)}")
    if content.get("control") is not None:
        return Reading(control=_read_control(content, asset_id))
    try:
        if not isinstance(content.get("timestamp"), list):
            return Reading(single=True, rows=[_read_row_of(content, asset_id, translate_of)], positions=[0])
        rows: Iterable[dict[str, object]] = list(rows_of_batch(content, asset_id))
    except Refusal:
        if not is_columns(content) or translate_of(asset_id) is None:
            raise
        rows = rows_of_columns(content)
    return read_rows(rows, asset_id, translate_of)


def parse(value: bytes) -> Any:
    """Parse JSON, leniently where the contract refuses with a better reason; Refusal when it is not valid."""
    try:
        # Python's parser, since it reads NaN and Infinity: the contract then refuses that row alone, and by its name.
        return json.loads(value.decode())
    except RecursionError:
        raise Refusal("bad_json", "the JSON is nested too deeply: send rows as flat objects") from None
    except UnicodeDecodeError as error:
        raise Refusal("bad_json", f"byte {error.start} is not valid UTF-8: send JSON as UTF-8") from None
    except json.JSONDecodeError as error:
        raise Refusal("bad_json", f"not valid JSON at character {error.pos} ({error.msg}): send JSON objects") from None
    except ValueError:  # an integer with more digits than Python converts
        raise Refusal("bad_json", "a number has thousands of digits: send readings such as -40.5") from None


def read_rows(rows: Iterable[object], asset_id: str, translate_of: TranslateOf) -> Reading:
    """Read the rows of a message one by one; a Refusal when it holds none."""
    reading = Reading()
    for position, content in enumerate(rows):
        try:
            reading.rows.append(_read_row_of(content, asset_id, translate_of))
            reading.positions.append(position)
        except Refusal as refusal:
            reading.refused.append((position, refusal))
    if not reading.rows and not reading.refused:
        raise Refusal("empty_message", "the message holds no rows: send at least one")
    return reading


def read_row(content: object) -> Row:
    """Read one row by the contract; its timestamp is read later, with all others.

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
    return make_row(row.asset_id, row.timestamp, (getattr(row, column.wire_name) for column in COLUMNS))


def _read_row_of(content: object, asset_id: str, translate_of: TranslateOf) -> Row:
    row = read_row_by(content, lambda: translate_of(asset_id))
    if row.asset_id != asset_id:
        raise other_asset(row.asset_id, asset_id)
    return row


def read_row_by(content: object, translation: Callable[[], Translate | None]) -> Row:
    """Read one row by the contract or, where that refuses it, as the translation gives it; Refusal as of the last."""
    try:
        return read_row(content)
    except Refusal:
        if not isinstance(content, dict) or (translate := translation()) is None:
            raise
        return read_row(translate(content))


def _read_control(content: dict[str, Any], asset_id: str) -> AnyControl:
    try:
        control = CONTROL.validate_python(content)
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, problem['loc'])) or 'control'}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)
        ]
        raise Refusal("bad_control", f"the control record is not valid: {'; '.join(problems)}") from None
    if control.asset_id != asset_id:
        raise other_asset(control.asset_id, asset_id, "control record")
    return control


def rows_of_batch(content: Mapping[str, Any], asset_id: str) -> Iterator[dict[str, object]]:
    """Rows of a columnar batch; a batch whose columns do not fit together is refused as a whole."""
    found = content.get("asset_id")
    if found != asset_id:
        code: RejectCode = "key_mismatch" if isinstance(found, str) else "bad_row"
        raise Refusal(code, f"the batch's asset_id is {shown(found)}, but the key names {quoted(asset_id)}; {KEY_CURE}")
    stamps = content["timestamp"]
    columns: dict[str, list[object]] = {}
    for name, described in BY_WIRE_NAME.items():
        column = content.get(name)
        if column is None and not described.required:
            continue
        if not isinstance(column, list):
            kind = shown(column) if name in content else "missing"
            raise Refusal("bad_row", f"column {name} of a columnar batch must be a list, as timestamp is; it is {kind}")
        if len(column) != len(stamps):
            reason = (
                f"column {name} has {len(column)} values, timestamp has {len(stamps)}: send columns of equal length"
            )
            raise Refusal("bad_row", reason)
        columns[name] = column
    for position, stamp in enumerate(stamps):
        row = {name: column[position] for name, column in columns.items()}
        yield {"asset_id": asset_id, "timestamp": stamp, **row}


def is_columns(content: Mapping[str, object]) -> bool:
    """Whether an object's values are columns, under whatever names."""
    return any(isinstance(values, list) for values in content.values())


def rows_of_columns(content: Mapping[str, object]) -> list[dict[str, object]]:
    """Rows of columns under names that are not ours; what is no list is the same in each row.

    Raises
    ------
    Refusal
        The columns are of unequal length.
    """
    columns = {name: values for name, values in content.items() if isinstance(values, list)}
    same = {name: value for name, value in content.items() if name not in columns}
    (first, values), *others = columns.items()
    for name, other in others:
        if len(other) != len(values):
            reason = f"column {name} has {len(other)} values, {first} has {len(values)}: send columns of equal length"
            raise Refusal("bad_row", reason)
    return [{**same, **dict(zip(columns, row, strict=True))} for row in zip(*columns.values(), strict=True)]


def _explain(error: ValidationError) -> Refusal:
    problems: dict[str, Refusal] = {}
    for problem in error.errors(include_url=False):
        name = str(problem["loc"][0])
        problems.setdefault(name, _problem(name, problem["type"], problem["input"]))
    codes = {refusal.code for refusal in problems.values()}
    code = codes.pop() if len(codes) == 1 else "bad_row"
    return Refusal(code, "; ".join(refusal.reason for refusal in problems.values()), next(iter(problems)))


def _problem(name: str, kind: str, value: Any) -> Refusal:
    if kind == "missing":
        or_null = ", or null if it was not measured" if name in BY_WIRE_NAME else ""
        return Refusal("bad_row", f"{name} is missing: send it{or_null}")
    if name == "asset_id":
        return bad_asset_id(value)
    if name == "timestamp":
        return bad_timestamp(f"must be text or a number, not {shown(value)}")
    if kind in ("greater_than_equal", "less_than_equal"):
        return Refusal("out_of_range", out_of_range(name, value))
    if kind == "finite_number":
        return implausible(name, nan)
    return Refusal("bad_row", f"{name} must be a number or null, not {shown(value)}")
