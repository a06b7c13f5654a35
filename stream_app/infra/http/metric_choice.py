"""Which metrics an answer shows."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from stream_app.domain.catalogue import Catalogue
from stream_app.usecases.errors import InvalidError

Chosen = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=4000,
        description="Names of metrics, with commas between: the answer has these alone",
        examples=["rte_level,energy_in_kwh"],
    ),
]


def chosen(names: str | None, catalogue: Catalogue) -> frozenset[str] | None:
    """The metrics that a query names; None: all. InvalidError: one is not in the catalogue."""
    if names is None:
        return None
    wanted = frozenset(name.strip() for name in names.split(","))
    if unknown := sorted(wanted - catalogue.rests_on.keys()):
        detail = f"{unknown[0][:100]!r} is no metric: /api/v1/catalogue lists them"
        raise InvalidError("unknown_metric", detail, column="metrics")
    return wanted
