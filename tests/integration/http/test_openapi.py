"""The whole API as its document describes it, tried by schemathesis over real connections."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable

from stream_app.infra.http.api import ApiOptions
from stream_app.infra.http.server import HttpServer
from tests.fakes import FakeLog
from tests.unit.infra.http.conftest import Network, Site

#: Cases of an operation; all of them together take less than a minute.
EXAMPLES = 12


@pytest.fixture(scope="module")
def api() -> Iterator[Any]:
    """The API of a worker that has an asset with windows, and an upload, on a port of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> HttpServer:
        options = ApiOptions(max_upload_bytes=1_000_000, max_body_bytes=1_000_000)
        site = Site("127.0.0.1", Network(), FakeLog(), options)
        site.tables.put("bess-001", sizes=("1m", "15m"))
        site.tables.close_window("bess-001", "15m", -900)
        server = HttpServer(site.api, "127.0.0.1", 0)
        await server.start()
        return server

    server = asyncio.run_coroutine_threadsafe(start(), loop).result(20)
    found = schemathesis.openapi.from_url(f"http://127.0.0.1:{server.port}/openapi.json")
    # What a schema cannot say, such as that a file has a header, is refused as 422.
    found.config.checks.positive_data_acceptance.expected_statuses = ["2xx", "404", "412", "422"]
    yield found
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(20)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(20)
    loop.close()


def test_answers_are_as_the_document_says(api: Any) -> None:
    """Whatever is sent: no server error, no status, type or form that is not documented."""
    failures: dict[str, str] = {}
    found = [each.ok() for each in api.get_all_operations()]
    operations = [each for each in found if not each.path.endswith("/events")]  # a stream has no end
    assert len(operations) > 10
    for operation in operations:
        for mode in schemathesis.GenerationMode:

            @given(case=operation.as_strategy(generation_mode=mode))
            @settings(
                max_examples=EXAMPLES,
                deadline=None,
                derandomize=True,
                database=None,
                phases=[Phase.explicit, Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            def ask(case: Any) -> None:
                case.call_and_validate()

            try:
                ask()
            except Unsatisfiable:
                pass  # an operation without parameters takes nothing wrong
            except (Exception, BaseExceptionGroup) as error:
                failures[f"{operation.label}, {mode.value}"] = f"{type(error).__name__}: {error}"
    assert not failures, "\n\n".join(f"{name}: {told}" for name, told in failures.items())
