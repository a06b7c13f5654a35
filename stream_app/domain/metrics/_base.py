"""The contract of a metric: what each row adds to its fields, and how its value follows from their totals."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, overload

import numpy as np
from numpy.typing import NDArray

from stream_app.columns.arrays import BoolArray, FloatArray
from stream_app.domain.fields import (
    MAX,
    MIN,
    SUM,
    At,
    Binned,
    Columns,
    Contribution,
    Field,
    Layout,
    even_bins,
    histogram,
)
from stream_app.domain.samples import Samples
from stream_app.domain.sequential import SequentialState
from stream_app.domain.specs import AssetSpecs
from stream_app.domain.statistics import STATISTICS

__all__ = [
    "MAX",
    "MIN",
    "SUM",
    "AssetSpecs",
    "At",
    "Binned",
    "Columns",
    "Contribution",
    "Field",
    "Metric",
    "MetricValues",
    "Reasons",
    "Samples",
    "Totals",
    "defined_where",
    "even_bins",
    "histogram",
    "measured_if_any",
    "not_negative",
    "sequential_states",
    "with_reads",
]


class Reasons(Sequence[str]):
    """Reasons of ``k`` values without an object each: value ``i`` has ``names[codes[i]]``; name 0 is "".

    Parameters
    ----------
    codes
        Shape ``(k,)``.
    names
        What the codes mean.
    """

    def __init__(self, codes: NDArray[np.uint8], names: tuple[str, ...]) -> None:
        self.codes, self.names = codes, names

    @classmethod
    def of(cls, reasons: Sequence[str]) -> Reasons:
        """Take any reasons; ``Reasons`` stay as they are."""
        if isinstance(reasons, Reasons):
            return reasons
        names = ("", *sorted({*reasons} - {""}))
        return cls(np.array([names.index(reason) for reason in reasons], np.uint8), names)

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, i: int) -> str: ...
    @overload
    def __getitem__(self, i: slice) -> Reasons: ...
    def __getitem__(self, i: int | slice) -> str | Reasons:
        return Reasons(self.codes[i], self.names) if isinstance(i, slice) else self.names[self.codes[i]]


@dataclass(frozen=True, slots=True)
class MetricValues:
    """A metric's value in ``k`` panes: ``value`` ``(k,)`` or ``(k, bins)``, NaN where undefined; ``reason`` says why.

    A defined value has the reason "". ``sigma`` is the standard uncertainty ``(k,)``, NaN where unknown.
    ``unchecked`` is the value that the gates hold back, NaN where not even that is defined.
    """

    value: FloatArray
    reason: Sequence[str]
    sigma: FloatArray | None = None
    unchecked: FloatArray | None = None


class Totals:
    """Totals of ``k`` panes (or lifetimes) as one metric sees them: own fields first, then the basic statistics.

    Plain fields have shape ``(k,)``, histograms ``(k, bins)``.
    """

    def __init__(
        self,
        totals: FloatArray,
        layout: Layout,
        prefix: str,
        span_s: FloatArray,
        residues: Mapping[type[SequentialState], FloatArray],
    ) -> None:
        self._totals, self._layout, self._prefix = totals, layout, prefix
        #: Time that the pane covers so far [s], shape ``(k,)``.
        self.span_s = span_s
        self._residues = residues

    def __getitem__(self, name: str) -> FloatArray:
        """A field of the metric, or a basic statistic that it names in ``statistics``."""
        key = self._prefix + name
        if key not in self._layout.at:
            key = statistic_key(name)
        return self._lines(self._layout.at[key], self._layout.fields[key].width)

    def of(self, metric: type[Metric]) -> Totals:
        """The same totals as another metric sees them, which the own one names in ``reads``."""
        return Totals(self._totals, self._layout, metric.prefix(), self.span_s, self._residues)

    def _lines(self, at: int, width: int) -> FloatArray:
        return self._totals[at] if width == 1 else self._totals[at : at + width].T

    def residue(self, state: type[SequentialState]) -> FloatArray:
        """What a lifetime's state holds that no event has told yet, ``(k, residue_width)``; 0 in windows."""
        return self._residues[state]


