"""``stream-app topics``: create the topics that are missing, say what is wrong with the others."""

from __future__ import annotations

import asyncio

import typer

from stream_app.commands.options import Broker, settings_from

app = typer.Typer(no_args_is_help=True, help="Create and check the topics.")


@app.command()
def ensure(broker: Broker = None) -> None:
    """Create the topics that are missing; those that exist are left as they are."""
    from stream_app.infra.kafka.log import topics

    settings = settings_from(kafka={"bootstrap_servers": broker})
    created = asyncio.run(topics.ensure(settings.kafka))
    for line in created or ["all topics are there"]:
        typer.echo(line)


@app.command()
def check(broker: Broker = None) -> None:
    """Say what is wrong with the topics, and the cure of each; exit code 1 if anything is."""
    from stream_app.infra.kafka.log import topics

    settings = settings_from(kafka={"bootstrap_servers": broker})
    unread: list[str] = []
    problems = asyncio.run(topics.check(settings.kafka, unread.append))
    for line in [*unread, *problems]:
        typer.echo(line, err=True)
    if problems:
        raise typer.Exit(1)
    typer.echo("all topics are there" if unread else "all topics are as they must be")
