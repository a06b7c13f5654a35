"""What every metric must have beside its class: a test file, a plain function, an example, a page that is current."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from types import CodeType

import pytest

from stream_app.domain.metrics import REGISTRY
from tests.oracle.plain import FOLDER, PREFIX, PlainFunction, plain_functions
from tools.metrics_page import PAGE, current, null_reasons

ROOT = Path(__file__).parents[2]


def _test_file(name: str) -> str:
    """Path of a metric's test file, which is named after the metric's module."""
    return f"{FOLDER}/test_{type(REGISTRY[name]).__module__.rpartition('.')[2]}.py"


@pytest.mark.parametrize("name", REGISTRY)
def test_metric_has_a_test_file(name: str) -> None:
    """Known numbers and limiting cases stand in a file of the metric's own."""
    file = _test_file(name)
    assert (ROOT / file).is_file(), f"create {file} with known numbers and limiting cases of {name}"


@pytest.mark.parametrize("name", REGISTRY)
def test_metric_has_a_plain_function(name: str) -> None:
    """The law of the plain computation finds one for every metric."""
    signature = f"def {PREFIX}{name}(part: Part) -> float | None"
    assert name in plain_functions(), (
        f"{name} has no plain function to be compared with: write `{signature}`, the formula as loops over part.rows, "
        f"in {_test_file(name)} (Part is in tests/oracle/rows.py)"
    )


def test_plain_functions_have_a_metric() -> None:
    """No plain function is left over from a metric that is gone."""
    assert plain_functions().keys() - REGISTRY.keys() == set()


@pytest.mark.parametrize("name", plain_functions())
def test_plain_function_shares_no_code_with_the_product(name: str) -> None:
    """A plain function that used the code under test would repeat its defects."""
    assert _product_code(plain_functions()[name]) == set()


@pytest.mark.parametrize("name", REGISTRY)
def test_docstring_names_every_reason(name: str) -> None:
    """The docstring of ``value`` names the reasons that its checks give, and no others; the page explains them all."""
    named = re.findall(r"``(\w+)``", type(REGISTRY[name]).value.__doc__ or "")
    given = null_reasons(REGISTRY[name])
    assert sorted(named) == sorted(given), f"value() of {name} gives {given}, its docstring names {tuple(named)}"
    reasons = PAGE.read_text("utf-8").partition("## Reasons\n")[2].partition("\n## ")[0]
    missing = [reason for reason in given if f"`{reason}`" not in reasons]
    assert not missing, f"say in the table of reasons in docs/metrics.md what {missing} mean"


def test_page_is_current() -> None:
    """The catalogue page is what the docstrings say."""
    page = PAGE.read_text("utf-8")
    if page != current(page):
        pytest.fail("docs/metrics.md is not what the metrics' docstrings say: run `make docs`", pytrace=False)


def _product_code(function: PlainFunction) -> set[str]:
    """Names from ``stream_app`` that a plain function uses, itself or through the functions of its own file."""
    module = inspect.getmodule(function)
    assert module is not None
    imported = {
        alias.asname or alias.name.partition(".")[0]
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if (getattr(node, "module", None) or alias.name).startswith("stream_app")
    }
    used, fresh = set[str](), _names(function.__code__)
    while fresh:
        used |= fresh
        called = [value for name in fresh if inspect.isfunction(value := vars(module).get(name))]
        fresh = {name for f in called if f.__module__ == module.__name__ for name in _names(f.__code__)} - used
    return used & imported


def _names(code: CodeType) -> set[str]:
    """Names that a code object and the expressions within it use."""
    return set(code.co_names).union(*(_names(inner) for inner in code.co_consts if isinstance(inner, CodeType)))
