"""Results that the repository keeps: one file a release, ``bench/results/VERSION.json``, a section for each program.

``{"schema": 1, "version": ..., "peers": {...}, "scale": {...}, "profile": {...}}``. Each section has the date, the
commit, the shape of the machine (cores, memory, Python; no names, no paths), the Kafka, and ``rows``: those of the
table, by the table's name where a program has several. ``--record`` writes a section; the file's other sections stay.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bench.environments import ROOT
from bench.provenance import commit, write
from stream_app import __version__

SCHEMA: Final = 1
RESULTS: Final = ROOT / "bench" / "results"
#: Of the machine that something was measured on.
_SHAPE: Final = ("cores", "memory_gb", "python")


class NotCommittedError(Exception):
    """What is measured is not what a commit says."""


def check_committed() -> None:
    """Raise NotCommittedError, before hours are spent, if a kept result could not name its commit."""
    found = commit()
    if found is None or found.endswith("-dirty"):
        msg = "a result that is kept names its commit: commit the changes of the tree first"
        raise NotCommittedError(msg)


def section(measured: Mapping[str, Any], rows: Any) -> dict[str, Any]:
    """What is kept of a measurement (``bench.provenance.record``) and of the rows of its table."""
    return {
        "date": measured["date"],
        "commit": measured["commit"],
        "machine": {name: measured["machine"][name] for name in _SHAPE},
        "kafka": measured["versions"].get("kafka", []),
        "rows": rows,
    }


def keep(name: str, content: Mapping[str, Any], directory: Path = RESULTS, version: str = __version__) -> Path:
    """Enter a section in the release's file; returns the file."""
    file = directory / f"{version}.json"
    before = json.loads(file.read_text("utf-8")) if file.exists() else {"schema": SCHEMA, "version": version}
    write(file, {**before, name: content})
    return file


def scalars(record: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a record that a table can show: no curves, no single durations."""
    return {name: value for name, value in record.items() if not isinstance(value, (list, dict))}
