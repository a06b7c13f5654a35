"""``stream-app``: the command line; every error is one line on stderr."""

from __future__ import annotations

import logging
import os
import sys
from typing import Annotated

import typer

from stream_app import __version__
from stream_app.commands.compute import compute
from stream_app.commands.demo import demo
from stream_app.commands.dlq import app as dlq
from stream_app.commands.doctor import doctor
from stream_app.commands.export import export
from stream_app.commands.forget import forget
from stream_app.commands.history import app as history
from stream_app.commands.keys import app as keys
from stream_app.commands.plan import plan
from stream_app.commands.produce import produce
from stream_app.commands.query import query
from stream_app.commands.report import report
from stream_app.commands.reset import reset
from stream_app.commands.run_worker import worker
from stream_app.commands.topics import app as topics
from stream_app.errors import ExpectedError

app = typer.Typer(
    name="stream-app",
    help="Streaming processor for battery telemetry.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (demo, worker, produce, compute, doctor, query, report, plan, reset, forget, export):
    app.command()(command)
app.add_typer(topics, name="topics")
app.add_typer(keys, name="keys")
app.add_typer(dlq, name="dlq")
app.add_typer(history, name="history")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; the only place that turns errors into lines and exit codes."""
    # What libraries log is for a worker's log, which sets up its own: elsewhere errors come as exceptions.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        sys.exit(app(standalone_mode=False))
    except typer.TyperException as error:
        if not error.format_message():  # the help was asked for, and is shown
            sys.exit(error.exit_code)
        _fail(f"{error.format_message()} (stream-app --help shows the commands and their options)", error.exit_code)
    except typer.Abort:
        sys.exit(130)
    except BrokenPipeError:
        # The reader, head for example, has seen enough. Python would complain when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except ExpectedError as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except Exception as error:
        if os.environ.get("STREAM_LOG_LEVEL", "").upper() == "DEBUG":
            raise
        _fail(f"{type(error).__name__}: {error} (a bug; STREAM_LOG_LEVEL=DEBUG shows where)".replace("\n", " "))


def _fail(message: str, code: int = 1) -> None:
    typer.echo(f"error: {message}", err=True)
    sys.exit(code)
