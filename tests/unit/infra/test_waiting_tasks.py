"""Where tasks wait, of the own loop and of one in another thread."""

from __future__ import annotations

import asyncio
import threading

import pytest

from stream_app.infra.kafka.engine.waiting_tasks import waiting_tasks


async def _inner(never: asyncio.Event) -> None:
    await never.wait()


async def _outer(never: asyncio.Event) -> None:
    await _inner(never)


def _lines(told: list[str]) -> list[str]:
    return [line for line in told if "_outer" in line]


async def test_each_coroutine_of_a_task_is_told_from_the_outside_in() -> None:
    task = asyncio.create_task(_outer(asyncio.Event()))
    await asyncio.sleep(0)
    (line,) = _lines(waiting_tasks([asyncio.get_running_loop()]))
    outer, inner, event = line.split(" > ")
    assert outer == f"_outer:{_outer.__code__.co_firstlineno + 1}"
    assert inner == f"_inner:{_inner.__code__.co_firstlineno + 1}"
    assert event.startswith("Event.wait:")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_task_that_has_ended_is_not_told() -> None:
    never = asyncio.Event()
    task = asyncio.create_task(_outer(never))
    never.set()
    await task
    assert not _lines(waiting_tasks([asyncio.get_running_loop()]))


def test_tasks_of_another_thread_are_told() -> None:
    loop, waits = asyncio.new_event_loop(), threading.Event()
    never = asyncio.Event()

    async def run() -> None:
        task = asyncio.ensure_future(_outer(never))
        loop.call_soon(waits.set)
        await task

    thread = threading.Thread(target=loop.run_until_complete, args=[run()])
    thread.start()
    assert waits.wait(10)
    told = _lines(waiting_tasks([loop]))
    loop.call_soon_threadsafe(never.set)
    thread.join()
    loop.close()
    assert len(told) == 1
    assert "_inner" in told[0]
