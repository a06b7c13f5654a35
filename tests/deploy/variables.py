"""The environment that a deployment gives to a worker, as the worker would read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from pydantic import BaseModel

from stream_app.settings import Settings

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")


def names(model: type[BaseModel] = Settings, prefix: str = "STREAM_") -> Iterator[str]:
    """Every variable that a worker reads."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from names(kind, f"{prefix}{name.upper()}__")
        else:
            yield prefix + name.upper()


def image() -> dict[str, str]:
    """Variables that the image sets; a later one replaces an earlier one."""
    text = DOCKERFILE.rpartition("\nFROM ")[2].replace("\\\n", " ")
    words = [word for line in text.splitlines() if line.startswith("ENV ") for word in line.split()[1:]]
    return dict(word.split("=", 1) for word in words)


def written() -> set[str]:
    """Folders of the image that a worker writes: its files, temporary ones, and compiled code in a folder below."""
    environment = image()
    return {environment["STREAM_DATA_DIR"], environment["TMPDIR"], str(Path(environment["NUMBA_CACHE_DIR"]).parent)}


def settings(environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a worker in a container of the image with this environment; access has been decided on."""
    merged = image() | dict(environment)
    unknown = {name for name in merged if name.startswith("STREAM_")} - set(names())
    assert unknown == set(), f"no worker reads {unknown}"
    with monkeypatch.context() as patch:
        for name in names():
            patch.delenv(name, raising=False)
        for name, value in merged.items():
            if name.startswith("STREAM_"):
                patch.setenv(name, value)
        read = Settings()
    read.require_access()
    return read