class Metric(ABC):
    """One number (or histogram) per asset and window; see CONTRIBUTING for a walk through one.

    A metric names its own ``fields`` and says what each row adds to them; it may read basic ``statistics`` and the
    events of ``sequential_states`` as well. Windows, merging, lateness, snapshots and the catalogue are written
    elsewhere, once.
    """

    name: ClassVar[str]
    unit: ClassVar[str]
    version: ClassVar[int] = 1
    fields: ClassVar[Mapping[str, Field]] = {}
    statistics: ClassVar[tuple[str, ...]] = ()
    sequential_states: ClassVar[tuple[type[SequentialState], ...]] = ()
    #: Metrics whose fields the value reads too, by ``totals.of(metric)``; all that they need is kept with them.
    reads: ClassVar[tuple[type[Metric], ...]] = ()
    #: Whether the value rests on step durations, so that its coverage of the time matters.
    timed: ClassVar[bool] = True
    #: Whether the value is a whole number.
    count: ClassVar[bool] = False

    def contribute(self, samples: Samples) -> Columns:
        """What row i adds to each own field: ``(n,)`` with NaN for nothing, or :class:`Binned`, or :class:`At`."""
        return {}

    @abstractmethod
    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Compute the value in each of the ``k`` panes from their totals."""

    @classmethod
    def prefix(cls) -> str:
        """Prefix of the own fields' keys: a changed version starts with empty fields."""
        return f"{cls.name}@{cls.version}."


def statistic_key(name: str) -> str:
    """Key of a basic statistic in the layout."""
    return f"{name}@{STATISTICS[name].version}"


def measured_if_any(totals: Totals, read_s: str) -> BoolArray:
    """Whether some valid step has a reading, or none is valid: false where the reading is missing."""
    return (totals[read_s] > 0) | (totals["valid_s"] <= 0)


def with_reads(metrics: Sequence[Metric]) -> tuple[Metric, ...]:
    """The metrics, then those that they read and that are not among them."""
    found = {metric.name: metric for metric in metrics}
    waiting = list(metrics)
    while waiting:
        for other in waiting.pop().reads:
            if other.name not in found:
                found[other.name] = other()
                waiting.append(found[other.name])
    return tuple(found.values())


def sequential_states(metrics: Sequence[Metric]) -> tuple[type[SequentialState], ...]:
    """Sequential states that the metrics name, each once."""
    return tuple(dict.fromkeys(state for metric in metrics for state in metric.sequential_states))


@contextmanager
def defined_where(
    checks: Mapping[str, BoolArray], gates: Mapping[str, BoolArray] | None = None
) -> Iterator[Callable[..., MetricValues]]:
    """Build values that are null where a check fails, with the first failing check's name as the reason.

    A value that fails only ``gates`` is defined but means little: it is null too, but shown as ``unchecked``.
    Divisions by what the checks exclude are silent within the block.
    """

    def defined(value: FloatArray, sigma: FloatArray | None = None) -> MetricValues:
        codes: NDArray[np.uint8] = np.zeros(len(value), np.uint8)
        names = ("", *checks, *(gates or {}))
        for code, holds in reversed([*enumerate([*checks.values(), *(gates or {}).values()], 1)]):
            codes = np.where(holds, codes, np.uint8(code))
        unchecked = None
        if gates:
            unchecked = _where((codes == 0) | (codes > len(checks)), value)
        return MetricValues(
            value=_where(codes == 0, value) if len(names) > 1 else value,
            reason=Reasons(codes, names),
            sigma=None if sigma is None else _where(codes == 0, sigma),
            unchecked=unchecked,
        )

    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        yield defined


def not_negative(value: FloatArray) -> FloatArray:
    """The value where it is above 0, else 0: of what only rounding makes negative."""
    return np.where(value > 0, value, 0.0)


def _where(mask: BoolArray, value: FloatArray) -> FloatArray:
    """Return the values, and NaN where the mask is false."""
    return np.where(mask if value.ndim == 1 else mask[:, None], value, np.nan)
