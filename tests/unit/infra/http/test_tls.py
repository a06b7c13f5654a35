"""HTTPS: with the certificate that is in the files now."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import httpx
import pytest

from stream_app.infra.http.server import HttpServer
from tests.unit.infra.http.test_server import hello


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Write a certificate of its own authority, good for 127.0.0.1."""
    files = folder / "cert.pem", folder / "key.pem"
    made = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1"
    named = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
    written = ["-out", str(files[0]), "-keyout", str(files[1])]
    subprocess.run([*made.split(), *named, *written], check=True, capture_output=True)
    return files


async def test_a_renewed_certificate_is_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without a restart; files that do not fit together change nothing."""
    files = certificate(tmp_path, "first")
    server = HttpServer(hello, "127.0.0.1", 0, tls=files)
    await server.start()

    async def asked() -> str:
        trusted = ssl.create_default_context(cafile=str(files[0]))
        async with httpx.AsyncClient(trust_env=False, verify=trusted) as client:
            return (await client.get(f"https://127.0.0.1:{server.port}/")).text

    assert await asked() == "hello"
    before = files[0].read_text("utf-8")
    certificate(tmp_path, "second")
    with pytest.raises(httpx.ConnectError):
        await asked()
    server.reload_certificate()
    assert await asked() == "hello"
    renewed = files[0].read_text("utf-8")
    files[0].write_text(before, "utf-8")  # the key is the second one's
    server.reload_certificate()
    assert "cannot be read" in caplog.text
    files[0].write_text(renewed, "utf-8")
    assert await asked() == "hello"
    await server.stop()
