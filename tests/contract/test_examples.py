"""The examples in docstrings are tests too."""

import doctest
import importlib
import pkgutil

import pytest

import stream_app.domain

MODULES = [module.name for module in pkgutil.walk_packages(stream_app.domain.__path__, "stream_app.domain.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_true(name: str) -> None:
    """What a docstring of the domain shows is what happens."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    results = doctest.testmod(importlib.import_module(name), optionflags=flags)
    assert results.failed == 0
