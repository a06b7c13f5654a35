"""A catalogue's walk: what its metrics add is traced, written as code, and compiled with the walk around it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from stream_app.columns.compiled import compiled
from stream_app.columns.generated import generated_module
from stream_app.domain import walk as template
from stream_app.domain.catalogue import Catalogue
from stream_app.domain.lines import Floats
from stream_app.domain.row_code import SequentialPlace, add_rows_source


@lru_cache(maxsize=8)
def compiled_walk(catalogue: Catalogue) -> Callable[..., bool]:
    """Return :func:`stream_app.domain.walk.walk` with the catalogue's metrics in it.

    Raises
    ------
    UntraceableError
        A metric does with a column what cannot be compiled.
    """
    floats = Floats(catalogue.layout, len(catalogue.carried), catalogue.sequential_states)
    carry = {carried: floats.carry_at + number for number, carried in enumerate(catalogue.carried)}
    places = [
        SequentialPlace(state.name, number, part.start, part.stop, state.event)
        for number, state in enumerate(catalogue.sequential_states)
        for part in (floats.state_at(type(state)),)
    ]
    text = add_rows_source(catalogue.trace, catalogue.layout, catalogue.columns, carry, places)
    steps = {f"step_{state.name}": type(state).step for state in catalogue.sequential_states}
    source = (
        f"from __future__ import annotations\n\n\n@compiled\n{text}\n\n\n@compiled\n{inspect.getsource(template.walk)}"
    )
    namespace: dict[str, Any] = {"np": np, "compiled": compiled, **steps}
    globals_ = vars(template)
    namespace |= {name: globals_[name] for name in template.walk.__code__.co_names if name in globals_}
    namespace.pop("add_rows")
    module = generated_module("walk", source, namespace, _sources(steps))
    walk: Callable[..., bool] = module.walk
    return walk


def _sources(steps: dict[str, Callable[..., int]]) -> str:
    """Text of all compiled code that the walk calls."""
    folders = {Path(__file__).parent, Path(__file__).parents[1] / "columns"}
    files = [file for folder in folders for file in folder.glob("*.py")]
    files += [Path(inspect.getfile(getattr(step, "py_func", step))) for step in steps.values()]
    return "\n".join(file.read_text("utf-8") for file in sorted(set(files)))
