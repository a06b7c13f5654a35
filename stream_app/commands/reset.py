"""``stream-app reset``: delete the state, so that it is computed anew."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from stream_app.commands.options import Broker, settings_from


def reset(
    *,
    broker: Broker = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
) -> None:
    """Delete the state: the next worker computes it anew from the beginning of the measurements topic.

    Stop all workers first. The topics stay as they are; new updates get a higher seq than those that are there.
    """
    from stream_app.infra.kafka.stored_state import StoredState

    settings = settings_from(kafka={"bootstrap_servers": broker})

    async def run() -> None:
        state = await StoredState.read(settings.kafka)
        filled = [each for each in state.partitions if not each.is_empty]
        for each in filled:
            position = "unknown" if each.marker is None else each.marker.position
            typer.echo(
                f"partition {each.number}: deletes the states of {len(each.assets)} assets and {len(each.windows)} "
                f"closed windows, which are at offset {position}; computes anew from offsets {each.log_start} to "
                f"{each.log_end - 1} of topic {state.source}"
            )
        if not filled:
            typer.echo(f"application {settings.kafka.app_id!r} has no state: there is nothing to delete")
            return
        typer.echo("Rows that retention has deleted do not come back. This cannot be undone.")
        if not yes:
            typer.confirm("Delete the state?", abort=True)
        await state.reset()
        typer.echo("the state is deleted: start the workers")

    asyncio.run(run())
