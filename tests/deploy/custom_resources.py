"""Schemas of other programs' resources, from their Go modules: strict, as the API server is with unknown fields."""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

#: Folder of the definitions in each module.
_MODULES: Final = {
    "keda.sh": ("github.com/kedacore/keda/v2@v2.20.2", "config/crd/bases"),
    "monitoring.coreos.com": (
        "github.com/prometheus-operator/prometheus-operator@v0.85.0",
        "example/prometheus-operator-crd",
    ),
}


@cache
def _folder(group: str) -> Path:
    if shutil.which("go") is None:
        pytest.skip("needs Go, which fetches the modules with the definitions")
    module, folder = _MODULES[group]
    done = subprocess.run(["go", "mod", "download", "-json", module], capture_output=True, check=False, timeout=120)
    if done.returncode != 0:
        pytest.skip(f"{module} cannot be fetched: {done.stdout.decode()[-300:]}")
    return Path(json.loads(done.stdout)["Dir"]) / folder


@cache
def schema(api_version: str, kind: str) -> dict[str, Any]:
    """JSON Schema of a kind, such as ``keda.sh/v1alpha1`` and ``ScaledObject``."""
    group, version = api_version.split("/")
    (file,) = _folder(group).glob(f"{group}_{kind.lower()}s.yaml")
    versions = yaml.safe_load(file.read_text("utf-8"))["spec"]["versions"]
    (found,) = [each["schema"]["openAPIV3Schema"] for each in versions if each["name"] == version]
    top = found["properties"]
    top["metadata"] = {"type": "object"}  # the API server's own
    closed: dict[str, Any] = _closed(found)
    return closed


def _closed(part: Any) -> Any:
    """Refuse fields that are not described."""
    if isinstance(part, list):
        return [_closed(each) for each in part]
    if not isinstance(part, dict):
        return part
    closed = {name: _closed(each) for name, each in part.items()}
    is_described = isinstance(part.get("properties"), dict) and part.get("type") == "object"
    if is_described and not part.get("x-kubernetes-preserve-unknown-fields") and "additionalProperties" not in part:
        closed["additionalProperties"] = False
    return closed
