"""Asks other workers over HTTP, one hop at most: what carries the hop header is answered from own tables."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx

from stream_app.infra.http.deps import HOP_HEADER
from stream_app.infra.telemetry import REQUEST_ID_HEADER, request_id
from stream_app.usecases.ports import PeerAnswer


class HttpPeers:
    """The workers of the group as :class:`stream_app.usecases.ports.Peers`.

    Parameters
    ----------
    timeout_s
        For a whole answer; a worker that needs longer counts as unreachable.
    transport
        Instead of the network.
    """

    def __init__(self, timeout_s: float, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._timeout_s = timeout_s
        # No proxy of the environment stands between workers.
        self._client = httpx.AsyncClient(
            timeout=timeout_s, headers={HOP_HEADER: "1"}, transport=transport, trust_env=False
        )

    async def get(self, worker: str, path: str, params: Mapping[str, str]) -> PeerAnswer | None:
        """GET a path below ``/api/v1/``; None when there is no answer in time."""
        headers = {} if (current := request_id()) is None else {REQUEST_ID_HEADER: current}
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._client.get(
                    f"{worker.rstrip('/')}/api/v1/{path}", params=dict(params), headers=headers
                )
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError):
            return None
        return PeerAnswer(worker, response.status_code, response.content)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()
