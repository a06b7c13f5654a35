"""Everything that a deployment may set, read once by the entry points (environment: ``STREAM_…``)."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.asset import window_size_s

Compression = Literal["gzip", "lz4", "zstd", "none"]


class KafkaSettings(BaseModel):
    """Broker, topics and the consumer group."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bootstrap_servers: str = "127.0.0.1:9092"
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
    partitions: int = Field(default=4, ge=1, description="Partitions of topics that `topics ensure` creates")
    replication_factor: int = Field(default=1, ge=1)
    session_timeout_s: float = Field(default=10.0, gt=0)
    heartbeat_interval_s: float = Field(default=2.0, gt=0)
    fetch_max_bytes: int = Field(default=4 << 20, gt=0, description="Fetched at most per partition and request")


class HttpSettings(BaseModel):
    """The HTTP server of a worker."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    advertised_url: str | None = Field(default=None, description="How other workers reach this one; http://host:port")
    max_upload_bytes: int = Field(default=1 << 30, gt=0)
    max_body_bytes: int = Field(default=16 << 20, gt=0, description="Largest body of any other request")
    forward_timeout_s: float = Field(default=2.0, gt=0)
    cors_origins: tuple[str, ...] = Field(default=(), description="Origins whose pages may use the API; * for all")
    cors_credentials: bool = Field(default=False, description="Whether such pages may send cookies and authorisation")

    @model_validator(mode="after")
    def _credentials_by_name(self) -> Self:
        if self.cors_credentials and "*" in self.cors_origins:
            msg = "cors_credentials needs cors_origins by name: with '*' every page could act in a user's name"
            raise ValueError(msg)
        return self

    @property
    def url(self) -> str:
        """How other workers reach this one."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104  # any address: name one
        return self.advertised_url or f"http://{host}:{self.port}"


class OutputSettings(BaseModel):
    """The updates of the metrics topic."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["nested", "flat", "both"] = Field(
        default="nested", description="Whether an update has `metrics`, `values` or both"
    )


class Settings(BaseSettings):
    """Settings of a worker; nested fields as ``STREAM_KAFKA__BOOTSTRAP_SERVERS``."""

    model_config = SettingsConfigDict(env_prefix="STREAM_", env_nested_delimiter="__", frozen=True, extra="forbid")

    kafka: KafkaSettings = KafkaSettings()
    http: HttpSettings = HttpSettings()
    output: OutputSettings = OutputSettings()
    data_dir: Path = Path(".stream-app")
    log_level: str = "INFO"
    log_json: bool = True
    checkpoint_interval_s: float = Field(default=1.0, gt=0)
    emit_interval_s: float = Field(
        default=0.0, ge=0, description="Updates of open windows and lifetimes: at most one per asset in this time"
    )
    stall_timeout_s: float = Field(default=60.0, ge=2, description="A worker that stands still for so long ends")
    allowed_lateness_s: float = Field(
        default=0.0, ge=0, le=3600, description="A row may be this far behind its asset's newest; so long rows wait"
    )
    windows: tuple[str, ...] = Field(default=("1m", "15m", "1h", "1d"), min_length=1, max_length=5)
    keep_windows: dict[str, int] = {"1m": 5, "15m": 4, "1h": 24, "1d": 7}
    keep_windows_default: int = Field(default=24, ge=1, description="Closed windows kept of a size not named")
    upload_windows: tuple[str, ...] = ("1h", "1d")
    upload_retention_s: float = Field(default=86_400.0, gt=0, description="A finished upload is forgotten after this")

    @cached_property
    def window_sizes_s(self) -> tuple[int, ...]:
        """Window sizes in seconds, ascending."""
        return tuple(window_size_s(size) for size in self.windows)
