"""Dead letters over HTTP: what was not applied, why, and for whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.rejected import HEADER_PREFIX
from stream_app.infra.http.api import ApiOptions
from stream_app.usecases.letters import StoredLetter
from tests.unit.infra.http.test_problems import problem_of

if TYPE_CHECKING:
    from tests.unit.infra.http.conftest import OpenSite, Site
    from tests.unit.infra.http.keys import Keys

LETTERS = "/api/v1/dead-letters"


def letter(offset: int, key: bytes | None, code: str, value: bytes | None = b"{}") -> StoredLetter:
    told = {"code": code, "message": f"reason {offset}", "partition": "2", "offset": "17", "row": "3"}
    headers = [(HEADER_PREFIX + name, text.encode()) for name, text in told.items()]
    return StoredLetter(0, offset, 1_000_000 + offset, key, value, headers)


async def test_the_newest_letters_come_first_and_are_counted_by_code(site: Site) -> None:
    """Filters leave the counts as they are."""
    site.letters.letters = [letter(0, b"a", "bad_row"), letter(1, b"b", "late"), letter(2, b"a", "late", b"x" * 9000)]
    body = (await site.client.get(LETTERS)).json()
    assert [item["offset"] for item in body["letters"]] == [2, 1, 0]
    assert body["by_code"] == {"bad_row": 1, "late": 2}
    assert len(body["letters"][0]["value"]) == 2000
    assert body["letters"][2] == {
        "id": "0-0",
        "partition": 0,
        "offset": 0,
        "time": "1970-01-01T00:16:40.000Z",
        "key": "a",
        "code": "bad_row",
        "message": "reason 0",
        "source_partition": 2,
        "source_offset": 17,
        "rows": "3",
        "value": "{}",
    }
    for query, offsets in (
        ("code=late", [2, 1]),
        ("asset_id=a", [2, 0]),
        ("asset_id=a&code=late", [2]),
        ("limit=1", [2]),
    ):
        body = (await site.client.get(f"{LETTERS}?{query}")).json()
        assert [item["offset"] for item in body["letters"]] == offsets
        assert sum(body["by_code"].values()) == 3
    assert (await site.client.get(f"{LETTERS}?code=nonsense")).status_code == 422


async def test_what_others_have_written_is_shown_as_far_as_it_can_be_read(site: Site) -> None:
    """Whatever it is."""
    site.letters.letters = [StoredLetter(1, 5, -1, b"\xff", None, [(HEADER_PREFIX + "code", b"new"), ("x", None)])]
    (item,) = (await site.client.get(LETTERS)).json()["letters"]
    assert (item["key"], item["code"], item["value"], item["source_offset"]) == ("\ufffd", None, None, None)


@pytest.mark.parametrize(("prefix", "offsets"), [("", [3, 2, 1, 0]), ("a", [0]), ("c", [])])
async def test_letters_of_foreign_assets_are_left_out(
    open_site: OpenSite, keys: Keys, prefix: str, offsets: list[int]
) -> None:
    """And not counted; those of no asset are for whoever sees all."""
    key = keys.add(["read"], prefix=prefix)
    site = open_site(options=ApiOptions(max_upload_bytes=9, max_body_bytes=9, credentials=keys.credentials))
    ids = [b"a-1", b"b-1", None, b"\xff"]
    site.letters.letters = [letter(offset, key, "late") for offset, key in enumerate(ids)]
    body = (await site.client.get(LETTERS, headers={"X-API-Key": key})).json()
    assert [item["offset"] for item in body["letters"]] == offsets
    assert sum(body["by_code"].values()) == len(offsets)


async def test_one_letter_is_told_as_a_whole(open_site: OpenSite, keys: Keys) -> None:
    """Those of foreign assets are not there, as those that never were."""
    site = open_site(options=ApiOptions(max_upload_bytes=9, max_body_bytes=9, credentials=keys.credentials))
    site.letters.letters = [letter(5, b"mine-1", "late", b"x" * 9000), letter(6, b"foreign-1", "late")]
    headers = {"X-API-Key": keys.mine}
    found = (await site.client.get(f"{LETTERS}/0-5", headers=headers)).json()
    assert (found["id"], found["value"]) == ("0-5", "x" * 9000)
    for name in ("0-6", "0-7", "1-5", "x", "0-", "0-5-6", "\u0660-5"):
        problem_of(await site.client.get(f"{LETTERS}/{name}", headers=headers), 404, "unknown_dead_letter")
