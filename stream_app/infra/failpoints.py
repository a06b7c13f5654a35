"""Points at which the fault suite has a worker die, hang, wait or fail; without ``STREAM_FAILPOINT`` they do nothing.

``STREAM_FAILPOINT=<point>:<nth>[+]:<kill|hang|sleep=SECONDS|raise>`` acts when the point is passed for the nth time;
with ``+`` from then on, each time. They stand once per fetch and once per step of a checkpoint, never per row.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from typing import Final, Literal

Point = Literal["after_fetch", "after_output_flush", "after_changelog_flush", "after_table_write", "after_commit"]

_ARMED: Final = os.environ.get("STREAM_FAILPOINT", "")
_passed: Counter[str] = Counter()


class FailpointError(Exception):
    """Raised by the action ``raise``."""


async def failpoint(point: Point) -> None:
    """Pass a point: act if ``STREAM_FAILPOINT`` names it."""
    if _ARMED:
        await _act(point, *_ARMED.split(":"))


async def _act(point: Point, armed: str, nth: str, action: str) -> None:
    if point != armed:
        return
    _passed[point] += 1
    due = int(nth.rstrip("+"))
    if _passed[point] < due or (_passed[point] > due and not nth.endswith("+")):
        return
    name, _, seconds = action.partition("=")
    match name:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            await asyncio.Event().wait()
        case "sleep":
            await asyncio.sleep(float(seconds))
        case "raise":
            msg = f"STREAM_FAILPOINT={_ARMED}"
            raise FailpointError(msg)
        case _:
            msg = f"STREAM_FAILPOINT={_ARMED}: unknown action: use kill, hang, sleep=SECONDS or raise"
            raise ValueError(msg)
