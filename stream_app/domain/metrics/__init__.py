"""The registry: every metric class of this folder's modules, found by its file."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

from stream_app.domain.metrics._base import Metric


def _found() -> Iterator[Metric]:
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda m: m.name):
        if module.name.startswith("_"):
            continue
        members = vars(importlib.import_module(f"{__name__}.{module.name}"))
        for member in members.values():
            own = (
                inspect.isclass(member) and issubclass(member, Metric) and member.__module__.endswith(f".{module.name}")
            )
            if own and not member.__name__.startswith("_"):
                yield member()


def _by_name() -> dict[str, Metric]:
    registry: dict[str, Metric] = {}
    for metric in _found():
        if metric.name in registry:
            msg = f"two metrics are named {metric.name!r}: {type(registry[metric.name])} and {type(metric)}; rename one"
            raise ValueError(msg)
        registry[metric.name] = metric
    return registry


#: All metrics by name.
REGISTRY: dict[str, Metric] = _by_name()
