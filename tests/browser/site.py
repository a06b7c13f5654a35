"""One worker that asks for keys, with assets of known rows; and a browser that tells everything that goes wrong."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, BrowserContext, Page, Response

from stream_app.settings import KafkaSettings
from tests.e2e.workers import ROOT, WorkerProcess, until

SAMPLE = ROOT / "example" / "sample_day.csv"
START_S = 1_772_323_200
#: What the browser itself says of an answer that is an error; tests expect some of these.
_FAILED = "Failed to load resource"


@dataclass
class Site:
    """The worker and its keys."""

    worker: WorkerProcess
    admin: str
    reader: str

    def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Ask the API as an administrator."""
        headers = {"Authorization": f"Bearer {self.admin}"}
        return httpx.request(method, self.worker.url + path, headers=headers, timeout=20, **request)

    def send(self, asset_id: str, soc_percent: float, *, at_s: int, power_a: float = -40.0) -> None:
        """Send three rows, two seconds apart, and wait until they are applied."""
        rows = [
            {
                "asset_id": asset_id,
                "timestamp": START_S + at_s + 2 * i,
                "current": power_a,
                "voltage": 900,
                "soc": soc_percent,
            }
            for i in range(3)
        ]
        answer = self.ask("POST", "/api/v1/measurements", json=rows)
        assert answer.status_code == 202, answer.text
        offset = answer.json()["written"][asset_id]["offset"]
        path = f"/api/v1/assets/{asset_id}?min_offset={offset}"
        until(lambda: self.ask("GET", path).status_code == 200, "the rows are applied")

    def command(self, *arguments: str) -> str:
        """Run ``stream-app`` beside the worker."""
        run = [sys.executable, "-m", "stream_app", *arguments]
        environment = self.worker._environment
        done = subprocess.run(run, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=90, check=True)
        return done.stdout.strip()


@contextmanager
def running_site(kafka: KafkaSettings, directory: Path) -> Iterator[Site]:
    """Start the worker and give it its first asset: ``day-1``, with the simulated day."""
    site = Site(WorkerProcess(kafka, directory), "", "")
    try:
        site.admin = site.command("keys", "create", "operator", "--scope", "admin")
        site.reader = site.command("keys", "create", "guest", "--scope", "read")
        site.worker.start(STREAM_SECURITY__MODE="keys").ready()
        site.command("produce", str(SAMPLE), "--asset", "day-1")
        spec = {"nominal_capacity_ah": 100, "warranty_full_cycles": 6000, "soc_high_percent": 90}
        until(lambda: site.ask("GET", "/api/v1/assets/day-1").status_code == 200, "the day arrives")
        assert site.ask("PATCH", "/api/v1/assets/day-1/spec", json=spec).status_code == 202
        yield site
    finally:
        if site.worker.is_alive():
            site.worker.terminate()


@dataclass
class Visit:
    """A page, and everything that it did wrong: errors of its console, and requests to other hosts."""

    page: Page
    url: str
    allowed: tuple[str, ...] = ()
    wrong: list[str] = field(default_factory=list)
    loaded_bytes: int = 0

    def __post_init__(self) -> None:
        """Listen."""
        self.page.on("console", lambda message: self._said(message.type, message.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda request: self._asked(request.url))
        self.page.on("response", self._count)

    def _said(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not any(each in text for each in self.allowed):
            self.wrong.append(f"{kind}: {text}")

    def _asked(self, url: str) -> None:
        if not url.startswith((self.url, "blob:", "data:")):
            self.wrong.append(f"asked {url}")

    def _count(self, response: Response) -> None:
        if "event-stream" not in response.headers.get("content-type", ""):
            self.loaded_bytes += int(response.headers.get("content-length", 0))

    def go(self, path: str) -> Page:
        """Open a page of the site."""
        self.page.goto(self.url + path)
        return self.page

    def expect_errors(self, *parts: str) -> None:
        """From here on the browser may say these."""
        self.allowed += (*parts,)

    def expect_refusals(self) -> None:
        """Answers that are errors are what the test is about."""
        self.expect_errors(_FAILED)


@contextmanager
def visit(browser: Browser, site: Site, key: str | None, **options: Any) -> Iterator[Visit]:
    """Open a browser of somebody's own, logged in with a key; nothing may be wrong at its end."""
    context: BrowserContext = browser.new_context(locale="en-GB", timezone_id="Europe/Berlin", **options)
    try:
        if key is not None:
            opened = context.request.post(
                f"{site.worker.url}/api/v1/session", data={"key": key}, headers={"Origin": site.worker.url}
            )
            assert opened.ok, opened.text()
        context.set_default_timeout(60_000)
        seen = Visit(context.new_page(), site.worker.url)
        yield seen
        assert seen.wrong == []
    finally:
        context.close()
