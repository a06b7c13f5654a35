"""The alerts of deploy/monitoring as the Prometheus operator takes them: ``make docs`` writes it, a test compares."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

DEPLOY: Final = Path(__file__).parents[1] / "deploy"
FILE: Final = DEPLOY / "k8s" / "components" / "monitoring" / "prometheus-rule.yaml"
_HEAD: Final = "# Generated from deploy/monitoring/alerts.yml by `make docs`.\n"


class _Dumper(yaml.SafeDumper):
    """Indents the items of lists."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def prometheus_rule() -> str:
    """Text of the resource."""
    rules: dict[str, Any] = yaml.safe_load((DEPLOY / "monitoring" / "alerts.yml").read_text("utf-8"))
    labels = {"app.kubernetes.io/name": "stream-app", "app.kubernetes.io/component": "worker"}
    resource = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "stream-app", "labels": labels},
        "spec": rules,
    }
    return _HEAD + yaml.dump(resource, Dumper=_Dumper, sort_keys=False, width=120)


if __name__ == "__main__":
    FILE.write_text(prometheus_rule(), encoding="utf-8")
