"""A fleet in a few numbers: each worker counts its assets, and whoever was asked adds up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from stream_app.columns.arrays import BoolArray, FloatArray, IntArray
from stream_app.usecases.fleet_index import FleetIndex
from stream_app.usecases.fleet_order import ACTIVITIES, activities
from stream_app.usecases.fleet_reading import DAY_US
from stream_app.usecases.lookup import Freshness, Lookup
from stream_app.usecases.rights import current_rights
from stream_app.wire.encode.updates import iso_times


@dataclass(frozen=True, slots=True)
class Summed:
    """A sum over assets and how many have it, as :class:`schemas.fleet.FleetSum` describes."""

    value: float | None
    unit: str
    reason: str | None
    assets: int

    def plus(self, other: Summed) -> Summed:
        """Both sums together; undefined where both are."""
        values = [each.value for each in (self, other) if each.value is not None]
        reason = None if values else self.reason if self.reason == other.reason else self.reason or other.reason
        return Summed(sum(values) if values else None, self.unit, reason, self.assets + other.assets)


@dataclass(frozen=True, slots=True)
class FleetSummary:
    """The assets of some partitions, as :class:`schemas.fleet.FleetSummary` describes."""

    assets: int
    by_state: dict[str, int]
    uploads: int
    power_w: Summed
    energy_in_today_kwh: Summed
    energy_out_today_kwh: Summed
    day_start: str
    rows: int
    rows_rejected: int
    partitions: list[int]
    behind: int
    meta: Freshness


class FleetSummaries:
    """Counts the assets of all workers.

    Parameters
    ----------
    now_us
        The clock: us since 1970 UTC.
    """

    def __init__(self, lookup: Lookup, index: FleetIndex, now_us: Callable[[], int]) -> None:
        self._lookup, self._index, self._now_us = lookup, index, now_us

    async def summary(self, *, hop: bool = False) -> FleetSummary:
        """Count the assets of all workers; with ``hop`` those of this one. Foreign assets are not counted.

        Raises
        ------
        UnavailableError
            Some partition could not be asked about, or a worker's columns are still being read.
        """
        lookup = self._lookup
        lookup.require_ready()
        await self._index.follow()
        here = self._here()
        missing = set(range(lookup.cluster.partition_count())) - set(here.partitions)
        if hop or not missing:
            return here
        found = [here]
        for answer in await lookup.ask_all("fleet/summary", {}):
            try:
                found.append(msgspec.json.decode(answer.body, type=FleetSummary))
            except msgspec.MsgspecError:
                continue  # a problem, or not a worker of this program
        missing -= {partition for each in found for partition in each.partitions}
        if missing:
            raise lookup.unanswered(missing)
        return self._together(found)

    def _today_us(self) -> int:
        return self._now_us() // DAY_US * DAY_US

    def _shown_day(self, found: Sequence[FleetSummary]) -> str:
        """The same of all workers: each weighs as many assets as it has days of."""
        (today,) = iso_times(np.array([self._today_us()]))
        weights: dict[str, int] = {}
        for each in found:
            if each.energy_in_today_kwh.value is not None:
                weights[each.day_start] = weights.get(each.day_start, 0) + each.energy_in_today_kwh.assets
        return today if today in weights or not weights else max(weights, key=lambda day: (weights[day], day))

    def _here(self) -> FleetSummary:
        index, now_us = self._index, self._now_us()
        columns, used = index.columns, slice(0, len(index.ids))
        there = columns.there[used]
        rights = current_rights()
        if rights.prefix:
            low, high = index.order.with_prefix(rights.prefix)
            there = there & (columns.rank[used] >= low) & (columns.rank[used] < high)
        slots = np.flatnonzero(there)
        doing = activities(columns, slots, now_us)
        is_asset = ~columns.is_upload[slots]
        counts = np.bincount(doing[is_asset], minlength=len(ACTIVITIES)).tolist()
        has_days = is_asset & (columns.day_us[slots] > np.iinfo(np.int64).min)
        day_us = _shown_day_us(columns.day_us[slots][has_days], self._today_us())
        # Of an asset whose open window of a day is an older one there is nothing of this day.
        is_today = columns.day_us[slots] == day_us
        partitions = sorted(self._lookup.tables.partitions())
        return FleetSummary(
            assets=int(is_asset.sum()),
            by_state={state: count for state, count in zip(ACTIVITIES, counts, strict=True) if count},
            uploads=int((~is_asset).sum()),
            power_w=_sum(columns.power_w[slots], is_asset & (doing != ACTIVITIES.index("silent")), "W", "no_power"),
            energy_in_today_kwh=_energy(columns.day_in_kwh[slots], has_days, is_today),
            energy_out_today_kwh=_energy(columns.day_out_kwh[slots], has_days, is_today),
            day_start=iso_times(np.array([day_us]))[0],
            rows=int(columns.rows[slots].sum()),
            rows_rejected=int(columns.rejected[slots].sum()),
            partitions=partitions,
            behind=index.behind,
            meta=self._lookup.freshness_of_all([self._lookup.cluster.lag(partition) for partition in partitions]),
        )

    def _together(self, found: Sequence[FleetSummary]) -> FleetSummary:
        first = found[0]
        by_state: dict[str, int] = {}
        for each in found:
            for state, count in each.by_state.items():
                by_state[state] = by_state.get(state, 0) + count
        power = first.power_w
        for each in found[1:]:
            power = power.plus(each.power_w)
        day = self._shown_day(found)
        energy_in, energy_out = _on(day, first, first.energy_in_today_kwh), _on(day, first, first.energy_out_today_kwh)
        for each in found[1:]:
            energy_in = energy_in.plus(_on(day, each, each.energy_in_today_kwh))
            energy_out = energy_out.plus(_on(day, each, each.energy_out_today_kwh))
        return FleetSummary(
            assets=sum(each.assets for each in found),
            by_state=by_state,
            uploads=sum(each.uploads for each in found),
            power_w=power,
            energy_in_today_kwh=energy_in,
            energy_out_today_kwh=energy_out,
            day_start=day,
            rows=sum(each.rows for each in found),
            rows_rejected=sum(each.rows_rejected for each in found),
            partitions=sorted({partition for each in found for partition in each.partitions}),
            behind=sum(each.behind for each in found),
            meta=self._lookup.freshness_of_all([each.meta.lag for each in found]),
        )


def _shown_day_us(days_us: IntArray, today_us: int) -> int:
    """Today if any asset has rows of it, else the day that most assets are at.

    A fleet whose rows are of another year has no today, and that day says more than 0 kWh.
    """
    if len(days_us) == 0 or (days_us == today_us).any():
        return today_us
    values, counts = np.unique(days_us, return_counts=True)
    return int(values[counts == counts.max()][-1])


def _on(day: str, of: FleetSummary, energy: Summed) -> Summed:
    """What assets of a worker have of a day: nothing if most of them are at another one."""
    return replace(energy, value=0.0) if of.day_start != day and energy.value is not None else energy


def _sum(values: FloatArray, of: BoolArray, unit: str, reason: str) -> Summed:
    known = of & ~np.isnan(values)
    count = int(known.sum())
    return Summed(float(values[known].sum()) if count else None, unit, None if count else reason, count)


def _energy(values: FloatArray, has_days: BoolArray, is_today: BoolArray) -> Summed:
    if not has_days.any():
        return Summed(None, "kWh", "no_day_window", 0)
    return _sum(np.where(is_today, values, 0.0), has_days, "kWh", "no_energy")
