"""A worker's HTTP API, as the command line and the demo call it."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel

from schemas.asset import AssetSpec
from schemas.fleet import AssetPage
from schemas.lookup import AssetAnswer, Deleted, WindowsAnswer
from schemas.problem import Problem
from schemas.task import TaskAccepted, TaskStatus
from stream_app.errors import ExpectedError

_TIMEOUT_S = 10.0

Answer = TypeVar("Answer", bound=BaseModel)


class WorkerClientError(ExpectedError):
    """No worker answers, it refuses, or its answer cannot be read."""


class NoWorkerError(WorkerClientError):
    """Nobody answers at the URL."""

    def __init__(self, url: str, reason: Exception) -> None:
        super().__init__(
            f"no worker answers at {url} ({str(reason) or type(reason).__name__}): "
            "start one (stream-app worker, make demo) or name it with --url"
        )


class RefusedError(WorkerClientError):
    """The worker answered with a problem; the message is the problem's detail."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        try:
            detail = Problem.model_validate_json(response.content).detail
        except ValueError:
            detail = f"{response.url} answered {self.status}, which no worker does: check the URL"
        super().__init__(detail)


class UnreadableAnswerError(WorkerClientError):
    """The answer is not of the form that this release reads."""

    def __init__(self, url: httpx.URL) -> None:
        super().__init__(
            f"cannot read the answer of {url}: the worker is of another release, or the URL is another program's"
        )


class WorkerClient:
    """A worker's API; usable as an async context manager.

    Parameters
    ----------
    url
        Any worker's: each answers for all.
    key
        API key or token; None: the worker asks for none.
    """

    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None, key: str | None = None) -> None:
        self.url = url.rstrip("/")
        headers = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self._http = httpx.AsyncClient(base_url=self.url, timeout=_TIMEOUT_S, transport=transport, headers=headers)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def phase(self) -> str:
        """What the worker is doing; ``ready`` when it answers look-ups. NoWorkerError before its port is open."""
        response = await self._send(self._http.build_request("GET", "/health/live"))
        try:
            return str(response.json()["phase"])
        except (KeyError, TypeError, ValueError):
            raise UnreadableAnswerError(response.url) from None

    async def asset(self, asset_id: str) -> AssetAnswer:
        """Lifetime and open windows of an asset."""
        return _read(AssetAnswer, await self._asset(asset_id))

    async def asset_json(self, asset_id: str) -> bytes:
        """The same as :meth:`asset`, as the worker wrote it."""
        return (await self._asset(asset_id)).content

    async def _asset(self, asset_id: str) -> httpx.Response:
        return await self._send(self._http.build_request("GET", f"/api/v1/assets/{quote(asset_id, safe='')}"))

    async def windows(self, asset_id: str, size: str) -> WindowsAnswer:
        """Newest windows of a size, the first thousand."""
        path = f"/api/v1/assets/{quote(asset_id, safe='')}/windows/{size}"
        return _read(WindowsAnswer, await self._send(self._http.build_request("GET", path, params={"limit": 1_000})))

    async def assets(self, prefix: str = "", cursor: str = "") -> AssetPage:
        """Assets whose ids begin with ``prefix`` and follow ``cursor``, the first thousand."""
        params: dict[str, str | int] = {"prefix": prefix, "cursor": cursor, "limit": 1_000}
        request = self._http.build_request("GET", "/api/v1/assets", params=params)
        return _read(AssetPage, await self._send(request))

    async def forget(self, asset_id: str) -> Deleted:
        """Delete an asset's state and windows."""
        request = self._http.build_request("DELETE", f"/api/v1/assets/{quote(asset_id, safe='')}")
        return _read(Deleted, await self._send(request))

    async def put_spec(self, asset_id: str, spec: AssetSpec) -> None:
        """Replace an asset's spec."""
        path = f"/api/v1/assets/{quote(asset_id, safe='')}/spec"
        body = spec.model_dump(mode="json", exclude_none=True)
        await self._send(self._http.build_request("PUT", path, json=body))

    async def upload(self, file: Path, nominal_capacity_ah: float) -> str:
        """Upload a CSV file; returns the task id."""
        with file.open("rb") as data:
            request = self._http.build_request(
                "POST",
                "/api/v1/metrics",
                data={"nominal_capacity": str(nominal_capacity_ah)},
                files={"data": (file.name, data, "text/csv")},
            )
            return _read(TaskAccepted, await self._send(request)).task_id

    async def task(self, task_id: str) -> TaskStatus:
        """State of an upload."""
        return _read(TaskStatus, await self._send(self._http.build_request("GET", f"/api/v1/metrics/{task_id}")))

    async def _send(self, request: httpx.Request) -> httpx.Response:
        try:
            response = await self._http.send(request)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NoWorkerError(self.url, error) from None
        if not response.is_success:
            raise RefusedError(response)
        return response


def _read(kind: type[Answer], response: httpx.Response) -> Answer:
    try:
        return kind.model_validate_json(response.content)
    except ValueError:
        raise UnreadableAnswerError(response.url) from None
