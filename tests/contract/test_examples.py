"""The examples in docstrings are tests too."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import stream_app.domain
from stream_app.domain.metrics import REGISTRY
from tests.metric_example import compute

MODULES = [module.name for module in pkgutil.walk_packages(stream_app.domain.__path__, "stream_app.domain.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_true(name: str) -> None:
    """A docstring of the domain shows what happens, and needs no name but ``compute``."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    results = doctest.testmod(importlib.import_module(name), optionflags=flags, globs={"compute": compute})
    assert results.failed == 0


@pytest.mark.parametrize("name", REGISTRY)
def test_every_metric_has_an_example(name: str) -> None:
    """A metric's docstring shows a few rows and what comes of them."""
    shown = inspect.getdoc(REGISTRY[name]) or ""  # Python 3.13 strips the indentation of docstrings, older ones do not
    assert f'>>> compute("{name}", ' in shown.replace("(\n...     ", "(")
