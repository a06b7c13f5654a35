"""The report: headline figures, plots, warranty, sensors, spec and every metric."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from schemas.asset import UNLIMITED_AHEAD_S, AssetSpec, window_size_s
from schemas.lookup import AssetAnswer
from schemas.metrics import MetricsUpdate, MetricValue
from stream_app import __version__
from stream_app.infra.report import drawings
from stream_app.infra.report.drawings import Point
from stream_app.infra.report.quantities import fixed, label, quantity, why_null, words, written

_HEADLINES: Final = (
    "rte_level",
    "soh_capacity",
    "capacity_est",
    "energy_in_kwh",
    "energy_out_kwh",
    "equivalent_full_cycles",
    "loss_kwh",
    "r_step",
    "coverage",
)
_BUDGETS: Final = ("warranty_cycles_used_percent", "warranty_energy_used_percent")
_WELL_COVERED: Final = 0.98
#: Endings of a spec's names, and the units that they stand for.
_UNITS: Final = {"ah": "Ah", "kwh": "kWh", "s": "s", "percent": "%", "c": "°C", "a": "A"}

_templates = Environment(
    loader=PackageLoader("stream_app.infra.report"),
    autoescape=select_autoescape(),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

Metrics = Mapping[str, MetricValue]


@dataclass(frozen=True, slots=True)
class Subject:
    """What a report is about.

    Parameters
    ----------
    name
        Asset, or file.
    lifetime
        Update over all rows; None before the first one.
    windows
        Updates of windows, of any sizes.
    rows, rows_rejected
        Rows that count, and rows left out.
    """

    name: str
    spec: AssetSpec
    lifetime: MetricsUpdate | None
    windows: Sequence[MetricsUpdate]
    rows: int
    rows_rejected: int
    first_time: str | None
    last_time: str | None


def subject_of(answer: AssetAnswer, windows: Sequence[MetricsUpdate]) -> Subject:
    """Return what a report of an asset is about, by a worker's answers."""
    refused = answer.rows_rejected if answer.rejected is None else answer.rejected.rows
    return Subject(
        answer.asset_id,
        answer.spec,
        answer.lifetime,
        windows,
        answer.rows,
        refused,
        answer.first_time,
        answer.last_time,
    )


def style() -> str:
    """The sheet that stands in each report."""
    return (files("stream_app.infra.report") / "templates" / "report.css").read_text("utf-8")


