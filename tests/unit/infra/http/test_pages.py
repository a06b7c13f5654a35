"""The dashboard's pages: frames that are open to all, under the strictest policy, with files that browsers keep."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from schemas.lookup import CatalogueAnswer
from stream_app.infra.http.pages import files
from stream_app.infra.http.pages.site import is_page
from stream_app.infra.http.security import HEADERS

if TYPE_CHECKING:
    from tests.unit.infra.http.conftest import Site

HTML = {"Accept": "text/html,application/xhtml+xml"}
PAGES = ["/", "/assets/bess-001", "/uploads", "/dead-letters", "/system", "/catalogue", "/login"]
WORDS = json.loads(files.content("words.json"))


@pytest.mark.parametrize("path", PAGES)
async def test_page_loads_what_is_there_and_nothing_from_elsewhere(site: Site, path: str) -> None:
    """Every file that it names is there; there is no inline script or style; the policy has no exception."""
    page = await site.client.get(path, headers=HTML)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["content-security-policy"] == HEADERS["Content-Security-Policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    assert "://" not in page.text
    assert re.findall(r"<script(?![^>]* src=)|<style| style=| on[a-z]+=", page.text) == []
    loaded = re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)
    assert len(loaded) >= 4
    for file in loaded:
        assert (await site.client.get(file)).status_code == 200


async def test_programs_are_led_to_the_document(site: Site) -> None:
    """As before there were pages; caches are told of the difference."""
    for headers in ({}, {"Accept": "application/json"}, {"Accept": "*/*"}):
        answer = await site.client.get("/", headers=headers)
        assert (answer.status_code, answer.headers["location"], answer.headers["vary"]) == (307, "/docs", "Accept")


@pytest.mark.parametrize("path", PAGES)
async def test_page_needs_no_key(guarded: Site, path: str) -> None:
    """It has no data: its script asks the API, which wants a session."""
    assert (await guarded.client.get(path, headers=HTML)).status_code == 200
    assert is_page(path)


async def test_no_data_stands_below_the_pages(guarded: Site) -> None:
    """What is open is the frame: the asset's own answer, its report and everything below /api stay closed."""
    assert not is_page("/api/v1/assets/bess-001")
    assert not is_page("/api/v1/assets/bess-001/report")
    assert (await guarded.client.get("/api/v1/assets/mine-1/report", headers=HTML)).status_code == 401


async def test_ids_are_written_as_text(site: Site) -> None:
    """An id cannot become a part of the page."""
    page = await site.client.get("/assets/%22%3E%3Cscript%3Ealert(1)", headers=HTML)
    assert page.status_code == 200
    assert "<script>alert" not in page.text


async def test_files_are_kept_until_a_release_changes_one(site: Site) -> None:
    """For a year under this release's path; asked for again under another one's; unchanged: 304."""
    here = await site.client.get(f"{files.folder()}/style.css")
    assert here.headers["cache-control"] == "public, max-age=31536000, immutable"
    elsewhere = await site.client.get("/static/0000000000000000/style.css")
    assert elsewhere.headers["cache-control"] == "no-cache"
    tag = here.headers["etag"]
    assert (await site.client.get(f"{files.folder()}/style.css", headers={"If-None-Match": tag})).status_code == 304


@pytest.mark.parametrize("name", ["none.js", "../site.py", "%2e%2e/site.py", "vendor/uplot-LICENSE", ""])
async def test_other_files_are_not_there(site: Site, name: str) -> None:
    """Nothing but the scripts, styles and pictures of the pages."""
    assert (await site.client.get(f"{files.folder()}/{name}")).status_code == 404


async def test_plots_are_drawn_by_the_library_that_was_pinned(site: Site) -> None:
    """The build has fetched it."""
    script = await site.client.get(f"{files.folder()}/vendor/uplot.js")
    assert script.status_code == 200
    assert "uPlot" in script.text


async def test_every_reason_has_a_sentence(site: Site) -> None:
    """A null is explained in words: n/a because ...; and a warning is about a reason that exists."""
    catalogue = CatalogueAnswer.model_validate((await site.client.get("/api/v1/catalogue")).json())
    reasons = {reason for metric in catalogue.metrics for reason in metric.reasons}
    assert reasons - WORDS["reasons"].keys() == set()
    assert WORDS["warnings"].keys() - reasons == set()
    for clause in WORDS["reasons"].values():
        assert clause[0].islower()
        assert not clause.endswith(".")


async def test_labels_are_of_metrics_that_exist(site: Site) -> None:
    """Names and units come from the catalogue; a label of a metric that is gone is dead."""
    catalogue = CatalogueAnswer.model_validate((await site.client.get("/api/v1/catalogue")).json())
    names = {metric.name for metric in catalogue.metrics}
    assert WORDS["labels"].keys() - names == set()
    assert set(WORDS["percentages"]) - names == set()
    assert {metric.unit for metric in catalogue.metrics if metric.name in WORDS["percentages"]} == {"1"}


def test_every_code_of_a_dead_letter_has_its_cure() -> None:
    """The page of the dead letters says what to send instead."""
    from typing import get_args

    from schemas.rejected import RejectCode

    assert set(get_args(RejectCode)) | {"unknown"} == WORDS["letters"].keys()


async def test_report_is_one_page_under_its_own_policy(site: Site) -> None:
    """Its style is allowed by its hash, and nothing else; it has no script."""
    site.tables.put("bess-001")
    answer = await site.client.get("/api/v1/assets/bess-001/report")
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert "<script" not in answer.text
    assert "<h1>bess-001</h1>" in answer.text
    named = await site.client.get("/api/v1/assets/bess-001/report", params={"title": "may <b>.csv"})
    assert "<h1>may &lt;b&gt;.csv</h1>" in named.text
    assert (await site.client.get("/api/v1/assets/none/report")).status_code == 404
