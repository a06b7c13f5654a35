"""Room for uploaded files: bounded for all of them, given back whatever becomes of a request."""

from __future__ import annotations

import errno
import tempfile
from dataclasses import replace
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any

import pytest

from stream_app.errors import ExpectedError
from stream_app.infra.http.upload_space import UploadSpace, use_folder
from tests.unit.infra.http.conftest import OPTIONS
from tests.unit.infra.http.test_problems import problem_of

if TYPE_CHECKING:
    from tests.unit.infra.http.conftest import OpenSite, Site

UPLOAD, DOCTOR = "/api/v1/metrics", "/api/v1/doctor"
CSV = b"timestamp,current,voltage,soc\n" + b"4/13/2022 0:00,40,900,50\n" * 40
FORM: dict[str, Any] = {"data": {"nominal_capacity": "9"}}


def space_of(site: Site) -> UploadSpace:
    space: UploadSpace = site.api.state.upload_space
    return space


@pytest.fixture
def small(open_site: OpenSite) -> Site:
    """A worker with little room."""
    return open_site(options=replace(OPTIONS, upload_quota_bytes=2000))


async def test_room_is_given_back(small: Site) -> None:
    """By a file that was read, by one that is no table, and by a form that is wrong."""
    files = {"data": ("a.csv", CSV)}
    for _ in range(3):
        assert (await small.client.post(UPLOAD, files=files, **FORM)).status_code == 202
        assert (await small.client.post(DOCTOR, files=files)).status_code == 200
        assert (await small.client.post(UPLOAD, files={"data": ("a.csv", b"x" * 900)}, **FORM)).status_code == 422
        problem_of(await small.client.post(UPLOAD, files=files), 422, "bad_request_field")
        assert space_of(small).used_bytes == 0


@pytest.mark.parametrize("path", [UPLOAD, DOCTOR])
async def test_a_file_without_room_is_refused_with_the_cure(small: Site, path: str) -> None:
    """Also one that would have it if others had not taken it; nothing of it stays."""
    others = space_of(small).room()
    others.take(1500)
    answer = await small.client.post(path, files={"data": ("a.csv", CSV)}, **FORM)
    assert "1500 bytes" in problem_of(answer, 507, "no_space")["detail"]
    assert answer.headers["retry-after"]
    assert space_of(small).used_bytes == 1500
    others.leave()
    assert (await small.client.post(path, files={"data": ("a.csv", CSV)}, **FORM)).status_code in (200, 202)
    problem_of(await small.client.post(path, files={"data": ("a.csv", CSV * 3)}, **FORM), 507, "no_space")
    assert space_of(small).used_bytes == 0


async def test_a_full_disk_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a lack of room, not as something unexpected."""

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(SpooledTemporaryFile, "write", full)
    problem_of(await site.client.post(UPLOAD, files={"data": ("a.csv", CSV)}, **FORM), 507, "no_space")


def test_files_are_in_the_folder_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made; one that cannot be written ends the start with the cure."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    use_folder(tmp_path / "a" / "b")
    with tempfile.NamedTemporaryFile() as file:
        assert Path(file.name).parent == tmp_path / "a" / "b"
    (tmp_path / "file").touch()
    with pytest.raises(ExpectedError, match=r"UPLOAD_DIR.*own"):
        use_folder(tmp_path / "file" / "c")
