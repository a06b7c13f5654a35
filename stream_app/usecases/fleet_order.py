"""Which assets a page of a fleet's list has: what is looked for, in which order, and after which one."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Final, Literal, get_args

import msgspec
import numpy as np

from stream_app.columns.arrays import BoolArray, FloatArray, IntArray
from stream_app.domain.lines import NEVER
from stream_app.usecases.errors import InvalidError
from stream_app.usecases.fleet_columns import Columns
from stream_app.usecases.fleet_index import FleetIndex
from stream_app.usecases.fleet_reading import CHARGING, DISCHARGING, IDLE, UNKNOWN

#: What an asset does now.
Activity = Literal["charging", "discharging", "idle", "silent", "unknown", "upload"]
Order = Literal["asc", "desc"]

#: What a list is ordered by beside every metric that is one number.
SORTS: Final = ("asset", "rows", "last_time", "received_time", "soc_percent", "power_w")
_DOING: Final[dict[int, Activity]] = {
    UNKNOWN: "unknown",
    DISCHARGING: "discharging",
    IDLE: "idle",
    CHARGING: "charging",
}
ACTIVITIES: Final[tuple[Activity, ...]] = get_args(Activity)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is to show.

    Parameters
    ----------
    prefix, search
        What ids begin with, and have in them in upper or lower case.
    state
        Only assets that do this; None: any.
    uploads
        Whether uploads are among them.
    sort, order
        By what; undefined values come last in either order.
    cursor
        Of the page before; "": the first page.
    metrics
        Metrics that each item shows.
    """

    prefix: str = ""
    search: str = ""
    state: Activity | None = None
    uploads: bool = True
    sort: str = "asset"
    order: Order = "asc"
    cursor: str = ""
    limit: int = 100
    metrics: tuple[str, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether ids alone decide, in ascending order: the tables tell them without the columns."""
        by_id = self.sort == "asset" and self.order == "asc"
        return by_id and not self.search and self.state is None and self.uploads

    def params(self) -> dict[str, str]:
        """The same as a query of another worker; what is as usual is left out, since older ones do not know it."""
        given = {"prefix": self.prefix, "cursor": self.cursor, "limit": str(self.limit)}
        given |= {"q": self.search} if self.search else {}
        given |= {"state": self.state} if self.state else {}
        given |= {} if self.uploads else {"uploads": "false"}
        given |= {"sort": self.sort} if self.sort != "asset" else {}
        given |= {"order": self.order} if self.order != "asc" else {}
        return given | ({"metrics": ",".join(self.metrics)} if self.metrics else {})


class _Place(msgspec.Struct, array_like=True):
    """Where a page ends: how it was ordered, the value there and the asset."""

    sort: str
    order: str
    value: float | None
    asset_id: str


def written_cursor(wanted: Wanted, value: float | None, asset_id: str) -> str:
    """Cursor of the page after an asset; in the order of ids it is the id."""
    if wanted.sort == "asset" and wanted.order == "asc":
        return asset_id
    place = msgspec.json.encode(_Place(wanted.sort, wanted.order, value, asset_id))
    return base64.urlsafe_b64encode(place).decode().rstrip("=")


def read_cursor(wanted: Wanted) -> tuple[float | None, str]:
    """Value and id after which the page begins. InvalidError: it is none of a page in this order."""
    text = wanted.cursor
    try:
        place = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=_Place)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        place = None
    if place is None or (place.sort, place.order) != (wanted.sort, wanted.order):
        detail = "the cursor is none of a page in this order: use next_cursor of the page before"
        raise InvalidError("bad_cursor", detail, column="cursor")
    return place.value, place.asset_id


def activities(columns: Columns, slots: IntArray | slice, now_us: int) -> IntArray:
    """What assets do now, as places in the activities' names, ``(k,)``."""
    doing = np.array([ACTIVITIES.index(_DOING[each]) for each in sorted(_DOING)])[columns.doing[slots]]
    silent = is_silent(columns.received_us[slots], columns.last_us[slots], columns.silent_after_s[slots] * 1e6, now_us)
    doing = np.where(silent, ACTIVITIES.index("silent"), doing)
    return np.where(columns.is_upload[slots], ACTIVITIES.index("upload"), doing)


def is_silent(received_us: IntArray, last_us: IntArray, after_us: FloatArray, now_us: int) -> BoolArray:
    """Whether nothing has come for longer than an asset's steps take.

    When the last row came is known since the worker has the partition; before that its stamp tells.
    """
    newest_us = np.maximum(received_us, np.minimum(last_us, now_us))
    silent: BoolArray = (newest_us == NEVER) | (now_us - newest_us.astype(float) > after_us)
    return silent


def chosen(index: FleetIndex, wanted: Wanted, now_us: int) -> tuple[IntArray, list[float | None], bool]:
    """Slots of a page in its order, the values that decide, and whether there is another page.

    Raises
    ------
    InvalidError
        The cursor is none of a page in this order.
    """
    columns, ids = index.columns, index.ids
    used = slice(0, len(ids))
    there = columns.there[used]
    if wanted.state is not None:
        there = there & (activities(columns, used, now_us) == ACTIVITIES.index(wanted.state))
    if not wanted.uploads:
        there = there & ~columns.is_upload[used]
    if wanted.prefix:
        low, high = index.order.with_prefix(wanted.prefix)
        there = there & (columns.rank[used] >= low) & (columns.rank[used] < high)
    if wanted.search:
        there = there & index.holds(wanted.search)
    rank, value = columns.rank[used], _values(index, wanted, used)
    if wanted.order == "desc":
        if wanted.sort == "asset":
            rank = -rank
        value = -value
    value = np.where(np.isnan(value), np.inf, value)
    if wanted.cursor:
        there = there & _after(index, wanted, rank, value)
    slots = np.flatnonzero(there)
    page = slots[_smallest(value[slots], rank[slots], wanted.limit)]
    sign = -1.0 if wanted.order == "desc" else 1.0
    deciding = [None if np.isinf(each) else sign * each for each in value[page].tolist()]
    return page, deciding, len(slots) > wanted.limit


def _values(index: FleetIndex, wanted: Wanted, used: slice) -> FloatArray:
    columns, sort = index.columns, wanted.sort
    if sort == "asset":
        return np.zeros(used.stop)
    if sort in index.metric_at:
        return columns.metrics[used, index.metric_at[sort]].astype(float)
    if sort in ("last_time", "received_time"):
        stamps_us = (columns.last_us if sort == "last_time" else columns.received_us)[used]
        return np.where(stamps_us == NEVER, np.nan, stamps_us.astype(float))
    values: FloatArray = getattr(columns, sort)[used].astype(float)
    return values


def _after(index: FleetIndex, wanted: Wanted, rank: IntArray, value: FloatArray) -> BoolArray:
    """Assets after the cursor's."""
    if wanted.sort == "asset" and wanted.order == "asc":
        at, asset_id = 0.0, wanted.cursor
    else:
        number, asset_id = read_cursor(wanted)
        at = np.inf if number is None else -number if wanted.order == "desc" else number
    follows = rank >= index.order.after(asset_id)
    if wanted.sort == "asset" and wanted.order == "desc":
        follows = -rank < index.order.before(asset_id)
        at = 0.0
    after: BoolArray = (value > at) | ((value == at) & follows)
    return after


def _smallest(value: FloatArray, rank: IntArray, count: int) -> IntArray:
    """Positions of the ``count`` smallest by value and then by rank, in this order."""
    at = np.arange(len(value))
    if len(value) > count:
        limit = np.partition(value, count - 1)[count - 1]
        below, ties = np.flatnonzero(value < limit), np.flatnonzero(value == limit)
        left = count - len(below)
        at = np.append(below, ties[np.argpartition(rank[ties], left - 1)[:left]])
    return at[np.lexsort((rank[at], value[at]))]
