"""How long each row's readings held, by the rules of docs/metrics.md, stamp by stamp."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from itertools import pairwise

from tests.oracle.rows import Nameplate, Row


def give_durations(rows: list[Row], nameplate: Nameplate, *, known_us: float) -> None:  # noqa: PLR0912  # one per rule
    """Set ``dt_s``, ``valid``, ``gap_s``, ``settled`` and the spread ``time_us`` of each row.

    Before a stamp after ``known_us`` other rows may still come; infinite: none will come.
    """
    groups: list[list[Row]] = []
    for row in rows:
        if groups and groups[-1][0].stamp_us == row.stamp_us:
            groups[-1].append(row)
        else:
            groups.append([row])
    spans = [(b[0].stamp_us - a[0].stamp_us) / 1e6 for a, b in pairwise(groups)]
    steps = [span / len(group) for span, group in zip(spans, groups, strict=False)]
    ended = known_us == math.inf
    known = sum(group[0].stamp_us <= known_us for group in groups[1:])  # groups whose next stamp is certain
    opening = len(groups[0]) > 1 and nameplate.period_s is None
    if opening and known >= 2:
        steps[0] = min(steps[0], steps[1])
    elif opening and not ended:
        known = 0
    measured: float | None = None
    for i, group in enumerate(groups):
        period = nameplate.period_s if nameplate.period_s is not None else measured
        limit = step_limit_s(period, steps[max(0, i - 15) : i], nameplate)
        n = len(group)
        if i >= known:
            if not ended:
                for row in group:
                    row.settled = False
            elif period:
                for rank, row in enumerate(group[:-1]):
                    row.dt_s, row.valid = period, True
                    row.time_us = row.stamp_us + int(rank * (period * 1e6))
                group[-1].time_us += int((n - 1) * (period * 1e6))
            continue
        lead = 0.0
        if steps[i] > limit:
            hold = min(period or 0.0, spans[i] / n) if n > 1 else 0.0
            group[-1].gap_s = spans[i] - hold * (n - 1)
            held = group[:-1] if hold > 0 else []
        else:
            hold, held = steps[i], group
            lead = spans[i] - hold * n if i == 0 and opening and known >= 2 else 0.0
        for row in held:
            row.dt_s, row.valid = hold, True
        for rank, row in enumerate(group):
            row.time_us = row.stamp_us + int(rank * (hold * 1e6)) + int(lead * 1e6)
        measured = statistics.median(steps[max(0, i - 14) : i + 1])


def step_limit_s(period_s: float | None, before_s: Sequence[float], nameplate: Nameplate) -> float:
    """Longest step that is no gap after up to 15 others: a minute or two, at a pace of seconds, if all were regular."""
    limit = gap_limit_s(period_s, nameplate)
    if period_s and nameplate.max_gap_s is None and not nameplate.on_change and len(before_s) == 15:
        regular = max(before_s) <= 10 * period_s
        limit = min(limit, 60 * period_s) if regular else limit
    return limit


def gap_limit_s(period_s: float | None, nameplate: Nameplate) -> float:
    """Longest step that is no gap, by the nominal period."""
    if nameplate.max_gap_s is not None:
        return nameplate.max_gap_s
    return 3600.0 if period_s is None else max(10 * period_s, 3600 if nameplate.on_change else 900)


def gap_limit_us(rows: list[Row], nameplate: Nameplate, *, known_us: float) -> float:
    """Longest step that is no gap, as of the rows whose next stamp is certain."""
    period = nameplate.period_s
    if period is None:
        stamps_us = sorted({row.stamp_us for row in rows})
        count = [sum(row.stamp_us == stamp_us for row in rows) for stamp_us in stamps_us]
        steps = [(b - a) / 1e6 / n for a, b, n in zip(stamps_us, stamps_us[1:], count, strict=False) if b <= known_us]
        if count[0] > 1:
            steps = [min(steps[:2]), *steps[1:]] if len(steps) > 1 else []
        period = statistics.median(steps[-15:]) if steps else None
    return 1e6 * gap_limit_s(period, nameplate)
