"""Everything that a deployment may set, read once by the entry points (environment: ``STREAM_…``)."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.asset import UNLIMITED_AHEAD_S, AssetSpec, Duplicates, window_size_s
from stream_app.errors import ExpectedError
from stream_app.history_settings import HistorySettings
from stream_app.http_settings import HttpSettings, SecuritySettings
from stream_app.server_address import require_server

#: A member may miss two heartbeats on their way and still be in the group.
_HEARTBEATS_PER_SESSION: Final = 3
#: A partition makes progress, as the stall watch sees it, at each checkpoint.
_CHECKPOINTS_PER_STALL: Final = 2

Compression = Literal["gzip", "lz4", "zstd", "none"]


class KafkaSettings(BaseModel):
    """Broker, topics and the consumer group."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    bootstrap_servers: str = "127.0.0.1:9092"
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_username: str | None = Field(default=None, min_length=1)
    sasl_password: SecretStr | None = None
    sasl_password_file: Path | None = Field(
        default=None, description="Read at each connection: a secret may be renewed"
    )
    ssl_cafile: Path | None = Field(default=None, description="PEM; without it the system's authorities are trusted")
    ssl_certfile: Path | None = Field(default=None, description="PEM: this client's certificate, with its chain")
    ssl_keyfile: Path | None = Field(default=None, description="PEM: the certificate's key")
    ssl_keyfile_password: SecretStr | None = None
    ssl_check_hostname: bool = True
    app_id: str = Field(default="stream-app", description="Consumer group and prefix of the changelogs")
    measurements_topic: str = "measurements"
    metrics_topic: str = "metrics"
    metrics_key: Literal["asset", "window"] = Field(
        default="asset", description="Key of an update: the asset's id, or a key of each window"
    )
    dead_letter_topic: str = "measurements-dlq"
    compression: Compression = Field(
        default="gzip", description="Codec of the metrics topic and of the dead letters; every client reads gzip"
    )
    partitioner: Literal["any", "murmur2"] = Field(
        default="any", description="murmur2: rows in a partition that it does not choose for their key are refused"
    )
    partitions: int = Field(default=4, ge=1, description="Partitions of topics that `topics ensure` creates")
    replication_factor: int = Field(default=1, ge=1)
    session_timeout_s: float = Field(default=10.0, gt=0, le=86_400)
    heartbeat_interval_s: float = Field(default=2.0, ge=0.01)
    refusal_limit_s: float = Field(
        default=75.0, ge=0, description="A worker that the group refuses tries again for so long, and then ends"
    )
    fetch_max_bytes: int = Field(
        default=1 << 20, gt=0, lt=1 << 31, description="Fetched at most per partition and request"
    )

    @field_validator("bootstrap_servers")
    @classmethod
    def _addresses(cls, servers: str) -> str:
        for address in servers.split(","):
            require_server(address.strip())
        return servers

    @model_validator(mode="after")
    def _heartbeats_fit(self) -> Self:
        longest_s = self.session_timeout_s / _HEARTBEATS_PER_SESSION
        if self.heartbeat_interval_s > longest_s:
            msg = (
                f"STREAM_KAFKA__HEARTBEAT_INTERVAL_S={self.heartbeat_interval_s:g} is more than a third of "
                f"STREAM_KAFKA__SESSION_TIMEOUT_S={self.session_timeout_s:g}: the group would take this worker for "
                f"dead again and again; set the interval to {longest_s:.3g} or less, or the timeout to "
                f"{_HEARTBEATS_PER_SESSION * self.heartbeat_interval_s:g} or more"
            )
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _topics_differ(self) -> Self:
        variables = ("MEASUREMENTS_TOPIC", "METRICS_TOPIC", "DEAD_LETTER_TOPIC")
        names = {variable: getattr(self, variable.lower()) for variable in variables}
        changelogs = [f"{self.app_id}-{table}-changelog" for table in ("assets", "windows")]
        for variable, name in names.items():
            others = [f"STREAM_KAFKA__{other}" for other in variables if other != variable and names[other] == name]
            if others or name in changelogs:
                other = others[0] if others else "a changelog of STREAM_KAFKA__APP_ID"
                msg = f"STREAM_KAFKA__{variable} and {other} are one topic, {name!r}: give each a topic of its own"
                raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _sasl_is_complete(self) -> Self:
        prefix, protocol = "STREAM_KAFKA__", self.security_protocol
        given = [
            prefix + name.upper()
            for name in ("sasl_mechanism", "sasl_username", "sasl_password", "sasl_password_file")
            if getattr(self, name) is not None
        ]
        if not protocol.startswith("SASL_"):
            if given:
                secured = "SASL_SSL" if protocol == "SSL" else "SASL_SSL (with TLS) or SASL_PLAINTEXT (without)"
                msg = f"{given[0]} needs a protocol with SASL: set {prefix}SECURITY_PROTOCOL to {secured}"
                raise ValueError(msg)
            return self
        for name in ("sasl_mechanism", "sasl_username"):
            if getattr(self, name) is None:
                msg = f"{prefix}SECURITY_PROTOCOL={protocol} needs {prefix}{name.upper()} too: set it"
                raise ValueError(msg)
        if (self.sasl_password is None) == (self.sasl_password_file is None):
            password = f"{prefix}SASL_PASSWORD or {prefix}SASL_PASSWORD_FILE"
            both = "both are set" if self.sasl_password else "neither is set"
            msg = f"{prefix}SECURITY_PROTOCOL={protocol} needs either {password}, and {both}: set one of them"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _tls_is_complete(self) -> Self:
        prefix = "STREAM_KAFKA__"
        given = [
            prefix + name.upper()
            for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_keyfile_password")
            if getattr(self, name) is not None
        ]
        if not self.uses_tls and (given or not self.ssl_check_hostname):
            secured = "SASL_SSL" if self.security_protocol.startswith("SASL_") else "SSL"
            named = given[0] if given else f"{prefix}SSL_CHECK_HOSTNAME"
            msg = f"{named} needs a protocol with TLS: set {prefix}SECURITY_PROTOCOL to {secured}"
            raise ValueError(msg)
        if self.ssl_certfile is None and (self.ssl_keyfile or self.ssl_keyfile_password):
            msg = f"{given[-1]} needs {prefix}SSL_CERTFILE too: set it to the certificate's PEM file"
            raise ValueError(msg)
        return self

    @property
    def uses_tls(self) -> bool:
        """Whether brokers are asked with TLS."""
        return self.security_protocol.endswith("SSL")


