"""ETags: what has not changed is not sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.infra.http.conftest import OpenSite, Site


@pytest.mark.parametrize("path", ["", "/spec", "/windows/1m"])
@pytest.mark.parametrize("form", ["{}", '"x", {}', "*"])
async def test_what_the_asker_has_is_304(site: Site, path: str, form: str) -> None:
    """Until the state changes; HEAD too."""
    url = f"/api/v1/assets/a{path}"
    site.tables.put("a", seq=1)
    tag = (await site.client.get(url)).headers["etag"]
    headers = {"If-None-Match": form.format(tag)}
    for method in ("GET", "HEAD"):
        answer = await site.client.request(method, url, headers=headers)
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    if form != "*" and path != "/spec":
        site.tables.put("a", seq=2)
        answer = await site.client.get(url, headers=headers)
        assert answer.status_code == 200
        assert answer.headers["etag"] != tag


async def test_another_worker_s_tag_comes_through(open_site: OpenSite) -> None:
    """Whoever is asked."""
    here, there = open_site("here"), open_site("there")
    here.tables.owned, there.tables.owned = {0, 1}, {2, 3}
    here.cluster.owners = dict.fromkeys((0, 1), here.url) | dict.fromkeys((2, 3), there.url)
    here.cluster.others = [there.url]
    there.tables.put("a", partition=2)
    tag = (await there.client.get("/api/v1/assets/a")).headers["etag"]
    answer = await here.client.get("/api/v1/assets/a", headers={"If-None-Match": tag})
    assert answer.status_code == 304


async def test_what_is_not_there_is_404_whatever_the_asker_has(site: Site) -> None:
    """A problem has no tag."""
    answer = await site.client.get("/api/v1/assets/a", headers={"If-None-Match": "*"})
    assert answer.status_code == 404
