"""``stream-app topics``: create the topics that are missing, say what is wrong with the others, take another log."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from stream_app.commands.options import Broker, settings_from
from stream_app.errors import ExpectedError

if TYPE_CHECKING:
    from stream_app.infra.kafka.stored_state import StoredState

app = typer.Typer(no_args_is_help=True, help="Create and check the topics; go on with another one.")


@app.command()
def ensure(
    *,
    principal: Annotated[
        str | None,
        typer.Option(
            "--acls", metavar="User:NAME", help="Print the commands that grant it the least rights of a worker"
        ),
    ] = None,
    broker: Broker = None,
) -> None:
    """Create the topics that are missing; those that exist are left as they are.

    This needs the right Create on the topics. A worker needs Read and Write on the measurements and the changelogs,
    Write on the metrics and the dead letters, and Read on its group. Where API keys open the API, their topic is
    created too.
    """
    from stream_app.infra.kafka.log import rights, topics
    from stream_app.infra.kafka.log.key_topic import KeyTopic

    settings = settings_from(kafka={"bootstrap_servers": broker})

    async def create() -> list[str]:
        created = list(await topics.ensure(settings.kafka))
        keys = KeyTopic(settings.kafka)
        if settings.security.has_keys and await keys.ensure():
            created.append(f"created topic {keys.name!r} with 1 partition(s)")
        return created

    created = asyncio.run(create())
    for line in created or ["all topics are there"]:
        typer.echo(line)
    for line in rights.commands(settings.kafka, principal) if principal is not None else ():
        typer.echo(line)


@app.command()
def check(broker: Broker = None) -> None:
    """Say what is wrong with the topics and the rights to them, and the cure of each; exit code 1 if anything is."""
    from stream_app.infra.kafka.log import topics

    settings = settings_from(kafka={"bootstrap_servers": broker})
    unread: list[str] = []
    problems = asyncio.run(topics.check(settings.kafka, unread.append))
    for line in [*unread, *problems]:
        typer.echo(line, err=True)
    if problems:
        raise typer.Exit(1)
    typer.echo("all topics are there" if unread else "all topics are as they must be")


@app.command()
def adopt(
    *,
    broker: Broker = None,
    start: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="beginning|end|position|OFFSET",
            help="Where to go on in each partition; position: where the state is, for a copy with the same offsets",
        ),
    ] = "beginning",
) -> None:
    """Take the measurements topic, which was recreated or is another one, as the log that the state goes on with.

    Stop all workers first. The state is kept; what the topic has before the chosen place does not count.
    """
    from stream_app.infra.kafka.stored_state import StoredState

    settings = settings_from(kafka={"bootstrap_servers": broker})

    async def run() -> None:
        state = await StoredState.read(settings.kafka)
        positions = _positions(state, start)
        await state.adopt(positions)
        for each in state.partitions:
            if each.is_empty:
                typer.echo(f"partition {each.number}: no state, begins at the log's beginning")
            else:
                at = "where it is" if positions is None else f"offset {positions[each.number]}"
                typer.echo(f"partition {each.number}: the state goes on at {at} of topic {state.source}")

    asyncio.run(run())


def _positions(state: StoredState, start: str) -> dict[int, int] | None:
    """Offset of each partition at which the state goes on; None: where it is."""
    if start == "position":
        return None
    if start == "beginning":
        return {each.number: each.log_start for each in state.partitions}
    if start == "end":
        return {each.number: each.log_end for each in state.partitions}
    if not start.isdecimal():
        msg = f"--from {start!r} is not a place: give beginning, end, position or an offset"
        raise ExpectedError(msg)
    offset = int(start)
    for each in state.partitions:
        if not each.is_empty and not each.log_start <= offset <= each.log_end:
            msg = f"--from {offset}: partition {each.number} has offsets {each.log_start} to {each.log_end}"
            raise ExpectedError(msg)
    return {each.number: offset for each in state.partitions}
