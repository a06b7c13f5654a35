"""What the Grafana dashboard shows: panels in rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final


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
