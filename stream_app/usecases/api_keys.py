"""API keys: how they are made, what is kept of them, and what each allows.

A key is ``sk.ID.SECRET``. Kept is the SHA-256 of the secret alone: it has 256 random bits, so nothing slower is needed.
Of a revoked key the record stays, with the time.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.asset import ASSET_ID_MAX_LENGTH
from stream_app.usecases.rights import Rights, Scope

_MARK: Final = "sk"
_ID_BYTES: Final = 6
_SECRET_BYTES: Final = 32
_NOBODY_SHA256: Final = hashlib.sha256(secrets.token_bytes(_SECRET_BYTES)).hexdigest()


class KeyRecord(BaseModel):
    """What is kept of a key; times in seconds since 1970."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")
    name: str = Field(max_length=200)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    scopes: frozenset[Scope] = Field(min_length=1)
    prefix: str = Field(default="", max_length=ASSET_ID_MAX_LENGTH)
    created_s: int
    expires_s: int | None = None
    revoked_s: int | None = None

    def is_valid(self, now_s: float) -> bool:
        """Whether the key opens anything at a time."""
        return self.revoked_s is None and (self.expires_s is None or now_s < self.expires_s)


def new_key(
    name: str, scopes: Collection[Scope], prefix: str, now_s: int, valid_s: int | None = None
) -> tuple[str, KeyRecord]:
    """Make a key; returns it, which is shown once, and its record."""
    key_id, secret = secrets.token_hex(_ID_BYTES), secrets.token_urlsafe(_SECRET_BYTES)
    record = KeyRecord(
        id=key_id,
        name=name,
        sha256=_sha256(secret),
        scopes=frozenset(scopes),
        prefix=prefix,
        created_s=now_s,
        expires_s=None if valid_s is None else now_s + valid_s,
    )
    return f"{_MARK}.{key_id}.{secret}", record


class KeyRing:
    """The keys of a group of workers, as their topic tells them."""

    def __init__(self) -> None:
        self.records: dict[str, KeyRecord] = {}
        #: Whether all that was in the topic at the start has been read.
        self.is_complete = False

    def take(self, value: bytes | None) -> KeyRecord | None:
        """Take a record of the topic, and return it if it tells anything new; what cannot be read opens nothing."""
        try:
            record = KeyRecord.model_validate_json(value or b"")
        except ValidationError:
            return None
        if self.records.get(record.id) == record:
            return None
        self.records[record.id] = record
        return record

    def rights(self, key: str, now_s: float) -> Rights | None:
        """What a key allows; None: it is none, or is valid no more. It takes as long for an id that is not known."""
        mark, _, rest = key.partition(".")
        key_id, _, secret = rest.partition(".")
        record = self.records.get(key_id)
        expected = _NOBODY_SHA256 if record is None else record.sha256
        is_right = hmac.compare_digest(_sha256(secret), expected)
        return self.rights_of(key_id, now_s) if mark == _MARK and is_right else None

    def rights_of(self, key_id: str, now_s: float) -> Rights | None:
        """What the key of an id allows; None: there is none, or it is valid no more."""
        record = self.records.get(key_id)
        if record is None or not record.is_valid(now_s):
            return None
        return Rights(f"key {record.id} ({record.name})", record.scopes, record.prefix, record.expires_s)


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
