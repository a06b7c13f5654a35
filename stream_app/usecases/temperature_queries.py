"""Look-ups of an asset by its temperature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from schemas.asset import window_size_s
from stream_app.usecases import window_keys
from stream_app.usecases.errors import InvalidError, NotFoundError
from stream_app.usecases.lookup import AssetFreshness, Lookup
from stream_app.usecases.ports import PeerAnswer
from stream_app.usecases.temperatures import TemperatureBin


@dataclass(frozen=True, slots=True)
class TemperaturesFound:
    """The windows of one size of an asset of this worker, by temperature ascending.

    ``unknown`` counts the windows without a temperature.
    """

    asset_id: str
    size: str
    bins: Sequence[TemperatureBin]
    unknown: int
    meta: AssetFreshness


class TemperatureQueries:
    """Look-ups by temperature.

    Parameters
    ----------
    lookup
        Finds where an asset lives.
    windows
        Names of the window sizes of an asset whose spec names none.
    """

    def __init__(self, lookup: Lookup, windows: Sequence[str]) -> None:
        self._lookup, self._windows = lookup, windows

    async def by_temperature(
        self, asset_id: str, size: str, *, metrics: str | None = None, hop: bool = False
    ) -> TemperaturesFound | PeerAnswer:
        """Fold the closed windows that are kept, and the open one, by their mean temperature.

        ``metrics`` is passed on to the worker that answers: which ones the answer shows.

        Raises
        ------
        InvalidError
            ``size`` is none of a window.
        NotFoundError
            There is no such asset, or it has no windows of that size.
        """
        try:
            size_s = window_size_s(size)
        except ValueError as error:
            raise InvalidError("bad_window_size", str(error), column="size") from None
        lookup = self._lookup
        path = f"assets/{quote(asset_id, safe='')}/temperatures"
        params = {"size": size} | ({} if metrics is None else {"metrics": metrics})
        found = await lookup.find(asset_id, path, params, hop=hop, with_metrics=False)
        if isinstance(found, PeerAnswer):
            return found
        sizes = found.summary.spec.windows or tuple(self._windows)
        if size_s not in map(window_size_s, sizes):
            detail = f"asset {asset_id!r} has no {size} windows, but {', '.join(sizes)}"
            raise NotFoundError("unknown_window_size", detail)
        value = lookup.tables.asset(found.partition, asset_id.encode())
        stored = lookup.tables.windows(found.partition, window_keys.size_prefix(asset_id, size_s))
        bins, unknown = ([], 0) if value is None else lookup.views.by_temperature(asset_id, value, size_s, stored)
        return TemperaturesFound(asset_id, size, bins, unknown, lookup.freshness(found))
