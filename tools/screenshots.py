"""Pictures of the dashboard for the documentation, docs/img/dashboard-*.png: of a demo that runs for some minutes."""

from __future__ import annotations

import argparse
import io
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx
from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT: Final = Path(__file__).parents[1]
OUT: Final = ROOT / "docs" / "img"
SAMPLE: Final = ROOT / "example" / "sample_day.csv"
#: Colours of a picture: plain surfaces and text need few.
_COLOURS: Final = 256
_DAY_S: Final = 86_400
_READY_S: Final = 300.0
_FILL_S: Final = 900.0


def main() -> None:
    """Run a demo, wait for its past, and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="Take them of this demo instead")
    parser.add_argument("--days", type=float, default=9.0, help="Simulated days to wait for [9]")
    options = parser.parse_args()
    if options.url:
        _take_all(options.url)
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "stream_app", "demo", "--data-dir", folder, "--port", str(port)]
        demo = subprocess.Popen([*command, "--speed", "4000", "--assets", "8"], cwd=ROOT)  # noqa: S603  # our own
        try:
            url = f"http://127.0.0.1:{port}"
            _until(lambda: _status(url) == 200, _READY_S, "the demo is ready")
            _until(lambda: _days(url) >= options.days, _FILL_S, f"{options.days:g} days are simulated")
            _take_all(url)
        finally:
            demo.terminate()
            demo.wait(60)


def _until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            sys.exit(f"not within {seconds:.0f} s: {what}")
        time.sleep(1)


def _status(url: str) -> int:
    try:
        return httpx.get(f"{url}/health/ready").status_code
    except httpx.TransportError:
        return 0


def _days(url: str) -> float:
    """Simulated days that the first asset has seen."""
    answer = httpx.get(f"{url}/api/v1/assets/demo-01")
    if answer.status_code != 200:
        return 0.0
    lifetime = answer.json()["lifetime"]
    return float(lifetime["metrics"]["total_data_points"]["value"]) * 2 / _DAY_S if lifetime else 0.0


def _late_rows(url: str) -> None:
    """Send what becomes dead letters."""
    for stamps in ((1_772_323_200, 1_772_323_202), (1_772_300_000,), (1_772_299_000,)):
        rows = [{"asset_id": "site-9", "timestamp": stamp, "current": 5, "voltage": 890, "soc": 50} for stamp in stamps]
        httpx.post(f"{url}/api/v1/measurements", json=rows).raise_for_status()
        time.sleep(1)


def _take_all(url: str) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium is not there: install it (Debian, Ubuntu: apt-get install chromium)")
    _late_rows(url)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        light = browser.new_page(viewport={"width": 1360, "height": 860}, color_scheme="light")
        dark = browser.new_page(viewport={"width": 1360, "height": 860}, color_scheme="dark")
        phone = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme="dark")
        _save(_opened(light, f"{url}/"), "fleet")
        _save(_opened(light, f"{url}/assets/demo-03"), "asset", height=1560)
        _save(_opened(dark, f"{url}/assets/demo-03"), "asset-dark")
        _save(_opened(phone, f"{url}/assets/demo-03"), "phone")
        _upload(light, url)
        _save(_opened(light, f"{url}/dead-letters"), "dead-letters")
        _opened(light, f"{url}/system").wait_for_timeout(20_000)
        _save(light, "system")
        _save(_opened(light, f"{url}/catalogue"), "catalogue")
        browser.close()


def _opened(page: Page, address: str) -> Page:
    page.goto(address)
    page.locator("#live[data-live=on]").wait_for()
    page.wait_for_timeout(6000)  # plots and rates need a second look at the values
    return page


def _upload(page: Page, url: str) -> None:
    _opened(page, f"{url}/uploads").locator("#file").set_input_files(SAMPLE)
    page.get_by_label("Nominal capacity [Ah]").fill("100")
    _save(page, "upload", height=1160)
    page.get_by_role("button", name="Compute the metrics").click()
    page.get_by_role("heading", name=re.compile("Result of")).wait_for(timeout=60_000)
    page.get_by_role("link", name="Report to print").click()
    page.wait_for_load_state()
    page.set_viewport_size({"width": 1000, "height": 860})
    _save(page, "report", height=1160)
    page.set_viewport_size({"width": 1360, "height": 860})


def _save(page: Page, name: str, height: int | None = None) -> None:
    page.evaluate("scrollTo(0, 0)")  # the head of a page stays in view
    size = page.viewport_size or {"width": 1360, "height": 860}
    clip = None if height is None else {"x": 0, "y": 0, "width": size["width"], "height": height}
    picture = Image.open(io.BytesIO(page.screenshot(full_page=height is not None, clip=clip)))  # type: ignore[arg-type]
    path = OUT / f"dashboard-{name}.png"
    picture.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} kB")  # noqa: T201  # a command


if __name__ == "__main__":
    main()
