"""``stream-app keys``: API keys, which all workers know as soon as they are written."""

from __future__ import annotations

import asyncio
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from stream_app.commands.options import Broker, settings_from
from stream_app.errors import ExpectedError

if TYPE_CHECKING:
    from stream_app.infra.kafka.log.key_topic import KeyTopic
    from stream_app.usecases.api_keys import KeyRecord

app = typer.Typer(no_args_is_help=True, help="Create, list and revoke API keys.")

_VALID: Final = re.compile("([1-9][0-9]{0,4})([dh])")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Who or what has the key; the audit log names it")],
    scope: Annotated[list[str] | None, typer.Option(help="read, write or admin; may be given several times")] = None,
    prefix: Annotated[str, typer.Option(help="The key is for assets whose ids begin so")] = "",
    valid: Annotated[str | None, typer.Option(metavar="90d|12h", help="How long; without it until revoked")] = None,
    broker: Broker = None,
) -> None:
    """Create a key and print it: it is shown once, and kept as a hash."""
    from stream_app.usecases.api_keys import new_key
    from stream_app.usecases.rights import SCOPES

    scopes = [known for known in SCOPES if known in (scope or ["read"])]
    if unknown := set(scope or []) - set(SCOPES):
        msg = f"--scope {min(unknown)} is none: give {', '.join(SCOPES)}"
        raise ExpectedError(msg)
    key, record = new_key(name, scopes, prefix, int(time.time()), _seconds(valid))
    topic = _topic(broker)

    async def write() -> None:
        await topic.ensure()
        await topic.write(record)

    asyncio.run(write())
    typer.echo(key)


@app.command("list")
def list_keys(broker: Broker = None) -> None:
    """List the keys: id, name, scopes, prefix, and until when they are valid."""
    ring = asyncio.run(_topic(broker).read())
    now_s = time.time()
    for record in sorted(ring.records.values(), key=lambda each: each.created_s):
        prefix = record.prefix or "all assets"
        typer.echo(
            f"{record.id}  {record.name}  {','.join(sorted(record.scopes))}  {prefix}  {_validity(record, now_s)}"
        )


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="Id of the key, as the list names it")], broker: Broker = None
) -> None:
    """Revoke a key: it opens nothing from now on."""
    topic = _topic(broker)

    async def revoked() -> None:
        record = (await topic.read()).records.get(key_id)
        if record is None:
            msg = f"there is no key {key_id!r}: stream-app keys list shows their ids"
            raise ExpectedError(msg)
        await topic.write(record.model_copy(update={"revoked_s": int(time.time())}))

    asyncio.run(revoked())
    typer.echo(f"key {key_id} is revoked")


def _topic(broker: str | None) -> KeyTopic:
    from stream_app.infra.kafka.log.key_topic import KeyTopic

    return KeyTopic(settings_from(kafka={"bootstrap_servers": broker}).kafka)


def _seconds(valid: str | None) -> int | None:
    if valid is None:
        return None
    match = _VALID.fullmatch(valid)
    if match is None:
        msg = f"--valid {valid} is no time: give days or hours, such as 90d or 12h"
        raise ExpectedError(msg)
    return int(match[1]) * {"d": 86_400, "h": 3_600}[match[2]]


def _validity(record: KeyRecord, now_s: float) -> str:
    if record.revoked_s is not None:
        return f"revoked {_date(record.revoked_s)}"
    if record.expires_s is None:
        return "valid"
    return f"{'valid until' if record.is_valid(now_s) else 'expired'} {_date(record.expires_s)}"


def _date(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%MZ")
