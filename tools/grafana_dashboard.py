"""The Grafana dashboard of deploy/monitoring: ``python -m tools.grafana_dashboard`` (``make docs``) writes it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).parents[1] / "deploy" / "monitoring" / "grafana" / "stream-app.json"
#: Written in place of the label matchers that all queries share.
_OURS: Final = 'job="$job",instance=~"$instance"'
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_COLUMNS: Final = 24


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel: its queries by legend, with ``@`` for the label matchers that all share.

    ``limits`` are the values from which it is yellow and red.
    """

    title: str
    about: str
    queries: Sequence[tuple[str, str]]
    unit: str = "short"
    kind: str = "timeseries"
    limits: tuple[float, float] | None = None
    stacked: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """Panels side by side, ``height`` grid cells high."""

    title: str
    panels: Sequence[Panel]
    height: int = field(default=8)


def _quantiles(name: str, by: str = "") -> list[tuple[str, str]]:
    buckets = f"sum by (le{by}) (rate({name}_bucket{{@}}[$__rate_interval]))"
    legend = "{{path}} " if by else ""
    return [(f"{legend}p{q}", f"histogram_quantile({q / 100}, {buckets})") for q in ((95,) if by else (50, 95, 99))]


ROWS: Final = (
    Row(
        "Now",
        (
            Panel("Workers", "Workers that answer", [("", 'sum(up{job="$job"})')], kind="stat"),
            Panel(
                "Ready",
                "Share of the workers that are ready",
                [("", "avg(stream_worker_ready{@})")],
                "percentunit",
                "stat",
            ),
            Panel(
                "Without owner",
                "Partitions that no worker reads",
                [
                    (
                        "",
                        "max(stream_topic_partitions{@}) "
                        "- (count(group by (partition) (stream_consumer_lag_records{@})) or vector(0))",
                    )
                ],
                kind="stat",
                limits=(1, 1),
            ),
            Panel(
                "Behind",
                "Wait of the oldest record that is not processed, of all partitions",
                [("", "max(stream_consumer_lag_seconds{@})")],
                "s",
                "stat",
                (10, 60),
            ),
            Panel(
                "Rows", "Rows per second", [("", "sum(rate(stream_rows_total{@}[$__rate_interval]))")], "rps", "stat"
            ),
            Panel(
                "Refused",
                "Share of rows that were late or rejected in the last 5 minutes",
                [("", "stream:rows_refused:ratio5m")],
                "percentunit",
                "stat",
                (0.001, 0.01),
            ),
        ),
        height=4,
    ),
    Row(
        "Rows",
        (
            Panel(
                "Rows by result",
                "Applied, late and rejected rows",
                [("{{result}}", "sum by (result) (rate(stream_rows_total{@}[$__rate_interval]))")],
                "rps",
                stacked=True,
            ),
            Panel(
                "Dead letters by code",
                "Records written to the dead-letter topic",
                [("{{code}}", "sum by (code) (rate(stream_dead_letters_total{@}[$__rate_interval]))")],
                stacked=True,
            ),
            Panel(
                "Skipped",
                "Records that retention deleted before they were processed, since the worker's start",
                [("{{topic}}[{{partition}}]", "sum by (topic, partition) (stream_skipped_messages_total{@})")],
            ),
        ),
    ),
    Row(
        "Delay",
        (
            Panel(
                "Lag by partition",
                "Wait of the oldest record that no checkpoint includes",
                [("{{topic}}[{{partition}}]", "max by (topic, partition) (stream_consumer_lag_seconds{@})")],
                "s",
            ),
            Panel(
                "Lag in records",
                "Records that no checkpoint includes",
                [("{{topic}}[{{partition}}]", "max by (topic, partition) (stream_consumer_lag_records{@})")],
            ),
            Panel(
                "End to end",
                "From a record's Kafka timestamp until its updates are acknowledged",
                _quantiles("stream_end_to_end_seconds"),
                "s",
            ),
        ),
    ),
    Row(
        "Work",
        (
            Panel("Batches", "Time to decode and apply a fetch", _quantiles("stream_batch_seconds"), "s"),
            Panel("Checkpoints", "Time to collect and write checkpoints", _quantiles("stream_checkpoint_seconds"), "s"),
            Panel(
                "Group and failures",
                "Rebalances, checkpoints and fetches that failed, in 5 minutes",
                [
                    ("rebalances {{instance}}", "increase(stream_rebalances_total{@}[5m])"),
                    ("failed checkpoints {{instance}}", "increase(stream_checkpoint_failures_total{@}[5m])"),
                    ("failed fetches {{instance}}", "increase(stream_batch_failures_total{@}[5m])"),
                ],
            ),
        ),
    ),
    Row(
        "State",
        (
            Panel("Assets", "Assets by worker", [("{{instance}}", "sum by (instance) (stream_state_assets{@})")]),
            Panel(
                "State",
                "Stored values in memory by worker and table",
                [("{{instance}} {{table}}", "sum by (instance, table) (stream_state_bytes{@})")],
                "bytes",
            ),
            Panel(
                "Restore",
                "Records of the changelogs that are left to read back",
                [("{{instance}}", "sum by (instance) (stream_restore_remaining_records{@})")],
            ),
        ),
    ),
    Row(
        "HTTP and process",
        (
            Panel(
                "Requests by status",
                "Requests per second, without probes",
                [
                    (
                        "{{status}}",
                        'sum by (status) (rate(stream_http_requests_total{@,path!~"/health/.*"}[$__rate_interval]))',
                    )
                ],
                "reqps",
                stacked=True,
            ),
            Panel("Slow requests", "By path", _quantiles("stream_http_request_seconds", ", path"), "s"),
            Panel(
                "Processor",
                "Cores in use by worker",
                [("{{instance}}", "rate(process_cpu_seconds_total{@}[$__rate_interval])")],
            ),
            Panel("Memory", "Resident, by worker", [("{{instance}}", "process_resident_memory_bytes{@}")], "bytes"),
        ),
    ),
    Row(
        "History",
        (
            Panel(
                "Behind",
                "Age of the update that the history process read last, while there are more",
                [("metrics[{{partition}}]", "max by (partition) (stream_history_lag_seconds)")],
                "s",
            ),
            Panel(
                "Updates and rows",
                "Read from the topic; written to the database: updates of one window are put together",
                [
                    ("updates", "sum(rate(stream_history_updates_total[$__rate_interval]))"),
                    ("rows", "sum(rate(stream_history_rows_total[$__rate_interval]))"),
                ],
                "ops",
            ),
            Panel(
                "Merge and commit",
                "Time of a batch",
                [
                    (
                        "p95",
                        "histogram_quantile(0.95, "
                        "sum by (le) (rate(stream_history_batch_seconds_bucket[$__rate_interval])))",
                    )
                ],
                "s",
            ),
            Panel(
                "Waits and left out",
                "Processes that wait for Kafka or the database; updates left out in 5 minutes",
                [
                    ("waiting", "sum(1 - stream_history_up)"),
                    ("{{why}}", "sum by (why) (increase(stream_history_left_out_total[5m]))"),
                ],
            ),
        ),
    ),
)


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
