"""Ids of Kafka clusters that tests make."""

from __future__ import annotations

import base64
import uuid


def a_cluster_id() -> str:
    """Any id of a new cluster."""
    # The first byte keeps it from beginning with a dash, which would make it an option of Kafka's tools.
    return base64.urlsafe_b64encode(b"\0" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
