"""Why a message or a row is not applied: the reasons that producers read, each with its cure."""

from __future__ import annotations

from math import isfinite
from typing import Final

from schemas.columns import BY_WIRE_NAME
from schemas.rejected import RejectCode
from stream_app.wire.decode.keys import asset_id as asset_of_key

UPLOAD_CURE: Final = "name the asset otherwise than upload- and a UUID"
KEY_CURE: Final = "the key must be the asset id of the rows (UTF-8), which keeps an asset's rows in order"
ASSET_ID_CURE: Final = "an asset id has 1 to 200 printable characters, no blank or slash, and is not . or .."
_SHOWN_CHARACTERS: Final = 40  # of a text or a key that a reason repeats


class Refusal(Exception):  # noqa: N818  # not an error of the program: a message or a row is wrong
    """A message or a row is not applied."""

    def __init__(self, code: RejectCode, reason: str, column: str | None = None) -> None:
        super().__init__(reason)
        self.code, self.reason, self.column = code, reason, column


def quoted(text: str | bytes) -> str:
    """A text or a key between quotes, cut short."""
    return repr(text) if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]!r}…"


def shown(value: object) -> str:
    """A JSON value as a reason names it: by its kind, text cut short."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return f"the text {quoted(value)}"
        case int() | float():
            return f"{value:g}" if abs(value) < 1e300 else "a number beyond 1e300"
        case list():
            return "a list"
        case _:
            return "an object"


def out_of_range(name: str, value: float) -> str:
    """Reason of a reading that is not plausible."""
    column = BY_WIRE_NAME[name]
    limits = f"{column.low:g} to {column.high:g} {column.unit}"
    return f"{name} is {value:g}, outside {limits}: check the unit, or send null if it was not measured"


def implausible(name: str, value: float) -> Refusal:
    """Refusal of a row for a reading beyond its limits, or for one that is NaN or infinite."""
    if isfinite(value):
        return Refusal("out_of_range", out_of_range(name, value), name)
    return Refusal("bad_row", f"{name} is not a finite number: send null if it was not measured", name)


def bad_timestamp(why: str) -> Refusal:
    """Refusal of a row for its timestamp; ``why`` begins with the timestamp or a verb."""
    return Refusal("bad_timestamp", f"timestamp {why}", "timestamp")


def bad_key(key: bytes | None) -> Refusal:
    """Refusal of a message whose key is not an asset id."""
    if key is None:
        return Refusal("key_mismatch", f"the message has no key; {KEY_CURE}")
    return Refusal("key_mismatch", f"the key {quoted(key)} is not an asset id ({ASSET_ID_CURE}); {KEY_CURE}")


def bad_asset_id(value: object) -> Refusal:
    """Refusal of a row whose asset id is not valid."""
    return Refusal("bad_row", f"asset_id is {shown(value)}: {ASSET_ID_CURE}", "asset_id")


def foreign_upload(asset_id: str | None) -> Refusal:
    """Refusal of a message for an upload that the service has not written."""
    return Refusal("key_mismatch", f"{asset_id} is an upload, whose rows come over HTTP alone; {UPLOAD_CURE}")


def other_asset(found: str | None, asset_id: str, thing: str = "row") -> Refusal:
    """Refusal of a row, a batch or a control record whose asset is not the one that the key names."""
    if found is None or asset_of_key(found.encode()) is None:
        return bad_asset_id(found)
    owner, named = quoted(found), quoted(asset_id)
    return Refusal("key_mismatch", f"the {thing} belongs to asset {owner}, but the key names {named}; {KEY_CURE}")
