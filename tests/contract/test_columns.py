"""The table of input columns: its lines are sound, and a new line is all that a new column needs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from schemas.columns import COLUMNS

ROOT = Path(__file__).parents[2]
NEW_LINE = (
    'Column("pressure", "pressure_pa", "Pa", 0.0, 1e7, "Coolant pressure [Pa]", '
    'titles="coolantpressure", since="0.2.0")'
)
PRESSURE = 101_325.5


def test_lines_are_sound() -> None:
    """Names and titles belong to one column each, limits are a range, and the description has the unit."""
    for column in COLUMNS:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", column.wire_name)
        assert column.name.isidentifier()
        assert column.low < column.high
        assert f"[{column.unit}]" in column.description
        assert re.fullmatch(r"\d+\.\d+\.\d+", column.since)
    titles = [title for column in COLUMNS for title in (column.wire_name.replace("_", ""), *column.titles.split())]
    for names in (titles, [column.wire_name for column in COLUMNS], [column.name for column in COLUMNS]):
        assert [name for name, count in Counter(names).items() if count > 1] == []


def test_a_new_column_is_one_new_line(tmp_path: Path) -> None:
    """With one more line in the table the column arrives in every form, within its limits, on the fast path.

    It runs in a process of its own, with a copy of the package ``schemas`` in front of the real one. Its machine code
    comes from the same files on disk as that of any other process: none of it may hold the names of the table.
    """
    shutil.copytree(ROOT / "schemas", tmp_path / "schemas")
    table = tmp_path / "schemas" / "columns.py"
    text = table.read_text("utf-8")
    assert text.count("\n)  # fmt: skip") == 1
    table.write_text(text.replace("\n)  # fmt: skip", f"\n    {NEW_LINE},\n)  # fmt: skip"), "utf-8")

    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    script = ROOT / "tests" / "contract" / "new_column.py"
    run = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr

    forms = ("row", "list", "columnar batch", "Arrow", "list into structs", "row by the contract")
    assert json.loads(run.stdout) == {
        "domain": "pressure_pa",
        "described": "Coolant pressure [Pa] (since 0.2.0)",
        "arrived": {form: [PRESSURE, PRESSURE] if form == "list" else [PRESSURE] for form in forms},
        "from a file": {form: [PRESSURE] for form in ("rows", "columns", "arrow")},
        "refused": dict.fromkeys(forms, "out_of_range"),
        "refused file": "out_of_range",
        "left by the fast path": 0,
    }
