"""Options that several commands share, and the settings that they and the environment make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream_app.errors import ExpectedError

if TYPE_CHECKING:
    from pydantic import ValidationError

    from stream_app.history_settings import HistorySettings
    from stream_app.settings import Settings

Broker = Annotated[
    str | None,
    typer.Option("--broker", metavar="HOST:PORT", help="Kafka's bootstrap servers [STREAM_KAFKA__BOOTSTRAP_SERVERS]"),
]


Key = Annotated[
    str | None,
    typer.Option("--key", envvar="STREAM_API_KEY", help="API key or token, for a worker that wants one"),
]


def settings_from(**overrides: Any) -> Settings:
    """Return the settings of the environment with ``overrides`` above them; None and empty mappings override nothing.

    Raises
    ------
    ExpectedError
        A setting is wrong; the message names its environment variable.
    """
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from stream_app.settings import Settings

    try:
        return Settings(**_given(overrides))
    except SettingsError as error:
        msg = f'{error}: write lists and mappings as JSON, such as ["1m", "1h"]'
        raise ExpectedError(msg) from None
    except ValidationError as error:
        raise ExpectedError(_told(error)) from None


def require_history(settings: Settings) -> HistorySettings:
    """Settings of the history store; ExpectedError if none is named."""
    if settings.history.url is None:
        msg = "STREAM_HISTORY__URL is not set: name the database, such as postgresql://stream@db-1:5432/stream_history"
        raise ExpectedError(msg)
    return settings.history


def _told(error: ValidationError) -> str:
    """Tell the first thing that is wrong, with its variable; never the value of what may be a secret."""
    first = error.errors()[0]
    name = "STREAM_" + "__".join(str(part) for part in first["loc"]).upper()
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":  # our own rules say the cure
        return message if message.startswith("STREAM_") else f"{name}: {message}"
    if first["type"] == "extra_forbidden":
        return f"{name} is not a setting: see docs/settings.md for the names"
    shown = "" if "PASSWORD" in name else f", not {first['input']!r}"
    return f"{name}: {message}{shown}: correct it in the environment or on the command line"


def _given(overrides: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: _given(value) if isinstance(value, Mapping) else value for name, value in overrides.items()}
    return {name: value for name, value in given.items() if value is not None and value != {}}
