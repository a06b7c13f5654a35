"""``stream-app dlq``: look at the dead letters, and publish them again once their cause is mended."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, get_args

import typer

from schemas.rejected import HEADER_PREFIX, REPLAY_PREFIX
from stream_app.commands.options import Broker, settings_from
from stream_app.errors import ExpectedError

if TYPE_CHECKING:
    from stream_app.usecases.replay import Choice, Letter

app = typer.Typer(no_args_is_help=True, help="Look at dead letters, and replay them once their cause is mended.")

_AGE: Final = re.compile("([1-9][0-9]{0,6})([smhd])")
_UNIT_S: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_REASON_CHARACTERS: Final = 200

Asset = Annotated[list[str] | None, typer.Option("--asset", help="Letters under this key; may be given several times")]
Code = Annotated[list[str] | None, typer.Option("--code", help="Letters with this code; may be given several times")]
Since = Annotated[
    str | None, typer.Option(metavar="2h|2026-03-01T00:00Z", help="Written since then, or so long ago at most")
]
Until = Annotated[str | None, typer.Option(metavar="2h|2026-03-01T00:00Z", help="Written before then")]


@app.command("ls")
def list_letters(
    *,
    asset: Asset = None,
    code: Code = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="The newest so many")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object per letter")] = False,
    broker: Broker = None,
) -> None:
    """List the newest letters, the newest last: place, time, code, key, where the original stands, what is wrong."""
    from stream_app.infra.kafka.dead_letter_replay import find

    choice = _choice(asset, code, since, until)
    for letter in asyncio.run(find(settings_from(kafka={"bootstrap_servers": broker}).kafka, choice, limit)):
        about = _about(letter)
        if as_json:
            typer.echo(json.dumps(about, ensure_ascii=False))
            continue
        source = "?" if letter.source is None else f"{letter.source.partition}:{letter.source.offset}"
        rows = f" rows {letter.rows}" if letter.rows is not None else ""
        again = f" (replayed {letter.attempt} times)" if letter.attempt else ""
        reason = _one_line(letter.reason)[:_REASON_CHARACTERS]
        typer.echo(
            f"{about['place']}  {about['time']}  {letter.code}  {_one_line(letter.asset_id or '(no key)')}  "
            f"from {source}{rows}{again}  {reason}"
        )


@app.command()
def show(
    place: Annotated[str, typer.Argument(metavar="PARTITION:OFFSET", help="Of the letter, as the list names it")],
    *,
    raw: Annotated[bool, typer.Option("--raw", help="The original value alone, byte for byte")] = False,
    broker: Broker = None,
) -> None:
    """Show one letter: what is wrong, its headers, and the original value; a cut one is read from where it stands."""
    from stream_app.infra.kafka.dead_letter_replay import whole

    match = re.fullmatch(r"(\d+):(\d+)", place)
    if match is None:
        msg = f"{place!r} is no place of a letter: give its partition and offset, such as 0:17"
        raise ExpectedError(msg)
    kafka = settings_from(kafka={"bootstrap_servers": broker}).kafka
    found = asyncio.run(whole(kafka, int(match[1]), int(match[2])))
    if found is None:
        msg = f"there is no letter at {place} of {kafka.dead_letter_topic!r}: stream-app dlq ls lists them"
        raise ExpectedError(msg)
    letter, original = found
    if letter.cut and original is None:
        typer.echo("the original is not there any more: this is the part of it that the letter has", err=True)
    value = (original or letter.stored).value or b""
    if raw:
        sys.stdout.buffer.write(value)
        return
    about = _about(letter)
    for name in ("place", "time", "code", "reason", "key", "source", "rows", "attempt"):
        if about[name] is not None:
            typer.echo(f"{name + ':':9}{about[name]}")
    for name, content in (original or letter.stored).headers:
        if not name.startswith((HEADER_PREFIX, REPLAY_PREFIX)):
            typer.echo(f"header:  {_one_line(name)}: {_one_line((content or b'').decode(errors='backslashreplace'))}")
    typer.echo(value.decode(errors="backslashreplace"))


@app.command()
def replay(
    *,
    asset: Asset = None,
    code: Code = None,
    since: Since = None,
    until: Until = None,
    max_attempts: Annotated[
        int, typer.Option(min=1, max=1000, help="Letters that were replayed so often and refused again are left")
    ] = 3,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Publish nothing: count by code")] = False,
    broker: Broker = None,
) -> None:
    """Publish letters to the measurements topic again, each once, however often this is run.

    The value is the original one, byte for byte; of a message that was refused in part, the refused rows alone count.
    """
    from stream_app.infra.kafka.dead_letter_replay import replay as run
    from stream_app.usecases.replay import OBSTACLES

    kafka = settings_from(kafka={"bootstrap_servers": broker}).kafka
    choice = _choice(asset, code, since, until)
    outcome = asyncio.run(run(kafka, choice, max_attempts=max_attempts, dry_run=dry_run))
    count = outcome.replayed.total()
    most = max([*outcome.replayed.values(), 1])
    for name, letters in outcome.replayed.most_common():
        typer.echo(f"{name:18}{letters:>9}  {'█' * max(1, round(40 * letters / most))}")
    for obstacle, letters in outcome.left.most_common():
        typer.echo(f"left: {letters} letters, {OBSTACLES[obstacle]}")
    if outcome.before:
        typer.echo(f"replayed before: {outcome.before} letters")
    if outcome.others:
        typer.echo(f"not chosen: {outcome.others} letters")
    verb = "would be replayed" if dry_run else "replayed"
    typer.echo(f"{count} letters {verb} to {kafka.measurements_topic!r}")


def _choice(asset: list[str] | None, code: list[str] | None, since: str | None, until: str | None) -> Choice:
    from schemas.rejected import RejectCode
    from stream_app.usecases.replay import Choice

    known = get_args(RejectCode)
    if unknown := sorted(set(code or ()) - set(known)):
        msg = f"--code {unknown[0]} is none: give one of {', '.join(known)}"
        raise ExpectedError(msg)
    return Choice(
        assets=frozenset(asset or ()),
        codes=frozenset(code or ()),
        from_ms=_moment_ms("--since", since),
        until_ms=_moment_ms("--until", until),
    )


def _moment_ms(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    if age := _AGE.fullmatch(text):
        return int((time.time() - int(age[1]) * _UNIT_S[age[2]]) * 1000)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        msg = f"{option} {text!r} is no time: give an age such as 30m, 2h or 7d, or a time such as 2026-03-01T00:00Z"
        raise ExpectedError(msg) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _about(letter: Letter) -> dict[str, Any]:
    stored, source = letter.stored, letter.source
    moment = datetime.fromtimestamp(max(0, stored.timestamp_ms) / 1000, UTC)
    return {
        "place": f"{stored.partition}:{stored.offset}",
        "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "code": letter.code,
        "key": letter.asset_id,
        "source": None if source is None else f"{source.topic} {source.partition}:{source.offset}",
        "rows": letter.rows,
        "attempt": letter.attempt,
        "cut": sorted(letter.cut),
        "reason": letter.reason,
    }


def _one_line(text: str) -> str:
    """Text of a stranger in a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)
