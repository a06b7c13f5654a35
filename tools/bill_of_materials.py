"""The packages of this environment as a CycloneDX document on stdout, for whoever audits the container image."""

from __future__ import annotations

import json
import sys
from importlib.metadata import Distribution, distributions
from typing import Any, Final

_SPEC: Final = "1.6"


def document() -> dict[str, Any]:
    """Bill of materials: name, version, address and licence of each package; the same packages give the same text."""
    found = {name: _component(one) for one in distributions() if (name := one.metadata["Name"])}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": _SPEC,
        "version": 1,
        "components": [found[name] for name in sorted(found, key=str.lower)],
    }


def _component(one: Distribution) -> dict[str, Any]:
    name, version = one.metadata["Name"], one.version
    address = f"pkg:pypi/{name.lower().replace('_', '-')}@{version}"
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": address,
        "name": name,
        "version": version,
        "purl": address,
    }
    expressions = one.metadata.get_all("License-Expression")
    named = [
        word.rpartition(" :: ")[2] for word in one.metadata.get_all("Classifier", ()) if word.startswith("License ::")
    ]
    if expressions:
        component["licenses"] = [{"expression": expressions[0]}]
    elif named:
        component["licenses"] = [{"license": {"name": each}} for each in named]
    return component


if __name__ == "__main__":
    sys.stdout.write(json.dumps(document(), indent=1) + "\n")
