"""Updates of the metrics topic, read: first which window one is about, and only if it is kept what it says.

A second's updates repeat the same windows, so most of them are never read further than to their ``seq``.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from schemas.asset import ASSET_ID_MAX_LENGTH, ASSET_ID_PATTERN

Value = float | list[float] | None

#: The beginning of each update as the worker writes it; another order of its members is read in the slower way.
_HEAD: Final = re.compile(
    rb'\{"asset_id":"([^"\\]+)",(?:"partition":([0-9]+),)?"window":\{"size":"(\w+)","start":"([^"]+)","end":[^}]+\},'
    rb'"seq":([0-9]+),"final":(true|false),'
)
_ASSET_ID: Final = re.compile(ASSET_ID_PATTERN)
_SIZE: Final = re.compile(r"lifetime|[1-9][0-9]{0,5}[smhd]")
#: Names of metrics are names of columns, so nothing else may pass.
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_MAX_SEQ: Final = (1 << 63) - 1
#: No row has a stamp beyond these, and each month is a table.
_FIRST_YEAR, _END_YEAR = 1989, 2201
#: Texts that are checked once: a second's updates repeat assets and windows.
_REMEMBERED: Final = 50_000


class UnreadableUpdateError(ValueError):
    """A record is not an update; the message says why."""


class UpdateHead(NamedTuple):
    """Which asset and window an update is about, and which state of it: of two the higher ``seq`` is newer."""

    asset_id: str
    size: str
    start: datetime
    partition: int | None  # of the measurements topic; early releases did not tell it
    seq: int
    final: bool


class UpdateValues(NamedTuple):
    """Metrics of an update, by position: a null's reason is None where the update's form has none."""

    names: tuple[str, ...]
    values: list[Value]
    reasons: tuple[str | None, ...]


class _Window(msgspec.Struct):
    size: str
    start: str


class _Head(msgspec.Struct):
    asset_id: str
    window: _Window
    seq: int
    final: bool
    partition: int | None = None


class _Metric(msgspec.Struct, gc=False):
    value: float | list[float] | None
    reason: str | None = None


class _Content(msgspec.Struct, gc=False):
    metrics: dict[str, _Metric] | None = None
    values: dict[str, float] | None = None


_heads: Final = msgspec.json.Decoder(_Head)
_contents: Final = msgspec.json.Decoder(_Content)


def head(update: bytes) -> UpdateHead:
    """Read which window an update is about.

    Raises
    ------
    UnreadableUpdateError
        It is not an update.
    """
    found = _HEAD.match(update)
    try:
        if found is not None:
            asset_id, place, size, start, seq, final = found.groups()
            partition = None if place is None else int(place)
            read = _checked(asset_id.decode(), size.decode(), start.decode(), partition, int(seq), final == b"true")
        else:
            read = _slowly(update)
    except (msgspec.MsgspecError, ValueError) as error:
        raise UnreadableUpdateError(str(error)) from None
    return read


def _slowly(update: bytes) -> UpdateHead:
    one = _heads.decode(update)
    return _checked(one.asset_id, one.window.size, one.window.start, one.partition, one.seq, one.final)


def _checked(asset_id: str, size: str, start: str, partition: int | None, seq: int, final: bool) -> UpdateHead:
    if not 0 <= seq <= _MAX_SEQ:
        msg = f"seq {seq} is not an offset"
        raise UnreadableUpdateError(msg)
    return UpdateHead(_asset_id(asset_id), _size(size), _begin(start), partition, seq, final)


@lru_cache(maxsize=_REMEMBERED)
def _asset_id(text: str) -> str:
    if len(text) > ASSET_ID_MAX_LENGTH or _ASSET_ID.fullmatch(text) is None:
        msg = f"asset_id {text[:100]!r} is not an asset's id"
        raise UnreadableUpdateError(msg)
    return text


@lru_cache(maxsize=_REMEMBERED)
def _size(text: str) -> str:
    if _SIZE.fullmatch(text) is None:
        msg = f"{text[:100]!r} is not a window size"
        raise UnreadableUpdateError(msg)
    return text


@lru_cache(maxsize=_REMEMBERED)
def _begin(text: str) -> datetime:
    begin = datetime.fromisoformat(text)
    if begin.tzinfo is None:
        msg = f"the window's start {text!r} has no offset from UTC"
        raise UnreadableUpdateError(msg)
    if not _FIRST_YEAR <= begin.year < _END_YEAR:
        msg = f"the window's start {text!r} is not from {_FIRST_YEAR} to {_END_YEAR - 1}"
        raise UnreadableUpdateError(msg)
    return begin


def content(update: bytes) -> UpdateValues:
    """Read what an update says: the nested form if it has that, for the reasons, else the flat one.

    Raises
    ------
    UnreadableUpdateError
        It says nothing that can be read.
    """
    try:
        read = _contents.decode(update)
    except msgspec.MsgspecError as error:
        raise UnreadableUpdateError(str(error)) from None
    if read.metrics is not None:
        metrics = read.metrics.values()
        found = UpdateValues(tuple(read.metrics), [m.value for m in metrics], tuple([m.reason for m in metrics]))
    elif read.values is not None:
        found = _nested(read.values)
    else:
        msg = "it has neither metrics nor values"
        raise UnreadableUpdateError(msg)
    return found


def require_names(names: tuple[str, ...]) -> None:
    """Raise UnreadableUpdateError unless each name can be a metric's."""
    for name in names:
        if _NAME.fullmatch(name) is None:
            msg = f"{name[:100]!r} is not a metric's name"
            raise UnreadableUpdateError(msg)


def _nested(flat: dict[str, float]) -> UpdateValues:
    """Put the numbers of lists, ``name.0``, ``name.1`` and so on, together again."""
    values: dict[str, Value] = {}
    for key, number in flat.items():
        name, dot, place = key.partition(".")
        if not dot:
            values[name] = number
            continue
        numbers = values.setdefault(name, [])
        if not isinstance(numbers, list) or place != str(len(numbers)):
            msg = f"{key[:100]!r} does not follow the number before it"
            raise UnreadableUpdateError(msg)
        numbers.append(number)
    return UpdateValues(tuple(values), list(values.values()), (None,) * len(values))
