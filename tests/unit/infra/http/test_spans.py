"""Rolling look-ups over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.lookup import AssetAnswer

if TYPE_CHECKING:
    from tests.unit.infra.http.conftest import Site


async def test_span_is_among_what_an_asset_answers(site: Site) -> None:
    """With its windows, and an update like any other; the rest of the answer is as without it."""
    site.tables.put("a", sizes=("1m", "15m"))
    site.tables.close_window("a", "1m", -60)
    plain = (await site.client.get("/api/v1/assets/a")).json()
    answer = await site.client.get("/api/v1/assets/a?span=20m")
    body = AssetAnswer.model_validate_json(answer.content)
    assert body.span is not None
    assert {name: value for name, value in answer.json().items() if name != "span"} == plain
    assert (body.span.size, body.span.pane, body.span.windows) == ("20m", "1m", 2)
    assert (body.span.begin, body.span.end) == ("2022-04-12T23:41:00Z", "2022-04-13T00:00:08Z")
    assert body.span.coverage == body.span.update.metrics["coverage"].value
    assert (body.span.update.window.size, body.span.update.window.start) == ("20m", body.span.begin)


async def test_span_that_no_windows_make_is_a_problem(site: Site) -> None:
    """The detail names those that do."""
    site.tables.put("a", sizes=("1m", "15m"))
    for span, code in (("90s", "span_not_divisible"), ("22m", "span_not_kept"), ("day", "bad_window_size")):
        answer = await site.client.get(f"/api/v1/assets/a?span={span}")
        assert (answer.status_code, answer.json()["code"], answer.json()["column"]) == (422, code, "span")
