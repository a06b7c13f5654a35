"""Which names an asset may have, and whose rows are taken under an upload's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schemas.asset import UPLOAD_HEADER
from stream_app.wire.decode.codec import Decoder
from tests.messages import BATCH, dump, fetch, row
from tests.unit.wire.decode.test_arrow import MESSAGE

UPLOAD = "upload-0c9f7f0e-8f0b-4c1c-9d55-1b8d5d0d5c0f"
CONTROL = dump({"control": "forget", "asset_id": UPLOAD})


@pytest.mark.parametrize("name", ["...", ".a", "..a", "a.", "a..", "....", ".é", "%2e%2e", "a?b", "🔋", "upload-7"])
def test_a_name_that_a_path_keeps_is_taken(name: str) -> None:
    """Percent signs and question marks are escaped in a URL; dots are not."""
    batch = Decoder().decode(fetch((name.encode(), row(asset_id=name))))
    assert (len(batch), list(batch.rejects)) == (1, [])


@pytest.mark.parametrize("name", [".", ".."])
def test_a_name_that_a_path_loses_is_refused(name: str) -> None:
    """Clients and proxies resolve it on its way."""
    batch = Decoder().decode(fetch((name.encode(), row(asset_id=name))))
    (reject,) = batch.rejects
    assert len(batch) == 0
    assert "is not . or .." in reject.reason


@pytest.mark.parametrize(
    "value",
    [row(asset_id=UPLOAD), b"[" + row(asset_id=UPLOAD) + b"]", dump({**BATCH, "asset_id": UPLOAD}), CONTROL, MESSAGE],
)
def test_a_producer_cannot_write_into_an_upload(value: bytes) -> None:
    """Neither rows in any form nor controls; its neighbours are untouched."""
    fetched = fetch((b"a", row()), (UPLOAD.encode(), value), (b"a", row()))
    decoder = Decoder()
    for _ in range(2):  # the second time by what it has learnt
        batch = decoder.decode(fetched)
        (reject,) = batch.rejects
        assert (reject.message, reject.rows, reject.code) == (1, None, "key_mismatch")
        assert "upload" in reject.reason
        assert batch.message.tolist() == [0, 2]
        assert not batch.controls


def test_what_the_service_writes_into_an_upload_is_taken() -> None:
    """A header tells it."""
    fetched = fetch((UPLOAD.encode(), row(asset_id=UPLOAD)), (UPLOAD.encode(), MESSAGE), (UPLOAD.encode(), CONTROL))
    batch = Decoder().decode(replace(fetched, headers=[((UPLOAD_HEADER, b"1"),)] * 3))
    assert not batch.rejects
    assert set(batch.message.tolist()) == {0, 1}
    assert len(batch.controls) == 1
