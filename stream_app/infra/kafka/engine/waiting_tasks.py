"""Where the tasks of an event loop wait: the only trace of one that waits for something that never comes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any


def waiting_tasks(loops: Iterable[asyncio.AbstractEventLoop]) -> list[str]:
    """Tell of each task its coroutines, from the outside in, each with its line; loops may be of other threads."""
    tasks = [task for loop in loops for task in asyncio.all_tasks(loop)]
    return sorted(" > ".join(_places(task.get_coro())) for task in tasks)


def _places(awaited: Any) -> Iterator[str]:
    while (frame := _frame(awaited)) is not None:
        yield f"{frame.f_code.co_qualname}:{frame.f_lineno}"
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)


def _frame(awaited: Any) -> FrameType | None:
    """Frame of a coroutine or of an old-style generator; None: it has ended, or is neither (a future)."""
    return getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
