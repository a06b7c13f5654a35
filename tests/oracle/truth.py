"""One asset's rows as the processor must see them, and every metric of any part of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tests.oracle.arrival import Arrivals
from tests.oracle.durations import gap_limit_us, give_durations
from tests.oracle.plain import plain_functions
from tests.oracle.rows import Crossing, Flow, GapFill, Loop, Nameplate, Part, Row, known
from tests.oracle.soc_levels import level_crossings
from tests.oracle.soc_loops import closed_loops, turning_points


@dataclass
class Expected:
    """An asset's rows in event-time order, with their durations, and the parts of them that windows have."""

    rows: list[Row]
    nameplate: Nameplate
    loops: list[Loop]
    crossings: list[Crossing]
    fills: list[GapFill]
    turning_points_percent: list[float]
    late: int

    @property
    def last_us(self) -> int:
        """Newest stamp."""
        return self.rows[-1].stamp_us

    def lifetime(self) -> Part:
        """All rows."""
        span_s = (self.last_us - self.rows[0].stamp_us) / 1e6
        return Part(
            self.rows, self.nameplate, span_s, self.loops, self.crossings, self.fills, self.turning_points_percent
        )

    def window(self, size_us: int, start_us: int, *, closed: bool) -> Part:
        """Rows of one window."""
        rows = [row for row in self.rows if start_us <= row.time_us < start_us + size_us]
        inside = {id(row) for row in rows}
        span_us = size_us if closed else min(self.last_us, start_us + size_us) - start_us
        loops = [loop for loop in self.loops if id(loop.row) in inside]
        crossings = [crossing for crossing in self.crossings if id(crossing.row) in inside]
        fills = [fill for fill in self.fills if id(fill.row) in inside]
        return Part(rows, self.nameplate, span_us / 1e6, loops, crossings, fills)

    def starts_us(self, size_us: int) -> list[int]:
        """Starts of the windows that have rows."""
        return sorted({row.time_us // size_us * size_us for row in self.rows})


def expected(
    rows: Sequence[Mapping[str, Any]],
    nameplate: Nameplate,
    *,
    ended: bool,
    lateness_s: float | None = 0,
    known_us: float | None = None,
    hysteresis_percent: float = 1.0,
) -> Expected:
    """Rows of one asset in arrival order, as the processor must see them after the last one.

    ``known_us`` is the stamp before which no row is taken any more, if the lateness alone does not say so.
    """
    kept: list[Row] = []
    late = 0
    arrivals = Arrivals(lateness_s, lambda: gap_limit_us(kept, nameplate, known_us=arrivals.watermark_us))
    for sent in rows:
        verdict = arrivals.take(sent)
        kept += map(Row.of, verdict.counted)
        late += len(verdict.refused)
    kept += map(Row.of, arrivals.held if ended else ())
    kept.sort(key=lambda row: row.stamp_us)
    known_us = arrivals.watermark_us if known_us is None else known_us
    for before, after in pairwise(kept):
        before.following, after.previous = after, before
    give_durations(kept, nameplate, known_us=math.inf if ended else known_us)
    for row in kept:
        row.flow = _flow(row)
    settled = [row for row in kept if row.settled]
    soc_percent = [row.soc_percent for row in settled if known(row.soc_percent)]
    crossings, fills = level_crossings(settled)
    return Expected(
        kept,
        nameplate,
        closed_loops(settled, hysteresis_percent),
        crossings,
        fills,
        turning_points(soc_percent, hysteresis_percent),
        late,
    )


def _flow(row: Row) -> Flow:
    """Direction of a step: of a row without current the power decides."""
    if not row.valid:
        return "unknown"
    flow = row.current_a if known(row.current_a) else row.power_w
    return "charge" if flow > 0 else "discharge" if flow < 0 else "none"


def plain_values(part: Part) -> dict[str, Any]:
    """Every metric of a part, by name; None where it is undefined."""
    return {name: function(part) for name, function in plain_functions().items()}
