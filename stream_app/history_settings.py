"""What a deployment may set of the history store: where it is, what is kept, and for how long."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from schemas.asset import window_size_s

_SCHEMES: Final = ("postgresql", "postgres")


class HistorySettings(BaseModel):
    """The history store, for the process that writes it and for the workers, which read it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: str | None = Field(default=None, description="postgresql://user@host:port/database; without it: no history")
    password_file: Path | None = Field(default=None, description="Read at each connection: a secret may be renewed")
    sizes: tuple[str, ...] = Field(default=(), description="Window sizes that are kept, lifetime among them; all")
    retention_d: float | None = Field(default=None, gt=0, description="Months that are wholly older are dropped [d]")
    flush_interval_s: float = Field(
        default=1.0, ge=0.05, le=60, description="Updates of one window are put together for so long"
    )
    host: str = Field(default="127.0.0.1", description="Where `stream-app history` answers probes")
    port: int | None = Field(default=None, ge=1, le=65535, description="Its port; without it: it answers none")

    @field_validator("url")
    @classmethod
    def _is_url(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme not in _SCHEMES or not parts.hostname or not parts.username or not parts.path.strip("/"):
            msg = "STREAM_HISTORY__URL is not the URL of a database: write postgresql://user@host:port/database"
            raise ValueError(msg)
        if parts.password is not None or re.search("[?&]password=", url):
            msg = "STREAM_HISTORY__URL has a password in it: name a file that holds it in STREAM_HISTORY__PASSWORD_FILE"
            raise ValueError(msg)
        return url

    @field_validator("sizes")
    @classmethod
    def _are_sizes(cls, sizes: tuple[str, ...]) -> tuple[str, ...]:
        for size in sizes:
            if size != "lifetime":
                window_size_s(size)
        return sizes
