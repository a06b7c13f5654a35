"""Probes and figures on a port of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import httpx

from stream_app.infra.http.monitoring import create_monitoring
from tests.unit.infra.http.conftest import OPTIONS
from tests.unit.infra.http.test_problems import problem_of

if TYPE_CHECKING:
    from tests.unit.infra.http.conftest import OpenSite


async def test_the_port_for_monitoring_has_figures_and_probes_alone(open_site: OpenSite) -> None:
    """The port of the API has the probes too, and the figures no longer."""
    site = open_site(options=replace(OPTIONS, has_figures=False))
    app = create_monitoring(site.api.state.services, ["worker.example"])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:9100") as monitoring:
        figures = await monitoring.get("/metrics")
        assert (figures.status_code, "process_cpu_seconds_total" in figures.text) == (200, True)
        assert (await monitoring.head("/metrics")).status_code == 200
        for path in ("/health/live", "/health/ready"):
            assert (await monitoring.get(path)).json()["phase"] == "ready"
            assert (await site.client.get(path)).status_code == 200
        for path in ("/api/v1/assets", "/docs", "/", "/openapi.json"):
            problem_of(await monitoring.get(path), 404, "unknown_path")
        problem_of(await monitoring.get("/metrics", headers={"Host": "evil.example"}), 421, "wrong_host")
        assert (await monitoring.get("/metrics", headers={"Host": "worker.example"})).status_code == 200
        problem_of(await site.client.get("/metrics"), 404, "unknown_path")
        site.cluster.phase = "recovering"
        problem_of(await monitoring.get("/health/ready"), 503, "not_ready")
