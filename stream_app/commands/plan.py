"""``stream-app plan``: from a fleet to a deployment, by measured figures."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from stream_app.commands.options import settings_from

if TYPE_CHECKING:
    from stream_app.commands.sizing import Plan


def plan(
    assets: Annotated[int, typer.Argument(min=1, help="Assets of the fleet")],
    *,
    rows_per_s: Annotated[float, typer.Option(min=1e-6, help="Rows a second of each asset")] = 1.0,
    rows_per_message: Annotated[int, typer.Option(min=1, help="Rows of an asset that are sent at a time")] = 1,
    emit_interval: Annotated[
        float | None, typer.Option(min=0, help="STREAM_EMIT_INTERVAL_S; without it 0, or 10 where that saves workers")
    ] = None,
    retention_days: Annotated[float, typer.Option(min=0, help="For which Kafka keeps rows and updates")] = 7.0,
    history_days: Annotated[float, typer.Option(min=0, help="For which the database keeps closed windows")] = 365.0,
    replication: Annotated[int, typer.Option(min=1, help="Copies of each topic")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON")] = False,
) -> None:
    """Size a deployment: partitions, workers, memory, Kafka, database; the windows are those of the settings."""
    from stream_app.commands.sizing import Fleet
    from stream_app.commands.sizing import plan as sized

    settings = settings_from()
    kept = tuple(settings.keep_windows.get(size, settings.keep_windows_default) for size in settings.windows)
    found = sized(
        Fleet(
            assets=assets,
            window_sizes_s=settings.window_sizes_s,
            kept=kept,
            rows_per_s=rows_per_s,
            rows_per_message=rows_per_message,
            emit_s=emit_interval,
            replication=replication,
            retention_days=retention_days,
            history_days=history_days,
            session_timeout_s=settings.kafka.session_timeout_s,
        )
    )
    if as_json:
        import orjson

        typer.echo(orjson.dumps(asdict(found), option=orjson.OPT_INDENT_2).decode())
        return
    for name, value in lines(found):
        typer.echo(f"{name:<36} {value}")
    typer.echo("\nset on each worker, and before `stream-app topics ensure`:")
    for name, value in found.settings.items():
        typer.echo(f"  {name}={value}")
    if found.limits:
        typer.echo("\nlook at first:")
        for limit in found.limits:
            typer.echo(f"  - {limit}")
    typer.echo(
        "\nEstimates from figures measured on one machine: docs/scale.md says how, and how far they were checked."
    )


def lines(found: Plan) -> list[tuple[str, str]]:
    """A plan as names and values."""
    fleet = found.fleet
    kept = f"{fleet.replication} copies"
    return [
        ("assets", f"{fleet.assets:,}"),
        ("rows", f"{found.rows_per_s:,.0f}/s"),
        ("emit interval", f"{found.emit_s:g} s"),
        ("states written", f"{found.states_per_s:,.0f}/s"),
        ("updates", f"{found.updates_per_s:,.0f}/s"),
        ("CPU", f"{found.cores:,.1f} cores"),
        ("workers", f"{found.workers:,}"),
        ("memory of each", f"{found.memory_mb / 1e3:,.1f} GB"),
        ("partitions", f"{found.partitions:,}"),
        ("written to Kafka", f"{found.kafka_mb_per_s:,.1f} MB/s"),
        (f"rows and updates, {fleet.retention_days:g} days, {kept}", f"{found.topics_gb / 1e3:,.1f} TB"),
        (f"changelogs, {kept}", f"{found.changelogs_gb:,.1f} GB"),
        (f"history, {fleet.history_days:g} days", f"{found.database_gb / 1e3:,.1f} TB"),
        ("... without the smallest size", f"{found.small_database_gb / 1e3:,.1f} TB"),
        ("a lost worker is replaced in", f"{found.failover_s:,.0f} s"),
    ]
