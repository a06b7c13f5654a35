"""Findings about a file over HTTP."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from schemas.diagnosis import Diagnosis
from stream_app.infra.http.api import ApiOptions

if TYPE_CHECKING:
    from tests.unit.infra.http.conftest import OpenSite, Site

#: The current has the other sign, and there is a column that nobody knows.
ROWS = [f"2024-05-07T09:{i // 60:02}:{i % 60:02}Z,-15,51,{50 + i / 10},x" for i in range(600)]
FILE = ("timestamp,current [A],voltage,soc,note\n" + "\n".join(ROWS) + "\n").encode()


async def doctor(site: Site, body: bytes, **options: Any) -> dict[str, Any]:
    """Send a file as the body."""
    answer = await site.client.post("/api/v1/doctor", content=body, **options)
    assert answer.status_code == 200, answer.text
    Diagnosis.model_validate(answer.json())
    found: dict[str, Any] = answer.json()
    return found


async def test_findings(site: Site) -> None:
    """What the command line tells."""
    found = await doctor(site, FILE)
    assert (found["kind"], found["whole"], found["rows"], found["left_out"]) == ("CSV text", True, 600, 0)
    columns = [(column["title"], column["name"], column["unit"], column["missing"]) for column in found["columns"]]
    assert columns == [
        ("timestamp", "time", None, None),
        ("current [A]", "current", "A", 0),
        ("voltage", "voltage", "V", 0),
        ("soc", "soc", "%", 0),
    ]
    assert found["not_read"] == ["note"]
    assert found["warnings"] == ["current > 0 while the SoC falls: say --current-sign discharge_positive"]
    (times,) = found["times"]
    assert (times["first"], times["last"]) == ("2024-05-07T09:00:00Z", "2024-05-07T09:09:59Z")
    assert (times["step_median_s"], times["step_longest_s"], times["coverage"]) == (1, 1, 1)
    assert found["command"] == ("stream-app compute FILE --nominal-capacity AH --current-sign discharge_positive")


async def test_file_in_a_form_has_its_name_and_spec(site: Site) -> None:
    """As an upload has it."""
    spec = json.dumps({"current_sign": "discharge_positive", "nominal_capacity_ah": 94})
    answer = await site.client.post("/api/v1/doctor", files={"data": ("may.csv", FILE)}, data={"spec": spec})
    found = answer.json()
    assert found["warnings"] == []
    assert found["command"] == "stream-app compute may.csv --nominal-capacity 94 --current-sign discharge_positive"


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
async def test_first_part_of_a_large_file(open_site: OpenSite, pack: Callable[[bytes], bytes]) -> None:
    """It is cut behind a row."""
    header, row = FILE.split(b"\n")[:2]
    site = open_site("large", options=ApiOptions(max_upload_bytes=4_000_000, max_body_bytes=10_000))
    found = await doctor(site, pack(header + b"\n" + (row + b"\n") * 50_000))
    assert (found["whole"], found["left_out"]) == (False, 0)
    assert found["rows"] == ((1 << 20) - len(header) - 1) // (len(row) + 1)


async def test_packed_file_that_is_cut(site: Site) -> None:
    """A client may send the first part alone."""
    found = await doctor(site, gzip.compress(FILE)[:-20])
    assert not found["whole"]
    assert 500 < found["rows"] <= 600


@pytest.mark.parametrize(
    ("body", "code"), [(b"a,b\n1,2\n", "missing_column"), (b"", "no_header"), (b"PK\x03\x04junk", "not_text")]
)
async def test_what_is_no_table_is_a_problem(site: Site, body: bytes, code: str) -> None:
    """As for an upload."""
    answer = await site.client.post("/api/v1/doctor", content=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_form_without_a_file(site: Site) -> None:
    """The problem names the field."""
    answer = await site.client.post("/api/v1/doctor", data={"spec": "{}"}, files={"other": ("x", b"")})
    assert (answer.status_code, answer.json()["column"]) == (422, "data")


async def test_bad_spec(site: Site) -> None:
    """The problem names the field of the spec."""
    answer = await site.client.post("/api/v1/doctor", params={"spec": '{"hold": 7}'}, content=FILE)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_spec")
    assert "spec.hold" in answer.json()["detail"]