def style_policy() -> str:
    """Content security policy under which a report is shown: its own style and nothing else."""
    digest = base64.b64encode(hashlib.sha256(style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'; base-uri 'none'"


def report(subject: Subject, made: datetime) -> str:
    """Return the page; ``made`` is when."""
    metrics: Metrics = {} if subject.lifetime is None else subject.lifetime.metrics
    return _templates.get_template("report.html").render(
        subject=subject,
        made=made.strftime("%Y-%m-%d %H:%M %Z"),
        version=__version__,
        style=Markup(style()),  # noqa: S704  # our own file
        headlines=[_headline(name, metrics.get(name)) for name in _HEADLINES],
        plots=_plots(subject),
        budgets=[_budget(name, metrics.get(name)) for name in _BUDGETS],
        days_left=written("warranty_days_left", metrics.get("warranty_days_left")),
        findings=_findings(subject, metrics),
        spec=list(_spec(subject.spec)),
        metrics=[(label(name), name, written(name, metric)) for name, metric in metrics.items()],
    )


def _spec(spec: AssetSpec) -> Iterator[tuple[str, str]]:
    """What the spec says in words, but for what a file's own time makes meaningless."""
    for name, value in spec.model_dump(exclude_none=True).items():
        if name == "max_ahead_s" and value >= UNLIMITED_AHEAD_S:
            continue
        stem, _, ending = name.rpartition("_")
        if ending in _UNITS and isinstance(value, float | int):
            what, is_rate = stem.removesuffix("_per"), stem.endswith("_per")
            yield what.replace("_", " "), f"{value:.12g} {'per ' * is_rate}{_UNITS[ending]}"
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            yield name.replace("_", " "), shown


def _headline(name: str, metric: MetricValue | None) -> dict[str, Any]:
    if metric is None or not isinstance(metric.value, float | int):
        why = why_null(None if metric is None else metric.reason)
        return {"label": label(name), "shown": None, "why": why}
    return {"label": label(name), "shown": quantity(float(metric.value), metric.unit, metric.sigma, name), "why": ""}


def _plots(subject: Subject) -> list[tuple[str, Markup | None, str]]:
    """Title, drawing, and what is said where there is none."""
    sizes = sorted({update.window.size for update in subject.windows}, key=window_size_s)
    if not sizes or subject.lifetime is None:
        return []
    # The finest size that one line can show, and the coarsest for what needs many trips.
    fine = next((size for size in sizes if _count(subject, size) <= 2000), sizes[-1])
    hours = _of_size(subject, fine)
    days = _of_size(subject, sizes[-1])
    life = subject.lifetime.metrics
    soc = [_point(u, "soc_mean_percent", "soc_min_percent", "soc_max_percent") for u in hours]
    power = [_point(u, "power_mean_w") for u in hours]
    return [
        ("State of charge", drawings.line(soc, "State of charge over time", _percent, limits=(0, 100)), "few windows"),
        ("Power, above zero charging", drawings.line(power, "Power over time", _watts, colour="charge"), "few windows"),
        (
            f"Round-trip efficiency per {sizes[-1]}, ± 1 sigma",
            drawings.line([_efficiency(u) for u in days], "Efficiency over time", _percent, dots=True),
            f"n/a because {_why(days, 'rte_level')}",
        ),
        (
            f"State of health per {sizes[-1]}, ± 1 sigma",
            drawings.line([_with_sigma(u, "soh_capacity") for u in days], "Health", _percent, colour="good", dots=True),
            f"n/a because {_why(days, 'soh_capacity')}",
        ),
        (
            "Cycles by depth of discharge",
            _bars(life.get("rainflow_cycles"), [str(5 * i) for i in range(20)], "Depth of discharge from, %"),
            _unavailable(life, "rainflow_cycles"),
        ),
        (
            "Time by state of charge",
            _bars(life.get("soc_dwell_s"), [str(10 * i) for i in range(10)], "State of charge from, %"),
            _unavailable(life, "soc_dwell_s"),
        ),
        (
            "Time by temperature",
            _bars(life.get("temperature_dwell_s"), [str(-30 + 5 * i) for i in range(20)], "Temperature from, °C"),
            _unavailable(life, "temperature_dwell_s"),
        ),
    ]


def _count(subject: Subject, size: str) -> int:
    return sum(update.window.size == size for update in subject.windows)


def _of_size(subject: Subject, size: str) -> list[MetricsUpdate]:
    chosen = [update for update in subject.windows if update.window.size == size]
    return sorted(chosen, key=lambda update: update.window.start)


def _number(update: MetricsUpdate, name: str | None) -> float | None:
    metric = update.metrics.get(name or "")
    return float(metric.value) if metric is not None and isinstance(metric.value, float | int) else None


def _at(update: MetricsUpdate) -> float:
    return datetime.fromisoformat(update.window.start).timestamp()


def _point(update: MetricsUpdate, name: str, low: str | None = None, high: str | None = None) -> Point:
    return Point(_at(update), _number(update, name), _number(update, low), _number(update, high))


def _with_sigma(update: MetricsUpdate, name: str, scale: float = 1.0) -> Point:
    value, metric = _number(update, name), update.metrics.get(name)
    sigma = None if metric is None else metric.sigma
    if value is None or sigma is None:
        return Point(_at(update), None if value is None else scale * value)
    return Point(_at(update), scale * value, scale * (value - sigma), scale * (value + sigma))


def _efficiency(update: MetricsUpdate) -> Point:
    """By trips, or by slope where a window has too few."""
    name = "rte_level" if _number(update, "rte_level") is not None else "rte_slope"
    return _with_sigma(update, name, 100.0)


def _bars(metric: MetricValue | None, names: Sequence[str], axis: str) -> Markup | None:
    if metric is None or not isinstance(metric.value, list):
        return None
    return drawings.columns(metric.value, names, axis, axis)


def _unavailable(life: Metrics, name: str) -> str:
    metric = life.get(name)
    return f"n/a because {why_null(metric.reason if metric is not None and metric.reason else 'no_readings')}"


def _why(updates: Sequence[MetricsUpdate], name: str) -> str:
    reasons = [u.metrics[name].reason for u in updates if name in u.metrics and u.metrics[name].reason]
    return why_null(reasons[-1]) if reasons else "there are fewer than two windows"


def _percent(value: float) -> str:
    return f"{value:.10g} %"


def _watts(value: float) -> str:
    return str(quantity(value, "W"))


def _budget(name: str, metric: MetricValue | None) -> tuple[str, str, Markup | None]:
    said = written(name, metric)
    if metric is None or not isinstance(metric.value, float | int):
        return label(name), said, None
    return label(name), said, drawings.budget(float(metric.value) / 100, f"{label(name)}: {said}")


def _findings(subject: Subject, metrics: Metrics) -> list[tuple[str, str]]:
    """What the data say of the sensors: kind and sentence."""
    warnings: Mapping[str, str] = words()["warnings"]
    reasons = dict.fromkeys(metric.reason for metric in metrics.values() if metric.reason)
    found = [("wrong", warnings[reason]) for reason in reasons if reason in warnings]
    if subject.rows_rejected:
        found.append(("look", f"{subject.rows_rejected:,} rows were left out, {subject.rows:,} count."))
    coverage, gaps = metrics.get("coverage"), metrics.get("gap_count")
    if coverage is not None and isinstance(coverage.value, float):
        share = written("coverage", coverage)
        if coverage.value < _WELL_COVERED and gaps is not None:
            found.append(("look", f"Only {share} of the time is covered by data: {written('gap_count', gaps)} gaps."))
        else:
            found.append(("fine", f"{share} of the time is covered by data."))
    frozen = metrics.get("frozen_s")
    if frozen is not None and isinstance(frozen.value, float) and frozen.value > 0:
        found.append(("look", f"Current and voltage stood still under load for {written('frozen_s', frozen)}."))
    follows = metrics.get("voltage_current_correlation")
    if follows is not None and isinstance(follows.value, float):
        found.append(("fine", f"The voltage follows the current (correlation {fixed(follows.value, 3)})."))
    return found
