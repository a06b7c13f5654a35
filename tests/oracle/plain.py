"""Finds each metric's plain function, which stands in the metric's test file as ``plain_<name of the metric>``."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from tests.oracle.rows import Part

PREFIX = "plain_"
FOLDER = "tests/unit/domain/metrics"

PlainFunction = Callable[[Part], Any]


@cache
def plain_functions() -> dict[str, PlainFunction]:
    """Plain functions of all test files, by metric."""
    files = sorted((Path(__file__).parents[2] / FOLDER).glob("test_*.py"))
    modules = [importlib.import_module(f"{FOLDER.replace('/', '.')}.{file.stem}") for file in files]
    return {
        name.removeprefix(PREFIX): function
        for module in modules
        for name, function in vars(module).items()
        if name.startswith(PREFIX) and inspect.isfunction(function)
    }
