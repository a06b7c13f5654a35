"""Readings as the updates that are published of them."""

from __future__ import annotations

from schemas.metrics import MetricsUpdate
from stream_app.domain.catalogue import Catalogue
from stream_app.domain.views import Readings
from stream_app.wire.encode.updates import updates


def updates_of(catalogue: Catalogue, readings: Readings, asset_id: str, *, closed: bool = False) -> list[MetricsUpdate]:
    """Write and parse the updates of one asset."""
    asset_ids = dict.fromkeys(readings.windows.slot.tolist(), asset_id)
    return [
        MetricsUpdate.model_validate_json(text) for text in updates(readings, asset_ids, partition=0, closed=closed)
    ]
