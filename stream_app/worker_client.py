"""Asks a worker over HTTP: what the command line and the demo know about metrics, they know from here."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import httpx

from schemas.asset import AssetSpec
from schemas.lookup import AssetAnswer, AssetPage
from schemas.problem import Problem
from schemas.task import TaskAccepted, TaskStatus

_TIMEOUT_S = 10.0


class WorkerClientError(Exception):
    """A worker does not answer, or not as asked; the message is one line with the cure."""


class NoWorkerError(WorkerClientError):
    """Nobody answers at the URL."""

    def __init__(self, url: str, reason: Exception) -> None:
        super().__init__(
            f"no worker answers at {url} ({str(reason) or type(reason).__name__}): "
            "start one (stream-app worker, make demo) or name it with --url"
        )


class RefusedError(WorkerClientError):
    """The worker answered with a problem, told in its own words."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        try:
            detail = Problem.model_validate_json(response.content).detail
        except ValueError:
            detail = f"{response.url} answered {self.status}, as no worker of this program does: check the URL"
        super().__init__(detail)


class WorkerClient:
    """A worker's API; usable as an async context manager.

    Parameters
    ----------
    url
        Any worker's: each answers for all.
    """

    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.AsyncClient(base_url=self.url, timeout=_TIMEOUT_S, transport=transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def phase(self) -> str:
        """What the worker is doing; ``ready`` when it can be asked. NoWorkerError before its port is open."""
        response = await self._send(self._http.build_request("GET", "/health/live"))
        return str(response.json()["phase"])

    async def asset(self, asset_id: str) -> AssetAnswer:
        """Lifetime and open windows of an asset."""
        return AssetAnswer.model_validate_json(await self.asset_json(asset_id))

    async def asset_json(self, asset_id: str) -> bytes:
        """Return the same as the worker wrote it."""
        request = self._http.build_request("GET", f"/api/v1/assets/{quote(asset_id, safe='')}")
        return (await self._send(request)).content

    async def assets(self, prefix: str = "") -> AssetPage:
        """Assets whose ids begin with ``prefix``, the first thousand."""
        request = self._http.build_request("GET", "/api/v1/assets", params={"prefix": prefix, "limit": 1_000})
        return AssetPage.model_validate_json((await self._send(request)).content)

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
            return TaskAccepted.model_validate_json((await self._send(request)).content).task_id

    async def task(self, task_id: str) -> TaskStatus:
        """State of an upload."""
        response = await self._send(self._http.build_request("GET", f"/api/v1/metrics/{task_id}"))
        return TaskStatus.model_validate_json(response.content)

    async def _send(self, request: httpx.Request) -> httpx.Response:
        try:
            response = await self._http.send(request)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NoWorkerError(self.url, error) from None
        if not response.is_success:
            raise RefusedError(response)
        return response
