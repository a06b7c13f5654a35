"""Curves of what was measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl

from bench.scale.latency import load_name
from bench.scale.testbed import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIZE_INCHES: Final = (7.0, 3.4)
_STYLE: Final[dict[Any, Any]] = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.ymargin": 0.1,
    "font.size": 9,
    "grid.alpha": 0.3,
    "lines.markersize": 4,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "bench",  # the same figures make the same file
}


def draw(results: Mapping[str, Sequence[Record]], directory: Path, suffix: str = "svg") -> dict[str, Path]:
    """Draw a figure of each experiment that has one; returns the files by experiment."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415  # after the choice of where to draw

    directory.mkdir(parents=True, exist_ok=True)
    files: dict[str, Path] = {}
    with mpl.rc_context(_STYLE):
        for name, records in results.items():
            if name not in _FIGURES or not records:
                continue
            number, paint = _FIGURES[name]
            figure, axes = plt.subplots(1, number, figsize=_SIZE_INCHES, layout="constrained", squeeze=False)
            paint(list(axes[0]), records)
            files[name] = directory / f"scale-{name}.{suffix}"
            figure.savefig(files[name], metadata={"Date": None} if suffix == "svg" else None, dpi=110)
            plt.close(figure)
    return files


def _assets(axes: Sequence[Axes], records: Sequence[Record]) -> None:
    known = [record for record in records if record["rows_per_s"]]
    assets = [record["assets"] for record in known]
    axes[0].plot(assets, [record["rows_per_s"] / 1000 for record in known], "o-", label="per wall second")
    axes[0].plot(assets, [record["rows_per_cpu_s"] / 1000 for record in known], "s--", label="per CPU second")
    axes[0].set(xscale="log", xlabel="assets", ylabel="thousand rows", title="Throughput")
    axes[0].set_ylim(bottom=0)
    axes[0].legend(frameon=False)
    axes[1].plot(assets, [record["peak_mb"] for record in known], "o-")
    axes[1].set(xscale="log", xlabel="assets", ylabel="MB", title="Peak memory of the worker")
    axes[1].set_ylim(bottom=0)


def _workers(axes: Sequence[Axes], records: Sequence[Record]) -> None:
    known = [record for record in records if record.get("rows_per_s")]
    names = [f"{record['workers']}" for record in known]
    axes[0].bar(names, [record["rows_per_s"] / 1000 for record in known], width=0.5)
    axes[0].set(xlabel="workers", ylabel="thousand rows/s", title="Throughput of the group")
    own = [record["cpu_s"] for record in known]
    axes[1].bar(names, own, width=0.5, label="workers")
    axes[1].bar(names, [record["others_cpu_s"] for record in known], width=0.5, bottom=own, label="broker and all else")
    axes[1].set(xlabel="workers", ylabel="CPU s", title="CPU time for the same rows")
    axes[1].legend(frameon=False)


def _latency(axes: Sequence[Axes], records: Sequence[Record]) -> None:
    for axis, name, title in zip(
        axes, ("topic_ms", "http_ms"), ("Until read from the topic", "Over HTTP"), strict=True
    ):
        for record in records:
            values = sorted(record[name])
            shares = [100 * (number + 1) / len(values) for number in range(len(values))]
            axis.plot(values, shares, label=load_name(record))
        axis.set(xscale="log", xlabel="ms at most", ylabel="% of the probes", title=title)
    axes[0].figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper", title="load", frameon=False)


def _overload(axes: Sequence[Axes], records: Sequence[Record]) -> None:
    for axis, record in zip(axes, records, strict=False):
        points = record.get("curve", [])
        axis.plot([at for at, _ in points], [mb for _, mb in points])
        axis.set(
            xlabel="s since the first rows", ylabel="resident MB", title=f"{record['rows']:,} rows, {record['form']}"
        )
        axis.set_ylim(bottom=0)


_FIGURES: Final[Mapping[str, tuple[int, Callable[[Sequence[Axes], Sequence[Record]], None]]]] = {
    "assets": (2, _assets),
    "workers": (2, _workers),
    "latency": (2, _latency),
    "overload": (2, _overload),
}
