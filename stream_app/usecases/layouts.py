"""Layouts of stored states, as the partitions' markers list them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from stream_app.domain.snapshot import Marker
from stream_app.domain.stored_layout import SectionNames
from stream_app.usecases.ports import MARKER_KEY, Tables


class StoredLayouts(Mapping[str, SectionNames]):
    """Reads the markers anew each time: only states that another version wrote need it, and those are rare."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def _all(self) -> dict[str, SectionNames]:
        layouts: dict[str, SectionNames] = {}
        for partition in self._tables.partitions():
            marker = self._tables.asset(partition, MARKER_KEY)
            if marker is not None:
                layouts |= Marker.load(marker).layouts
        return layouts

    def __getitem__(self, layout: str) -> SectionNames:
        return self._all()[layout]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())
