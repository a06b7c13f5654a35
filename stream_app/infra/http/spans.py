"""Rolling look-ups over HTTP: the parameter, and how the answer tells of what windows it is made."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import orjson
from fastapi import Query

from stream_app.usecases.spans import SpanRead

Span = Annotated[
    str | None,
    Query(
        max_length=20,
        description="Also the newest windows as one, of this length: `24h` is that of 24 windows of an hour, the last "
        "one open. A window size of the asset has to divide it, and the closed windows that are kept to make it",
        examples=["24h"],
    ),
]


def span_json(read: SpanRead, update: orjson.Fragment | dict[str, Any]) -> dict[str, object]:
    """Values of a :class:`schemas.lookup.SpanAnswer`."""
    coverage = float(read.readings.coverage[0])
    return {
        "size": read.span.size,
        "pane": read.span.pane,
        "windows": read.windows,
        "begin": read.begin,
        "end": read.end,
        "coverage": None if np.isnan(coverage) else coverage,
        "update": update,
    }
