"""A catalogue's compiled code: what its metrics add and read is traced, written, and compiled with the loops."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from stream_app.columns.compiled import borrowing, compiled
from stream_app.columns.generated import generated_module
from stream_app.columns.quotient import floor_quotient
from stream_app.domain import reading, walk
from stream_app.domain.catalogue import Catalogue
from stream_app.domain.lines import Floats
from stream_app.domain.row_code import SequentialPlace, add_rows_source, add_waiting_source
from stream_app.domain.value_code import write_residues_source, write_values_source


@lru_cache(maxsize=8)
def compiled_walk(catalogue: Catalogue) -> Callable[..., bool]:
    """Return :func:`stream_app.domain.walk.walk` with the catalogue's metrics in it.

    Raises
    ------
    UntraceableError
        A metric does with a column what cannot be compiled.
    """
    floats = _floats(catalogue)
    places = [
        SequentialPlace(state.name, number, part.start, part.stop, state.event)
        for number, state in enumerate(catalogue.sequential_states)
        for part in (floats.state_at(type(state)),)
    ]
    text = add_rows_source(catalogue.trace, catalogue.layout, catalogue.columns, _carry(catalogue, floats), places)
    steps = {f"step_{state.name}": type(state).step for state in catalogue.sequential_states}
    compiled_walk: Callable[..., bool] = _module("walk", borrowing, [text], [walk.walk], vars(walk), steps).walk
    return compiled_walk


@dataclass(frozen=True, slots=True)
class CompiledReading:
    """:func:`stream_app.domain.reading.current` and ``read`` of a catalogue; numbers of all its states' residues."""

    current: Callable[..., None]
    read: Callable[..., None]
    residues: int


@lru_cache(maxsize=8)
def compiled_reading(catalogue: Catalogue) -> CompiledReading:
    """Return the reading of windows with the catalogue's metrics in it.

    Raises
    ------
    UntraceableError
        A metric does with a column or with its totals what cannot be compiled.
    """
    floats, states = _floats(catalogue), catalogue.sequential_states
    waiting = add_waiting_source(catalogue.trace, catalogue.layout, catalogue.columns, _carry(catalogue, floats))
    parts = [floats.state_at(type(state)) for state in states]
    residues, places = write_residues_source(
        [(state, part.start, part.stop) for state, part in zip(states, parts, strict=True)]
    )
    values = write_values_source(catalogue.values, catalogue.reading_layout, places)
    functions = {f"residue_{state.name}": type(state).residue for state in states if state.name in places}
    module = _module(
        "reading", compiled, [waiting, residues, *values], [reading.current, reading.read], vars(reading), functions
    )
    return CompiledReading(module.current, module.read, sum(state.residue_width for state in states))


def _floats(catalogue: Catalogue) -> Floats:
    return Floats(catalogue.layout, len(catalogue.carried), catalogue.sequential_states)


def _carry(catalogue: Catalogue, floats: Floats) -> dict[Any, int]:
    return {carried: floats.carry_at + number for number, carried in enumerate(catalogue.carried)}


def _module(
    name: str,
    decorator: Callable[..., Any],
    written: Sequence[str],
    templates: Sequence[Callable[..., Any]],
    known: Mapping[str, Any],
    functions: Mapping[str, Callable[..., Any]],
) -> ModuleType:
    """Compile what is written and the templates that call it by a decorator; ``known`` are the templates' globals."""
    parts = [*written, *(inspect.getsource(template) for template in templates)]
    source = "from __future__ import annotations\n" + "".join(f"\n\n@{decorator.__name__}\n{part}\n" for part in parts)
    names = {name for template in templates for name in template.__code__.co_names if name in known}
    stand_ins = {part.partition("(")[0].removeprefix("def ") for part in written}
    namespace = {
        "np": np,
        decorator.__name__: decorator,
        "floor_quotient": floor_quotient,
        **functions,
        **{name: known[name] for name in names - stand_ins},
    }
    return generated_module(name, source, namespace, _sources(functions))


def _sources(functions: Mapping[str, Callable[..., Any]]) -> str:
    """Text of all compiled code that generated code calls."""
    folders = {Path(__file__).parent, Path(__file__).parents[1] / "columns"}
    files = [file for folder in folders for file in folder.glob("*.py")]
    files += [Path(inspect.getfile(getattr(step, "py_func", step))) for step in functions.values()]
    return "\n".join(file.read_text("utf-8") for file in sorted(set(files)))
