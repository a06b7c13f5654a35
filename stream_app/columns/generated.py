"""Generated source as a module: kept on disk by its hash, so that machine code made of it is kept like any other's."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any


def generated_module(name: str, source: str, namespace: Mapping[str, Any], depends_on: str) -> ModuleType:
    """Import source text.

    Parameters
    ----------
    name
        What the module's name and file begin with.
    namespace
        What the source finds as globals.
    depends_on
        Changes when anything changes that the namespace brings: machine code of one is never taken for the other's.
    """
    digest = hashlib.sha256("\n".join((source, depends_on)).encode()).hexdigest()[:16]
    full_name = f"{name}_{digest}"
    if full_name in sys.modules:
        return sys.modules[full_name]
    path = _kept(full_name, source)
    spec = importlib.util.spec_from_file_location(full_name, path)
    if spec is None or spec.loader is None:
        msg = f"{path} cannot be imported"
        raise ImportError(msg)
    module = importlib.util.module_from_spec(spec)
    vars(module).update(namespace)
    sys.modules[full_name] = module
    spec.loader.exec_module(module)
    return module


def _kept(name: str, source: str) -> Path:
    """File of the source: in ``NUMBA_CACHE_DIR``, beside this package's machine code, or in the user's cache.

    What stands there under the name is taken only if it is this source: it is going to be run.
    """
    own = os.environ.get("NUMBA_CACHE_DIR")
    folders = [Path(own)] if own else [Path(__file__).parent / "__pycache__", Path.home() / ".cache" / "stream-app"]
    for folder in folders:
        path = folder / f"{name}.py"
        with suppress(OSError):
            if not path.is_file() or path.read_text("utf-8") != source:
                _write(path, source)
            return path
    with suppress(OSError):  # nothing can be kept: in a folder of this process alone, compiled at every start
        path = Path(tempfile.mkdtemp(prefix="stream-app-")) / f"{name}.py"
        _write(path, source)
        return path
    msg = "no folder can be written for generated code: set NUMBA_CACHE_DIR to one that can"
    raise OSError(msg)


def _write(path: Path, source: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}")
    part.write_text(source, encoding="utf-8")
    part.replace(path)
