"""What a deployment may set of the HTTP server: where it listens, what it takes, who may use it."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class HttpSettings(BaseModel):
    """The HTTP server of a worker."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    advertised_url: str | None = Field(default=None, description="How other workers reach this one; http://host:port")
    max_upload_bytes: int = Field(default=1 << 30, gt=0)
    upload_dir: Path | None = Field(default=None, description="Folder of uploaded files while they are read")
    upload_quota_bytes: int | None = Field(
        default=None, gt=0, description="Room of all uploaded files together; without it four of the largest"
    )
    max_body_bytes: int = Field(default=16 << 20, gt=0, description="Largest body of any other request")
    forward_timeout_s: float = Field(default=2.0, gt=0)
    monitoring_host: str = Field(default="127.0.0.1", description="Address of the port for monitoring")
    monitoring_port: int | None = Field(
        default=None, ge=1, le=65535, description="Port of /metrics and the probes alone; without it they are on `port`"
    )
    allowed_hosts: tuple[str, ...] = Field(
        default=(), description="Names of this server in requests, beside addresses and names without a dot; * for all"
    )
    secret_file: Path | None = Field(
        default=None, description="What the workers share to know each other; without it: the id of the Kafka topic"
    )
    tls_certfile: Path | None = Field(default=None, description="PEM: the server's certificate with its chain")
    tls_keyfile: Path | None = Field(default=None, description="PEM: the certificate's key")
    tls_cafile: Path | None = Field(default=None, description="PEM: authority of the other workers' certificates")
    cors_origins: tuple[str, ...] = Field(default=(), description="Origins whose pages may use the API; * for all")
    cors_credentials: bool = Field(default=False, description="Whether such pages may send cookies and authorisation")

    @model_validator(mode="after")
    def _credentials_by_name(self) -> Self:
        if self.cors_credentials and "*" in self.cors_origins:
            msg = "cors_credentials needs cors_origins by name: with '*' every page could act in a user's name"
            raise ValueError(msg)
        return self

    @field_validator("advertised_url")
    @classmethod
    def _is_url(cls, url: str | None) -> str | None:
        if url is not None:
            parts = urlsplit(url)
            if parts.scheme not in {"http", "https"} or not parts.hostname:
                msg = f"{url!r} is not a URL: write http://host:port"
                raise ValueError(msg)
        return url

    @property
    def is_loopback(self) -> bool:
        """Whether no other host reaches the server."""
        try:
            return self.host == "localhost" or ip_address(self.host).is_loopback
        except ValueError:
            return False

    @model_validator(mode="after")
    def _tls_is_complete(self) -> Self:
        if (self.tls_certfile is None) != (self.tls_keyfile is None):
            msg = "STREAM_HTTP__TLS_CERTFILE and STREAM_HTTP__TLS_KEYFILE belong together: set both"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _uploads_have_room(self) -> Self:
        if self.upload_quota < self.max_upload_bytes:
            msg = (
                f"STREAM_HTTP__UPLOAD_QUOTA_BYTES={self.upload_quota_bytes} is less than one file may have "
                f"(STREAM_HTTP__MAX_UPLOAD_BYTES={self.max_upload_bytes}): raise it, or lower the other"
            )
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _ports_are_two(self) -> Self:
        if self.monitoring_port == self.port:
            msg = "STREAM_HTTP__MONITORING_PORT is that of the API: choose another one, or leave it out"
            raise ValueError(msg)
        return self

    @property
    def upload_quota(self) -> int:
        """Room of all uploaded files together [bytes]."""
        return 4 * self.max_upload_bytes if self.upload_quota_bytes is None else self.upload_quota_bytes

    @property
    def tls(self) -> tuple[Path, Path] | None:
        """Certificate and key of the server; None: it speaks HTTP without TLS."""
        return None if self.tls_certfile is None or self.tls_keyfile is None else (self.tls_certfile, self.tls_keyfile)

    @property
    def hosts(self) -> tuple[str, ...]:
        """Names under which requests may ask for this server: those allowed, and that of its URL."""
        return (*self.allowed_hosts, urlsplit(self.url).hostname or "", socket.gethostname())

    @property
    def url(self) -> str:
        """How other workers reach this one."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104  # any address: name one
        scheme = "http" if self.tls_certfile is None else "https"
        return self.advertised_url or f"{scheme}://{host}:{self.port}"


Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


class JwtSettings(BaseModel):
    """Tokens of an identity provider."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    jwks_url: str | None = Field(default=None, description="Where the provider publishes its keys")
    issuer: str | None = Field(default=None, min_length=1, description="`iss` of each token")
    audience: str | None = Field(default=None, min_length=1, description="`aud` of each token")
    algorithms: tuple[Algorithm, ...] = Field(default=("RS256", "ES256"), min_length=1)
    scope_claim: str = Field(default="scope", description="Claim with the scopes: words, or a list")
    scope_prefix: str = Field(default="", description="What the provider writes before read, write and admin")
    prefix_claim: str | None = Field(default=None, description="Claim with the prefix of the token's assets")


class SecuritySettings(BaseModel):
    """Who may use the HTTP API."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["none", "keys", "jwt", "keys_and_jwt"] | None = Field(
        default=None, description="none: everybody may do everything; without it the server listens on loopback alone"
    )
    jwt: JwtSettings = JwtSettings()
    session_s: int = Field(
        default=43_200, ge=60, le=2_592_000, description="How long a browser's session is valid at most"
    )
    rate_limit: str | None = Field(
        default=None,
        pattern=r"^[1-9][0-9]{0,8}/(second|minute|hour)$",
        description="Requests by key, token or address, such as 600/minute",
    )

    @property
    def has_keys(self) -> bool:
        """Whether API keys open the API."""
        return self.mode in ("keys", "keys_and_jwt")

    @property
    def has_tokens(self) -> bool:
        """Whether tokens open the API."""
        return self.mode in ("jwt", "keys_and_jwt")

    @model_validator(mode="after")
    def _tokens_are_fixed(self) -> Self:
        missing = [name for name in ("jwks_url", "issuer", "audience") if getattr(self.jwt, name) is None]
        if self.has_tokens and missing:
            named = ", ".join(f"STREAM_SECURITY__JWT__{name.upper()}" for name in missing)
            msg = f"STREAM_SECURITY__MODE={self.mode} needs {named} too: a token must not choose who vouches for it"
            raise ValueError(msg)
        return self
