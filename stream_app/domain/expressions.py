"""Numbers as expressions: numpy's own functions build them when a column is symbolic.

Equal operations on equal operands are one node, so what many metrics have in common is computed once.
:mod:`stream_app.domain.expression_code` writes them as code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np

from stream_app.domain.errors import UntraceableError

Kind = Literal["float", "bool", "int"]

_FLOAT: Final = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "floor_divide": "//"}
_COMPARE: Final = {
    "greater": ">",
    "less": "<",
    "greater_equal": ">=",
    "less_equal": "<=",
    "equal": "==",
    "not_equal": "!=",
}
_LOGIC: Final = {"bitwise_and": "&", "logical_and": "&", "bitwise_or": "|", "logical_or": "|"}
_CALLS: Final[Mapping[str, Kind]] = {
    "absolute": "float",
    "negative": "float",
    "sqrt": "float",
    "minimum": "float",
    "maximum": "float",
    "isnan": "bool",
    "isfinite": "bool",
}
_CURE: Final = (
    "use + - * / //, comparisons, & | ~, np.abs, np.sqrt, np.minimum, np.maximum, np.clip, np.isnan, np.isfinite, "
    "np.where and astype, which work row by row"
)
_BESIDE_BINS: Final = (slice(None), None)


class Expression(np.lib.mixins.NDArrayOperatorsMixin):
    """One value per row, event or window, as an operation on others.

    Parameters
    ----------
    graph
        Keeps each distinct expression once.
    op
        An operator, a function's name, ``const``, ``leaf``, or what a trace adds (``diff``, ``event``, ``total`` ...).
    args
        Operands: expressions, or what ``op`` says.
    """

    __slots__ = ("args", "graph", "kind", "op")
    ndim = 1

    def __init__(self, graph: Graph, op: str, args: tuple[Any, ...], kind: Kind) -> None:
        self.graph, self.op, self.args, self.kind = graph, op, args, kind

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if any(isinstance(given, Bins) for given in inputs):
            return NotImplemented  # theirs to answer
        name = ufunc.__name__
        operands = tuple(self.graph.lift(given) for given in inputs)
        if method != "__call__" or options:
            raise UntraceableError(f"{name}.{method}" if method != "__call__" else f"{name} with options", _CURE)
        if name in _FLOAT:
            return self.graph.node(_FLOAT[name], *operands)
        if name in _COMPARE:
            return self.graph.node(_COMPARE[name], *operands, kind="bool")
        if name in _LOGIC:
            return self.graph.node(_LOGIC[name], *operands, kind="bool")
        if name in {"invert", "logical_not"}:
            return self.graph.node("not", *operands, kind="bool")
        if name == "clip":
            return self.graph.clip(*operands)
        if name in _CALLS:
            return self.graph.node(name, *operands, kind=_CALLS[name])
        raise UntraceableError(name, _CURE)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, options: Any) -> Any:
        if Bins in types:
            return NotImplemented
        lifted = [self.graph.lift(given) for given in args]
        if function is np.where and not options and len(lifted) == 3:
            return self.graph.node("where", *lifted, kind=lifted[1].kind)
        if function is np.clip and not options and len(lifted) == 3:
            return self.graph.clip(*lifted)
        raise UntraceableError(function.__name__, _CURE)

    def astype(self, dtype: Any) -> Expression:
        """Convert as numpy does."""
        to: Kind = "float" if np.dtype(dtype).kind == "f" else "int"
        return self if self.kind == to else self.graph.node(to, self, kind=to)

    def __getitem__(self, index: Any) -> Expression:
        if index != _BESIDE_BINS:
            raise UntraceableError(f"the index {index!r}", _CURE)
        return self

    def __bool__(self) -> bool:
        raise UntraceableError("a branch on a value (if, and, or, not)", "use np.where, & and |")

    def __len__(self) -> int:
        return 1  # what is built to the length of a column is then one number, which lift takes

    __hash__ = object.__hash__  # nodes are one of a kind


class Bins(np.lib.mixins.NDArrayOperatorsMixin):
    """A histogram: an expression per bin, as numpy has columns ``(k, bins)``; operations take bin by bin."""

    ndim = 2

    def __init__(self, bins: Sequence[Expression]) -> None:
        self.bins = tuple(bins)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Bins:
        return self._each(getattr(ufunc, method), inputs, options)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, options: Any) -> Any:
        if function is np.sum:
            return self.sum(*args[1:], **options)
        return self._each(function, args, options)

    def _each(self, function: Callable[..., Any], given: Sequence[Any], options: Mapping[str, Any]) -> Bins:
        try:
            each = zip(*(one.bins if isinstance(one, Bins) else [one] * len(self.bins) for one in given), strict=True)
            return Bins([function(*operands, **options) for operands in each])
        except ValueError as error:
            raise UntraceableError("histograms of different bins", "give both as many bins") from error

    def sum(self, axis: int | None = None) -> Expression:
        """Sum of the bins, in their order."""
        if axis not in (1, -1):
            raise UntraceableError(f"a sum over axis {axis}", "use axis=1, the bins")
        first, *others = self.bins
        return sum(others, first)

    def copy(self) -> Bins:
        """Itself: it never changes."""
        return self

    def __getitem__(self, index: Any) -> Expression | Bins:
        every, which = index if isinstance(index, tuple) and len(index) == 2 else (None, None)
        if every != slice(None) or not isinstance(which, int | slice):
            raise UntraceableError(f"the index {index!r} of a histogram", "use [:, i], with a number or a slice")
        return self.bins[which] if isinstance(which, int) else Bins(self.bins[which])

    def __len__(self) -> int:
        return 1

    __hash__ = object.__hash__


class Graph:
    """All expressions of one trace, each once."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], Expression] = {}

    def node(self, op: str, *args: Any, kind: Kind = "float") -> Expression:
        """Return the expression; the same one for the same operation on the same operands."""
        key = (op, *(("node", id(arg)) if isinstance(arg, Expression) else arg for arg in args))
        if key not in self._known:
            self._known[key] = Expression(self, op, args, kind)
        return self._known[key]

    def lift(self, given: Any) -> Expression:
        """Take an expression, a number or an array of one number."""
        if isinstance(given, Expression):
            return given
        number = np.asarray(given)
        if number.size != 1 or number.dtype.kind not in "fiub":
            raise UntraceableError(f"{given!r} beside a column", "give a number, or a column of the samples")
        value = float(number.reshape(-1)[0])
        return self.node("const", "nan" if np.isnan(value) else value)

    def clip(self, value: Expression, low: Expression, high: Expression) -> Expression:
        """Return numpy's clip."""
        return self.node("minimum", self.node("maximum", value, low), high)

    def nodes(self, op: str) -> Iterator[Expression]:
        """All expressions of one operation."""
        return (node for node in self._known.values() if node.op == op)

    def leaf(self, name: str, kind: Kind = "float") -> Expression:
        """Return what the loop has at hand under a name."""
        return self.node("leaf", name, kind=kind)
