"""Look-ups of an asset by its temperature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from stream_app.usecases import window_keys
from stream_app.usecases.lookup import AssetFreshness, Lookup, given
from stream_app.usecases.ports import PeerAnswer
from stream_app.usecases.temperatures import TemperatureBin
from stream_app.usecases.window_sizes import asked_size_s, require_size


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
        size_s = asked_size_s(size)
        lookup = self._lookup
        path = f"assets/{quote(asset_id, safe='')}/temperatures"
        found = await lookup.find(asset_id, path, given(size=size, metrics=metrics), hop=hop, with_metrics=False)
        if isinstance(found, PeerAnswer):
            return found
        require_size(asset_id, size, found.summary.spec.windows or self._windows)
        value = lookup.tables.asset(found.partition, asset_id.encode())
        stored = lookup.tables.windows(found.partition, window_keys.size_prefix(asset_id, size_s))
        bins, unknown = ([], 0) if value is None else lookup.views.by_temperature(asset_id, value, size_s, stored)
        return TemperaturesFound(asset_id, size, bins, unknown, lookup.freshness(found))
