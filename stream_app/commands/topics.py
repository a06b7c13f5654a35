"""``stream-app topics``: create what is missing, tell what is wrong."""

from __future__ import annotations

import asyncio

import typer

from stream_app.commands.options import Broker, settings_from
from stream_app.infra.kafka.log import topics

app = typer.Typer(no_args_is_help=True, help="Create and check the topics.")


@app.command()
def ensure(broker: Broker = None) -> None:
    """Create the topics that are missing; what exists is left as it is."""
    settings = settings_from(kafka={"bootstrap_servers": broker})
    created = asyncio.run(topics.ensure(settings.kafka))
    for line in created or ["all topics are there"]:
        typer.echo(line)


@app.command()
def check(broker: Broker = None) -> None:
    """Tell what is wrong with the topics, each with its cure; exit code 1 if anything is."""
    settings = settings_from(kafka={"bootstrap_servers": broker})
    problems = asyncio.run(topics.check(settings.kafka))
    for problem in problems:
        typer.echo(problem, err=True)
    if problems:
        raise typer.Exit(1)
    typer.echo("all topics are as they must be")
