"""Ask a worker for an asset, patiently: 503 means "not now", and says when to ask again.

usage: python -m example.look_up [URL [ASSET]]; the API key, if the worker wants one, is in STREAM_API_KEY
"""

from __future__ import annotations

import os
import sys
import time

import httpx

from schemas.lookup import AssetAnswer


def look_up(url: str, asset_id: str, *, attempts: int = 10) -> AssetAnswer:
    """Return the asset's lifetime and open windows."""
    key = os.environ.get("STREAM_API_KEY")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    path = f"{url}/api/v1/assets/{asset_id}"
    while (response := httpx.get(path, headers=headers)).status_code == 503 and attempts > 1:
        attempts -= 1
        time.sleep(float(response.headers.get("Retry-After", "1")))  # its partition moves between workers
    response.raise_for_status()
    return AssetAnswer.model_validate_json(response.content)


if __name__ == "__main__":
    url, asset_id, *_ = [*sys.argv[1:], *["http://127.0.0.1:8000", "sample-1"][len(sys.argv) - 1 :]]
    answer = look_up(url, asset_id)
    print(f"{answer.asset_id}: {answer.rows} rows, up to {answer.last_time}, stale: {answer.meta.stale}")
    for name, metric in sorted(answer.lifetime.metrics.items() if answer.lifetime else ()):
        print(f"  {name:28} {metric.value if metric.reason is None else metric.reason} {metric.unit}")
