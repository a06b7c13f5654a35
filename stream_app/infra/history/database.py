"""The connection to PostgreSQL, its failures as the application knows them, and migrations."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import asyncpg
from asyncpg import Connection

from stream_app.history_settings import HistorySettings
from stream_app.usecases.errors import UnavailableError

log = logging.getLogger(__name__)


CONNECT_S: Final = 5.0
#: Key of the lock that whoever changes tables holds; any number will do.
_LOCK: Final = 0x73747265616D
_RETRY_AFTER_S: Final = 5


async def connect(settings: HistorySettings) -> Connection:
    """Connect; the caller closes.

    Raises
    ------
    UnavailableError
        The database does not answer, or does not let this client in.
    """
    with database_failures(settings):
        return await asyncpg.connect(**options(settings))


@asynccontextmanager
async def connected(settings: HistorySettings) -> AsyncIterator[Connection]:
    """A connection that is closed at the end; raises UnavailableError as :func:`connect` does, in between too."""
    connection = await connect(settings)
    try:
        with database_failures(settings):
            yield connection
    finally:
        await connection.close()


def options(settings: HistorySettings) -> dict[str, object]:
    """Options of every connection."""
    return {
        "dsn": settings.url,
        "password": None if settings.password_file is None else partial(_password, settings.password_file),
        "timeout": CONNECT_S,
        "server_settings": {"application_name": "stream-app", "timezone": "UTC"},
    }


def _password(file: Path) -> str:
    try:
        return file.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"STREAM_HISTORY__PASSWORD_FILE: cannot read {file} ({_words(error)}): correct the path or the file"
        raise _away(msg) from None


@contextmanager
def database_failures(settings: HistorySettings) -> Iterator[None]:
    """Raise UnavailableError for whatever keeps the database from answering; its detail names the cure."""
    try:
        yield
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as error:
        cure = "correct STREAM_HISTORY__URL or STREAM_HISTORY__PASSWORD_FILE"
        raise _away(f"the history store at {_place(settings)} refuses this client ({_words(error)}): {cure}") from error
    except asyncpg.InsufficientPrivilegeError as error:
        cure = "let the user of STREAM_HISTORY__URL own the database"
        raise _away(f"the history store at {_place(settings)} refuses ({_words(error)}): {cure}") from error
    except _GONE as error:
        raise _away(
            f"the history store at {_place(settings)} does not answer ({_words(error)}): start it, or correct "
            "STREAM_HISTORY__URL"
        ) from error
    except asyncpg.PostgresError as error:
        raise _away(f"the history store at {_place(settings)} fails ({_words(error)}): see its log") from error


#: A server that is not there, starts, or ends; whatever else it says is its own failure.
_GONE: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InterfaceError,
    # A server that ends says so before it closes the connection; what is asked in between asyncpg refuses so.
    asyncpg.InternalClientError,
)


def _away(detail: str) -> UnavailableError:
    return UnavailableError("history_unavailable", detail, _RETRY_AFTER_S)


def _place(settings: HistorySettings) -> str:
    parts = urlsplit(settings.url or "")
    return f"{parts.hostname}:{parts.port or 5432}{parts.path}"


def _words(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error).partition("\n")[0] or type(error).__name__


async def migrate(connection: Connection) -> None:
    """Bring the tables to this release's form; several processes may do it at once."""
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock($1)", _LOCK)
        await connection.execute(
            "create table if not exists migrations (version integer primary key, applied timestamptz not null)"
        )
        done = {row["version"] for row in await connection.fetch("select version from migrations")}
        for version, script in migrations():
            if version not in done:
                await connection.execute(script)
                await connection.execute("insert into migrations values ($1, now())", version)
                log.info("the history store has form %d now", version)


async def lock(connection: Connection) -> None:
    """Be the only one that changes tables, until the transaction ends."""
    await connection.execute("select pg_advisory_xact_lock($1)", _LOCK)


def migrations() -> list[tuple[int, str]]:
    """Numbers and scripts of all migrations, ascending."""
    folder = files("stream_app.infra.history") / "migrations"
    scripts = [each for each in folder.iterdir() if each.name.endswith(".sql")]
    return sorted((int(each.name.partition("_")[0]), each.read_text("utf-8")) for each in scripts)
