"""The Grafana dashboard of deploy/monitoring: ``python -m tools.grafana_dashboard`` (``make docs``) writes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tools.grafana_rows import ROWS, Panel

FILE: Final = Path(__file__).parents[1] / "deploy" / "monitoring" / "grafana" / "stream-app.json"
#: Written in place of the label matchers that all queries share.
_OURS: Final = 'job="$job",instance=~"$instance"'
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_COLUMNS: Final = 24


def dashboard() -> dict[str, Any]:
    """Build the dashboard."""
    return {
        "uid": "stream-app",
        "title": "stream-app",
        "description": "Rows, delay, state and HTTP of the battery telemetry workers",
        "tags": ["stream-app"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "utc",
        "annotations": {"list": []},
        "templating": {"list": _variables()},
        "panels": list(_panels()),
    }


def _variables() -> list[dict[str, Any]]:
    source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}
    job = {
        "name": "job",
        "label": "Job",
        "type": "query",
        "datasource": _SOURCE,
        "query": "label_values(stream_build_info, job)",
        "refresh": 2,
    }
    instance = {
        "name": "instance",
        "label": "Worker",
        "type": "query",
        "datasource": _SOURCE,
        "query": 'label_values(stream_build_info{job="$job"}, instance)',
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }
    return [source, job, instance]


def _panels() -> Iterator[dict[str, Any]]:
    y = 0
    for row in ROWS:
        yield {
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "panels": [],
            "gridPos": {"x": 0, "y": y, "w": _COLUMNS, "h": 1},
        }
        y += 1
        width = _COLUMNS // len(row.panels)
        for i, panel in enumerate(row.panels):
            yield _panel(panel) | {"gridPos": {"x": i * width, "y": y, "w": width, "h": row.height}}
        y += row.height


def _panel(panel: Panel) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.limits is not None:
        steps += [{"color": color, "value": at} for color, at in zip(("yellow", "red"), panel.limits, strict=True)]
    defaults: dict[str, Any] = {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps}}
    options: dict[str, Any] = {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value"}
    if panel.kind == "timeseries":
        defaults["min"] = 0
        drawn = {"lineWidth": 1, "fillOpacity": 20 if panel.stacked else 0, "showPoints": "never"}
        defaults["custom"] = drawn | {"stacking": {"mode": "normal" if panel.stacked else "none"}}
        legend = {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]}
        options = {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
    targets = [
        {"refId": chr(ord("A") + i), "datasource": _SOURCE, "expr": expr.replace("@", _OURS), "legendFormat": legend}
        for i, (legend, expr) in enumerate(panel.queries)
    ]
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "targets": targets,
    }


def render() -> str:
    """The dashboard as it is in its file."""
    return json.dumps(dashboard(), indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(render(), encoding="utf-8")