class OutputSettings(BaseModel):
    """The updates of the metrics topic."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["nested", "flat", "both"] = Field(
        default="nested", description="Whether an update has `metrics`, `values` or both"
    )
    cloudevents: bool = Field(default=False, description="Whether an update has the headers of a CloudEvent too")


class Settings(BaseSettings):
    """Settings of a worker; nested fields as ``STREAM_KAFKA__BOOTSTRAP_SERVERS``."""

    model_config = SettingsConfigDict(
        env_prefix="STREAM_", env_nested_delimiter="__", frozen=True, extra="forbid", hide_input_in_errors=True
    )

    kafka: KafkaSettings = KafkaSettings()
    http: HttpSettings = HttpSettings()
    security: SecuritySettings = SecuritySettings()
    output: OutputSettings = OutputSettings()
    history: HistorySettings = HistorySettings()
    data_dir: Path = Path(".stream-app")
    log_level: str = "INFO"
    log_json: bool = True
    tracing: bool = Field(
        default=False, description="OpenTelemetry traces, by OTLP over HTTP to `OTEL_EXPORTER_OTLP_ENDPOINT`"
    )
    checkpoint_interval_s: float = Field(default=1.0, gt=0)
    emit_interval_s: float = Field(
        default=0.0, ge=0, description="Updates of open windows and lifetimes: at most one per asset in this time"
    )
    stall_timeout_s: float = Field(default=60.0, ge=2, description="A worker that stands still for so long ends")
    allowed_lateness_s: float | None = Field(
        default=None,
        ge=0,
        le=3600,
        description="A row may be this far behind its asset's newest; so long rows wait. None: its order teaches it",
    )
    duplicates: Duplicates = Field(default="count", description="Whether a row that repeats a waiting one counts")
    max_ahead_s: float = Field(
        default=3600.0,
        ge=0,
        le=UNLIMITED_AHEAD_S,
        description="A stamp may be this far ahead of its record's Kafka time",
    )
    open_transaction_s: float = Field(
        default=10.0, gt=0, description="A producer's transaction that is open for so long, and holds rows, is told"
    )
    idle_close_s: float = Field(
        default=86_400.0, gt=0, description="Windows that ended so long ago close when their asset is silent so long"
    )
    asset_ttl_s: float | None = Field(default=None, gt=0, description="An asset that is silent so long is forgotten")
    max_assets: int = Field(
        default=250_000, ge=1, description="Assets of a partition; rows of further ones are refused"
    )
    max_new_assets_per_min: int = Field(
        default=10_000, ge=1, description="New assets of a partition by the minute of their first record's timestamp"
    )
    windows: tuple[str, ...] = Field(default=("1m", "15m", "1h", "1d"), min_length=1, max_length=5)
    keep_windows: dict[str, int] = {"1m": 5, "15m": 4, "1h": 24, "1d": 7}
    keep_windows_default: int = Field(default=24, ge=1, description="Closed windows kept of a size not named")
    upload_windows: tuple[str, ...] = ("1h", "1d")
    upload_retention_s: float = Field(default=86_400.0, gt=0, description="A finished upload is forgotten after this")

    @field_validator("windows", "upload_windows")
    @classmethod
    def _windows_nest(cls, sizes: tuple[str, ...]) -> tuple[str, ...]:
        try:
            AssetSpec.model_validate({"nominal_capacity_ah": 1, "windows": sizes})
        except ValidationError as error:
            raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
        return sizes

    @field_validator("keep_windows")
    @classmethod
    def _window_sizes(cls, kept: dict[str, int]) -> dict[str, int]:
        for size in kept:
            window_size_s(size)
        return kept

    @model_validator(mode="after")
    def _checkpoints_are_progress(self) -> Self:
        least_s = _CHECKPOINTS_PER_STALL * self.checkpoint_interval_s
        if self.stall_timeout_s < least_s:
            msg = (
                f"STREAM_STALL_TIMEOUT_S={self.stall_timeout_s:g} is less than twice "
                f"STREAM_CHECKPOINT_INTERVAL_S={self.checkpoint_interval_s:g}: a busy worker would be taken for a "
                f"stuck one; set the timeout to {least_s:g} or more, or the interval to "
                f"{self.stall_timeout_s / _CHECKPOINTS_PER_STALL:g} or less"
            )
            raise ValueError(msg)
        return self

    @cached_property
    def window_sizes_s(self) -> tuple[int, ...]:
        """Window sizes in seconds, ascending."""
        return tuple(window_size_s(size) for size in self.windows)

    def secrets(self) -> list[str]:
        """All secrets that the settings hold or whose files can be read, so that no log has them."""
        kafka = self.kafka
        found = [each.get_secret_value() for each in (kafka.sasl_password, kafka.ssl_keyfile_password) if each]
        for file in filter(None, (kafka.sasl_password_file, self.http.secret_file)):
            with suppress(OSError, UnicodeDecodeError):  # who needs the file says what is wrong with it
                found.append(file.read_text("utf-8").strip())
        return found

    def require_access(self) -> None:
        """Raise ExpectedError if others reach the HTTP server and nobody has said who may use it."""
        if self.security.mode is None and not self.http.is_loopback:
            msg = (
                f"STREAM_HTTP__HOST={self.http.host} can be reached from other hosts, and STREAM_SECURITY__MODE is not "
                "set: set it to keys (stream-app keys create makes one) or jwt; or to none, where everybody on the "
                "network may read, write and delete everything"
            )
            raise ExpectedError(msg)
