"""Asks other workers over HTTP, one hop at most: what is signed as a hop is answered from own tables."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Mapping
from pathlib import Path

import httpx

from stream_app.infra.http.hops import HOP_HEADER, RIGHTS_HEADER, HopKey, target_of
from stream_app.infra.telemetry import REQUEST_ID_HEADER, request_id
from stream_app.usecases.ports import PeerAnswer
from stream_app.usecases.rights import current_rights

log = logging.getLogger(__name__)


def _trust(cafile: Path | None) -> ssl.SSLContext | bool:
    return True if cafile is None else ssl.create_default_context(cafile=str(cafile))


class HttpPeers:
    """The workers of the group as :class:`stream_app.usecases.ports.Peers`.

    Parameters
    ----------
    key
        Signs the questions.
    timeout_s
        For a whole answer; a worker that needs longer counts as unreachable.
    transport
        Instead of the network.
    cafile
        PEM file of the authority of the workers' certificates; None: the system's authorities.
    """

    def __init__(
        self,
        key: HopKey,
        timeout_s: float,
        transport: httpx.AsyncBaseTransport | None = None,
        cafile: Path | None = None,
    ) -> None:
        self._key, self._timeout_s = key, timeout_s
        self._told = False
        # No proxy of the environment stands between workers.
        self._client = httpx.AsyncClient(
            timeout=timeout_s,
            headers={"Accept-Encoding": "identity"},
            transport=transport,
            trust_env=False,
            verify=_trust(cafile),
        )

    async def get(self, worker: str, path: str, params: Mapping[str, str]) -> PeerAnswer | None:
        """GET a path below ``/api/v1/``; None when there is no answer in time."""
        headers = {} if (current := request_id()) is None else {REQUEST_ID_HEADER: current}
        rights = current_rights().written()
        try:
            async with asyncio.timeout(self._timeout_s):
                request = self._client.build_request(
                    "GET", f"{worker.rstrip('/')}/api/v1/{path}", params=dict(params), headers=headers
                )
                if (signed := self._key.sign(target_of(request.url.raw_path), rights)) is None:
                    self._tell_unsigned()
                    return None
                request.headers.update({HOP_HEADER: signed, RIGHTS_HEADER: rights})
                response = await self._client.send(request)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError):
            return None
        if response.status_code == 403 and b'"foreign_hop"' in response.content:
            return None  # it does not know this worker, or not yet: nothing to tell whoever has asked here
        return PeerAnswer(worker, response.status_code, response.content, response.headers.get("etag"))

    def _tell_unsigned(self) -> None:
        if not self._told:
            self._told = True
            log.error(
                "this worker cannot ask others: Kafka gives the measurements topic no id that would prove it a worker; "
                "set STREAM_HTTP__SECRET_FILE to a file with the same secret on all workers"
            )

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()
