"""Plots as SVG text: lines over time with a band, bars, and bars of a budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Final

from markupsafe import Markup

_WIDTH: Final = 720
_HEIGHT: Final = 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 10, 10, 26
_DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Point:
    """A value at a time [s since 1970], with its range; None where it is not there."""

    at_s: float
    value: float | None
    low: float | None = None
    high: float | None = None


def line(
    points: Sequence[Point],
    alt: str,
    tick: Callable[[float], str],
    *,
    colour: str = "accent",
    limits: tuple[float, float] | None = None,
    dots: bool = False,
) -> Markup | None:
    """Draw values over time; None: there are fewer than two.

    Parameters
    ----------
    tick
        Writes a value at the axis.
    limits
        Of the axis; None: by the values.
    """
    known = [point for point in points if point.value is not None]
    if len(known) < 2:
        return None
    low, high = limits or _limits(known)
    first, last = points[0].at_s, points[-1].at_s

    def x(at_s: float) -> float:
        return _LEFT + (at_s - first) / ((last - first) or 1) * (_WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return _TOP + (high - value) / ((high - low) or 1) * (_HEIGHT - _TOP - _BOTTOM)

    parts = []
    for value in _ticks(low, high):
        at = y(value)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{escape(tick(value))}</text>')
    for at_s in _times(first, last):
        name = datetime.fromtimestamp(at_s, UTC).strftime("%m-%d" if last - first > 2 * _DAY_S else "%m-%d %H:%M")
        parts.append(f'<text x="{x(at_s):.1f}" y="{_HEIGHT - 8}" text-anchor="middle">{name}</text>')
    for run in _runs(points):
        banded = [p for p in run if p.low is not None and p.high is not None]
        if len(banded) > 1:
            upper = [f"{x(p.at_s):.1f},{y(p.high or 0):.1f}" for p in banded]
            lower = [f"{x(p.at_s):.1f},{y(p.low or 0):.1f}" for p in reversed(banded)]
            parts.append(f'<polygon class="band {colour}" points="{" ".join([*upper, *lower])}"/>')
        path = " ".join(f"{x(p.at_s):.1f},{y(p.value or 0):.1f}" for p in run)
        parts.append(f'<polyline class="line {colour}" points="{path}"/>')
        if dots:
            parts += [
                f'<circle class="dot {colour}" cx="{x(p.at_s):.1f}" cy="{y(p.value or 0):.1f}" r="3"/>' for p in run
            ]
    return _svg(parts, alt)


def columns(values: Sequence[float], labels: Sequence[str], alt: str, axis: str) -> Markup | None:
    """Draw bars; None: all are zero."""
    most = max(values, default=0.0)
    if most <= 0:
        return None
    step = (_WIDTH - 20) / len(values)
    floor = _HEIGHT - 40
    parts = [f'<line class="axis" x1="10" x2="{_WIDTH - 10}" y1="{floor}" y2="{floor}"/>']
    for i, (value, name) in enumerate(zip(values, labels, strict=True)):
        size = (floor - _TOP) * value / most
        left = 10 + i * step
        if value > 0:
            parts.append(
                f'<rect class="fill accent" x="{left + step * 0.1:.1f}" y="{floor - size:.1f}" '
                f'width="{step * 0.8:.1f}" height="{max(size, 1):.1f}"/>'
            )
        parts.append(f'<text x="{left + step / 2:.1f}" y="{floor + 15}" text-anchor="middle">{escape(name)}</text>')
    parts.append(f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(axis)}</text>')
    return _svg(parts, alt)


def budget(share: float, alt: str) -> Markup:
    """Draw how much of a budget is used."""
    used = 100 * min(1.0, max(0.0, share))
    return Markup(  # noqa: S704  # numbers, and text that is escaped
        f'<svg class="budget" viewBox="0 0 100 4" preserveAspectRatio="none" role="img" aria-label="{escape(alt)}">'
        f'<rect class="rest" width="100" height="4"/><rect class="fill accent" width="{used:.2f}" height="4"/></svg>'
    )


def _svg(parts: Sequence[str], alt: str) -> Markup:
    head = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(alt)}">'
    return Markup(head + "".join(parts) + "</svg>")  # noqa: S704  # numbers, and text that is escaped


def _runs(points: Sequence[Point]) -> list[list[Point]]:
    """Points in a row that have a value."""
    runs: list[list[Point]] = [[]]
    for point in points:
        if point.value is None:
            runs.append([])
        else:
            runs[-1].append(point)
    return [run for run in runs if run]


def _limits(points: Sequence[Point]) -> tuple[float, float]:
    values = [value for p in points for value in (p.value, p.low, p.high) if value is not None]
    low, high = min(values), max(values)
    margin = 0.08 * (high - low) or abs(high) * 0.05 or 1.0
    return low - margin, high + margin


def _ticks(low: float, high: float) -> list[float]:
    rough = (high - low) / 4
    power = 10 ** math.floor(math.log10(rough)) if rough > 0 else 1.0
    step = next((power * f for f in (1, 2, 5, 10) if power * f >= rough), power * 10)
    first = math.ceil(low / step)
    return [round(i * step, 10) for i in range(first, math.floor(high / step) + 1)]


def _times(first: float, last: float) -> list[float]:
    span = last - first
    steps = (3600.0, 3 * 3600.0, 6 * 3600.0, 12 * 3600.0, *(_DAY_S * n for n in (1, 2, 5, 10, 30, 90, 365)))
    step = next((each for each in steps if span / each <= 8), steps[-1])
    start = math.ceil(first / step) * step
    return [start + i * step for i in range(int((last - start) // step) + 1)]
