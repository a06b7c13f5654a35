"""After its warm-up a worker has all the machine code that it needs: compiling would stop it for seconds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher

from stream_app.warm_up import Messages, fetch_of, warm_up
from stream_app.wire.decode import arrow
from tests.unit.usecases.site import Site, a_row

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="NUMBA_DISABLE_JIT: nothing is compiled")
def test_nothing_is_compiled_after_the_warm_up() -> None:
    """Fetches of all forms, of one batch and of several, small and large, with lateness, after a restart, look-ups."""
    # A process of its own: what other tests have compiled is no help there.
    probe = [sys.executable, "-c", "from tests.unit.test_warm_up import probe; probe()"]
    done = subprocess.run(probe, cwd=ROOT, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "compiled: none\n"), done.stderr[-2000:]


def test_pandas_is_not_imported() -> None:
    """A start does not pay for pandas, which pyarrow imports where it is installed if an array is made of numpy's."""
    code = "import sys; from stream_app.warm_up import warm_up; warm_up(); sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def probe() -> None:
    """Tell what is compiled after the warm-up."""
    warm_up()
    before = _signatures()
    assert len(before) > 10
    for lateness_s in (0.0, 5.0):
        site = Site(lateness_s=lateness_s)
        offset = 0
        mixed = [*_singles("b", 1000, 1300), *_bad()]
        for messages in (_singles("a", 0, 3), *_forms(), _singles("a", 500, 900), mixed):
            for parts in ([messages], [messages[: len(messages) // 2], messages[len(messages) // 2 :]]):
                fetch = fetch_of(offset, [part for part in parts if part])
                site.ingest.apply(fetch)
                site.written()
                offset = fetch.end
        site.restarted()
        site.ingest.apply(fetch_of(offset, [_singles("a", 2000, 2100)]))
        site.written()
        site.lifetime("a")
        site.closed_windows()
    after = _signatures()
    new = {name: [str(s) for s in signatures if s not in before[name]] for name, signatures in after.items()}
    sys.stdout.write(f"compiled: {({name: some for name, some in new.items() if some}) or 'none'}\n")


def _signatures() -> dict[str, list[object]]:
    modules = [
        module for name, module in list(sys.modules.items()) if name.startswith(("stream_app", "walk_", "reading_"))
    ]
    compiled = {each for module in modules for each in vars(module).values() if isinstance(each, Dispatcher)}
    return {f"{each.py_func.__module__}.{each.py_func.__name__}": list(each.signatures) for each in compiled}


def _singles(asset: str, start: int, end: int) -> Messages:
    return [
        (asset.encode(), json.dumps({"asset_id": asset, **a_row(i, soc=50 + i % 7, temperature=20)}).encode())
        for i in range(start, end)
    ]


def _forms() -> list[Messages]:
    rows = [a_row(i, soc=40 + i % 30, power=None) for i in range(400)]
    columns = {name: np.array([row[name] for row in rows], float) for name in ("current", "voltage", "soc")}
    stamps = np.array([row["timestamp"] for row in rows], "datetime64[s]")
    listed = {name: [row[name] for row in rows] for name in rows[0]}
    return [
        [(b"l", json.dumps([{"asset_id": "l", **row} for row in rows]).encode())] * 2,
        [(b"c", json.dumps({"asset_id": "c", **listed}).encode())],
        [(b"x", arrow.write(stamps, columns))],
        [*_singles("y", 0, 50), (b"x", arrow.write(stamps + 500, columns)), *_singles("y", 50, 90)],
    ]


def _bad() -> Messages:
    return [
        (b"z", b"no row"),
        (b"z", b'{"asset_id":"z","timestamp":"4/13/2022 0:00","current":1e999,"voltage":1,"soc":1}'),
    ]
