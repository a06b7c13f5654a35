"""Sessions of browsers: who asks, and what it may do."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class SessionRequest(BaseModel):
    """A key or token that opens a session."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    key: str = Field(min_length=1, max_length=16_384, description="API key, or token of the identity provider")


class SessionAnswer(BaseModel):
    """Who asks, and what it may do."""

    model_config = ConfigDict(frozen=True)

    needs_key: bool = Field(description="False: everybody who reaches the API may do everything, without a key")
    subject: str = Field(examples=["key 3f6c0a1b2c3d (dashboard)"])
    scopes: list[Literal["read", "write", "admin"]]
    prefix: str = Field(description="Only assets whose ids begin so are there")
    expires: str | None = Field(description="When the session, key or token ends; ISO 8601, UTC; null: never")
