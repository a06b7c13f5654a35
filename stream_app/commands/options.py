"""Options that several commands share, and the settings that they and the environment make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream_app.errors import ExpectedError

if TYPE_CHECKING:
    from stream_app.settings import Settings

Broker = Annotated[
    str | None,
    typer.Option("--broker", metavar="HOST:PORT", help="Kafka's bootstrap servers [STREAM_KAFKA__BOOTSTRAP_SERVERS]"),
]


def settings_from(**overrides: Any) -> Settings:
    """Return the settings of the environment with ``overrides`` above them; None and empty mappings override nothing.

    Raises
    ------
    ExpectedError
        A setting is wrong; the message names its environment variable.
    """
    from pydantic import ValidationError

    from stream_app.settings import Settings

    try:
        return Settings(**_given(overrides))
    except ValidationError as error:
        first = error.errors()[0]
        name = "STREAM_" + "__".join(str(part) for part in first["loc"]).upper()
        msg = f"{name}: {first['msg']}, not {first['input']!r}: correct it in the environment or on the command line"
        raise ExpectedError(msg) from None


def _given(overrides: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: _given(value) if isinstance(value, Mapping) else value for name, value in overrides.items()}
    return {name: value for name, value in given.items() if value is not None and value != {}}
