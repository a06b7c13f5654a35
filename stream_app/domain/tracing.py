"""What metrics add per row, as expressions: numpy's own functions build them when a column is symbolic.

A metric's ``contribute`` and every statistic run once with :class:`TracedSamples`, whose columns are
:class:`Expression` in place of arrays. Equal operations on equal operands are one node, so what many metrics have in
common is computed once. :mod:`stream_app.domain.row_code` writes the expressions as the body of a loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

import numpy as np

from stream_app.columns.arrays import FloatArray
from stream_app.domain.errors import UntraceableError
from stream_app.domain.fields import At, Binned, Columns
from stream_app.domain.samples import Among, Carried, Samples
from stream_app.domain.sequential import SequentialState
from stream_app.domain.specs import AssetSpecs

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


class Expression(np.lib.mixins.NDArrayOperatorsMixin):
    """One value per row (or per event), as an operation on others.

    Parameters
    ----------
    graph
        Keeps each distinct expression once.
    op
        An operator, a function's name, ``const``, ``leaf``, ``diff`` or ``event``.
    args
        Operands: expressions, or what ``op`` says.
    """

    __slots__ = ("args", "graph", "kind", "op")

    def __init__(self, graph: Graph, op: str, args: tuple[Any, ...], kind: Kind) -> None:
        self.graph, self.op, self.args, self.kind = graph, op, args, kind

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Expression:
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

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, options: Any) -> Expression:
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

    def __bool__(self) -> bool:
        raise UntraceableError("a branch on a value (if, and, or, not)", "use np.where, & and |")

    def __len__(self) -> int:
        return 1  # what is built to the length of a column is then one number, which lift takes

    __hash__ = object.__hash__  # nodes are one of a kind


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

    def carried(self) -> tuple[Carried, ...]:
        """Columns and kinds of row of all differences to the row before."""
        return tuple(sorted({(node.args[1], node.args[2]) for node in self._known.values() if node.op == "diff"}))

    def leaf(self, name: str, kind: Kind = "float") -> Expression:
        """Return what the loop has at hand under a name."""
        return self.node("leaf", name, kind=kind)


class TracedSamples(Samples):
    """Samples whose columns are expressions."""

    def __init__(self, graph: Graph, columns: Sequence[str], states: Sequence[SequentialState]) -> None:
        leaf = cast("Callable[..., Any]", graph.leaf)
        super().__init__(
            asset=np.zeros(1, np.int64),
            starts=np.zeros(1, np.int64),
            values={name: leaf(name) for name in columns},
            soc_following_percent=leaf("soc_following_percent"),
            dt_s=leaf("dt_s"),
            valid=leaf("valid", "bool"),
            gap_s=leaf("gap_s"),
            specs=AssetSpecs.of(),
            carried=(),
            carry=np.zeros((1, 0)),
        )
        self._graph = graph
        for state in states:
            told = {name: graph.node("event", state.name, name) for name in state.event}
            self.set_events(type(state), state.events(graph.node("event", state.name, "row", kind="int"), told))

    @property
    def rest_limit_a(self) -> FloatArray:
        """The asset's rest limit."""
        return cast(FloatArray, self._graph.leaf("rest_limit_a"))

    def diff(self, column: str, among: Among = "any") -> FloatArray:
        """Difference to the value before, which the loop keeps."""
        charging, discharging = cast("Any", self.charging), cast("Any", self.discharging)
        counts = {"any": None, "charging": charging, "discharging": discharging}[among]
        return cast(FloatArray, self._graph.node("diff", cast("Any", self[column]), column, among, counts))


@dataclass(frozen=True, slots=True)
class Addition:
    """What is added to a field.

    Parameters
    ----------
    field
        Its key in the layout.
    weight
        What is added; per row, or per event of ``event``.
    bin
        Into which bin of a histogram; None: the field is one number.
    event
        Name of the sequential state whose events add; None: rows add.
    """

    field: str
    weight: Expression
    bin: Expression | None = None
    event: str | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """All that rows add, field by field, and what the steps of the sequential states read.

    ``carried`` are the readings that are compared with those of an asset's next row.
    """

    additions: tuple[Addition, ...]
    inputs: Mapping[str, tuple[Expression, ...]]
    carried: tuple[Carried, ...]


def trace(
    contributors: Iterable[tuple[str, Callable[[Samples], Columns]]],
    columns: Sequence[str],
    states: Sequence[SequentialState],
) -> Trace:
    """Trace what adds to fields.

    Parameters
    ----------
    contributors
        Name of each statistic and metric, and what gives its fields' columns.
    columns
        What a row may have measured.
    states
        The sequential states whose events are added too.

    Raises
    ------
    UntraceableError
        A metric does with a column what cannot be compiled; names the metric and the cure.
    """
    graph = Graph()
    samples = TracedSamples(graph, columns, states)
    additions: list[Addition] = []
    for name, contribute in contributors:
        try:
            additions += [_addition(graph, field, column) for field, column in contribute(samples).items()]
        except UntraceableError as error:
            raise error.of(name) from None
    inputs = {state.name: tuple(map(graph.lift, state.inputs(samples))) for state in states}
    return Trace(tuple(additions), inputs, graph.carried())


def _addition(graph: Graph, field: str, column: object) -> Addition:
    if isinstance(column, At):
        return Addition(field, graph.lift(column.weight), event=_event(column.row))
    if isinstance(column, Binned):
        event = None if column.row is None else _event(column.row)
        return Addition(field, graph.lift(column.weight), graph.lift(column.bin), event)
    return Addition(field, graph.lift(column))


def _event(row: object) -> str:
    """Name of the sequential state whose events' rows these are."""
    if not isinstance(row, Expression) or row.op != "event":
        raise UntraceableError("rows that are not those of a sequential state's events", "pass its `row` on as it is")
    return str(row.args[0])
