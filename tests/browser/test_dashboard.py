"""What an operator does with the dashboard, in Debian's chromium."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from stream_app.infra.kafka.log import topics
from tests.browser.site import SAMPLE, Site, running_site, visit
from tests.kafka import Broker, settings_for
from tools.front_end import fetch

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
PAGES = ["/", "/assets/day-1", "/uploads", "/dead-letters", "/system", "/catalogue"]
MOST_BYTES = 150_000
LIVE = re.compile("live")
#: For a busy machine; what is expected comes much sooner.
expect.set_options(timeout=60_000)


@pytest.fixture(scope="module")
def site(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    kafka = settings_for(broker.bootstrap_servers)
    asyncio.run(topics.ensure(kafka))
    with running_site(kafka, tmp_path_factory.mktemp("site")) as found:
        yield found


@pytest.fixture(scope="module")
def browser(site: Site) -> Iterator[Browser]:
    """Started after the worker: while playwright runs, this thread has an event loop."""
    chromium = shutil.which("chromium")
    if chromium is None:
        reason = "needs Debian's chromium: apt-get install chromium"
        if os.environ.get("STREAM_TEST_REQUIRE_KAFKA"):  # CI skips nothing
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def axe() -> str:
    """The checker of WCAG, fetched once."""
    folder = ROOT / ".cache" / "axe"
    fetch("front-end-tests", folder)
    return (folder / "axe.js").read_text("utf-8")


def figure(page: Page, label: str) -> str:
    """Text of a figure: its value, and what stands below it."""
    return page.locator(".figure", has=page.locator("dt", has_text=re.compile(f"^{label}$"))).inner_text()


def test_a_key_opens_the_pages(browser: Browser, site: Site) -> None:
    """Without one the log-in page comes; a wrong one is told; the right one leads to where one wanted to go."""
    with visit(browser, site, None) as seen:
        seen.expect_refusals()
        page = seen.go("/system")
        page.wait_for_url(re.compile(r"/login\?next=%2Fsystem"))
        page.get_by_label("API key or token").fill("sk.wrong")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("alert")).to_contain_text("not valid")
        page.get_by_label("API key or token").fill(site.admin)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(re.compile("/system$"))
        expect(page.locator("#live")).to_have_text(LIVE)
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url(re.compile("/login"))
        page.goto(f"{site.worker.url}/")
        page.wait_for_url(re.compile("/login"))


def test_values_change_and_come_back_after_a_restart(browser: Browser, site: Site) -> None:
    """By events; while the worker is away the page says so and shows the last values as stale."""
    site.send("live-1", 40.0, at_s=0)
    with visit(browser, site, site.admin) as seen:
        page = seen.go("/assets/live-1")
        soc = page.locator(".figure", has=page.locator("dt", has_text="State of charge")).locator(".big")
        expect(soc).to_contain_text("40.0 %")
        site.send("live-1", 80.0, at_s=3600)
        expect(soc).to_contain_text("80.0 %")
        expect(page.locator("#state")).to_contain_text("discharging")
        seen.expect_errors("Failed to load resource", "ERR_", "503")
        site.worker.terminate()
        expect(page.locator("#live")).to_have_text("reconnecting")
        expect(page.locator("body")).to_have_class("stale-values")
        expect(soc).to_contain_text("80.0 %")
        site.worker.start(STREAM_SECURITY__MODE="keys").ready()
        site.send("live-1", 20.0, at_s=7200)
        expect(soc).to_contain_text("20.0 %")
        expect(page.locator("#live")).to_have_text("live")


def test_the_fleet_is_searched_filtered_and_followed_to_an_asset(browser: Browser, site: Site) -> None:
    """Rows change without a jump; the worst are found; a link leads to the asset, the keyboard too."""
    for i in range(3):
        site.send(f"fleet-{i}", 10.0 + i, at_s=0)
    with visit(browser, site, site.admin) as seen:
        page = seen.go("/")
        rows = page.locator("#rows tr")
        expect(page.locator("#strip")).to_contain_text("Power now")
        page.get_by_label("Find an asset").fill("fleet-")
        expect(rows).to_have_count(3)
        page.get_by_role("button", name="SoC").click()
        expect(rows.first).to_contain_text("fleet-0")
        page.get_by_role("button", name="SoC").click()
        expect(rows.first).to_contain_text("fleet-2")
        site.send("fleet-2", 66.0, at_s=3600)
        expect(rows.first).to_contain_text("66.0 %")
        page.get_by_label("Worst by").select_option("equivalent_full_cycles")
        expect(rows).to_have_count(3)
        page.get_by_label("Find an asset").fill("day-1")
        expect(rows).to_have_count(1)
        expect(rows.first).to_contain_text("±")
        page.get_by_role("link", name="day-1").focus()
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile("/assets/day-1"))
        expect(page.locator("h1")).to_have_text("day-1")


def test_an_asset_shows_its_numbers_or_why_there_are_none(browser: Browser, site: Site) -> None:
    """Each with unit and uncertainty; a null is explained in a sentence; plots are drawn."""
    with visit(browser, site, site.admin) as seen:
        page = seen.go("/assets/day-1")
        expect(page.locator("#p-soc canvas").first).to_be_visible()
        assert re.search(r"98\.76\s± 0\.06 %", figure(page, "Round-trip efficiency"))
        assert re.search(r"92\.12\s± 0\.09 Ah", figure(page, "Capacity"))
        expect(page.locator("#temperature")).to_contain_text("n/a because no row has this reading")
        expect(page.locator("#cycles svg")).to_be_visible()
        expect(page.locator("#warranty")).to_contain_text("of 6,000 full cycles")
        expect(page.locator("#warranty")).to_contain_text("Events beyond a limit")
        expect(page.locator("#warranty")).to_contain_text("Overcharged")
        expect(page.locator("#windows tbody tr").first).to_be_visible()
        page.get_by_text("Show them").click()
        page.get_by_label("Find", exact=True).fill("loss_cost")
        expect(page.locator("#all tbody tr:visible")).to_have_count(1)
        expect(page.locator("#all tbody tr:visible")).to_contain_text("n/a because the spec has no energy price")
        assert "NaN" not in page.content()


def test_a_spec_is_checked_and_changed(browser: Browser, site: Site) -> None:
    """A wrong value is told beside its field and not sent; a right one holds at once."""
    site.send("spec-1", 50.0, at_s=0)
    with visit(browser, site, site.admin) as seen:
        page = seen.go("/assets/spec-1")
        energy = page.get_by_label("Nominal energy [kWh]")
        energy.fill("-3")
        expect(page.locator("#spec-nominal_energy_kwh-error")).to_have_text("Enter more than 0.")
        page.get_by_role("button", name="Save the spec").click()
        expect(energy).to_be_focused()
        energy.fill("90")
        page.get_by_role("button", name="Save the spec").click()
        expect(page.locator("#spec")).to_contain_text("Saved")
    assert site.ask("GET", "/api/v1/assets/spec-1/spec").json()["spec"]["nominal_energy_kwh"] == 90


def test_a_file_becomes_metrics(browser: Browser, site: Site, tmp_path: Path) -> None:
    """A bad file is told with its row and column; a good one is looked at first, then computed."""
    bad = tmp_path / "bad.csv"
    bad.write_text("timestamp,current,voltage,soc\n2026-03-01T00:00:00Z,1,900,50\n2026-03-01T00:00:02Z,x,900,50\n" * 1)
    with visit(browser, site, site.admin) as seen:
        seen.expect_refusals()
        page = seen.go("/uploads")
        expect(page.locator("#live")).to_have_text(LIVE)
        page.locator("#file").set_input_files(bad)
        expect(page.locator("#work")).to_contain_text("row 2")
        page.locator("#file").set_input_files(SAMPLE)
        expect(page.locator("#work")).to_contain_text("What was found in sample_day.csv")
        expect(page.locator("#work table tbody tr")).to_have_count(4)
        page.get_by_role("button", name="Compute the metrics").click()
        expect(page.locator("#capacity-error")).to_contain_text("Enter the capacity")
        page.get_by_label("Nominal capacity [Ah]").fill("100")
        page.get_by_role("button", name="Compute the metrics").click()
        expect(page.locator("#work")).to_contain_text("Result of sample_day.csv")
        assert re.search(r"98\.76\s± 0\.06 %", figure(page, "Round-trip efficiency"))
        with page.expect_download() as download:
            page.get_by_role("link", name="Download CSV").click()
        assert "rte_level,0.98763" in Path(download.value.path()).read_text()
        expect(page.locator("#past tbody tr")).to_have_count(1)
        page.get_by_role("link", name="Report to print").click()
        expect(page.get_by_text("Battery report")).to_be_visible()
        expect(page.locator("h1")).to_have_text("sample_day.csv")


def test_an_asset_is_forgotten_after_its_name_was_typed(browser: Browser, site: Site) -> None:
    """By whoever may; a key that may only read is offered neither that nor a spec to save."""
    site.send("gone-1", 50.0, at_s=0)
    with visit(browser, site, site.reader) as seen:
        page = seen.go("/assets/gone-1")
        expect(page.locator("#spec")).to_contain_text("Your key may read the spec")
        expect(page.get_by_role("button", name="Forget …")).to_be_hidden()
    with visit(browser, site, site.admin) as seen:
        page = seen.go("/assets/gone-1")
        page.get_by_role("button", name="Forget …").click()
        now = page.get_by_role("button", name="Forget it")
        expect(now).to_be_disabled()
        page.get_by_label("Asset id").fill("gone-1")
        now.click()
        page.wait_for_url(re.compile("forgotten=gone-1"))
        expect(page.locator("#note")).to_contain_text("gone-1 is forgotten")


def _checked(page: Page, axe: str, path: str, theme: str) -> list[str]:
    """Violations of WCAG 2.2 AA and of best practice on a page."""
    page.evaluate(axe)  # by the debugger, which no policy concerns
    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    if theme == "dark":  # the elements are the same
        rules = ["color-contrast"]
    found = page.evaluate("rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", rules)
    return [
        f"{path} {theme}: {each['id']}: {node['target']} {node['failureSummary']}"
        for each in found["violations"]
        for node in each["nodes"][:3]
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_are_for_everybody(browser: Browser, site: Site, axe: str, theme: str) -> None:
    """No violation of WCAG 2.2 AA; at 390 pixels nothing scrolls sideways; in the colours that the system wants."""
    found = []
    with visit(browser, site, site.admin, color_scheme=theme, viewport={"width": 390, "height": 844}) as seen:
        for path in [*PAGES, "/login"]:
            page = seen.go(path)
            if path != "/login":
                expect(page.locator("#live")).to_have_text(LIVE)
            page.wait_for_load_state("load")
            if path == "/catalogue":  # entries are alike: some of them are enough
                page.get_by_label("Find").fill("rte_l")
            found += _checked(page, axe, path, theme)
            wide = page.evaluate("document.documentElement.scrollWidth")
            if wide > 390:
                found.append(f"{path} is {wide} pixels wide")
            assert page.locator("html").get_attribute("data-theme") == theme
        seen.page.get_by_role("button", name="colours").click()
        assert seen.page.locator("html").get_attribute("data-theme") != theme
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", PAGES)
def test_first_load_is_small(browser: Browser, site: Site, path: str) -> None:
    """Without a cache, files and data of the first look."""
    with visit(browser, site, site.admin) as seen:
        page = seen.go(path)
        expect(page.locator("#live")).to_have_text(LIVE)
        assert 5_000 < seen.loaded_bytes <= MOST_BYTES
