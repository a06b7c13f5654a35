"""The metrics that are computed."""

from __future__ import annotations

from functools import lru_cache

from fastapi import APIRouter
from starlette.responses import Response

from schemas.lookup import CatalogueAnswer, CatalogueEntry
from stream_app.domain.catalogue import Catalogue
from stream_app.domain.descriptions import describe
from stream_app.infra.http.deps import ServicesDep, StrictRoute
from stream_app.infra.http.problems import describe as describe_problems

router = APIRouter(tags=["catalogue"], route_class=StrictRoute, responses=describe_problems(422))


@router.get("/api/v1/catalogue", response_model=CatalogueAnswer)
async def catalogue(services: ServicesDep) -> Response:
    """List every metric: its name, unit and formula, when it is valid, why it may be null, and its source."""
    return Response(_written(services.catalogue), media_type="application/json")


@lru_cache(maxsize=1)
def _written(metrics: Catalogue) -> str:
    entries = []
    for metric, columns in zip(metrics.metrics, metrics.reading_layout.metrics, strict=True):
        text = describe(metric)
        entries.append(
            CatalogueEntry(
                name=metric.name,
                unit=metric.unit,
                version=metric.version,
                description=text.summary,
                formula=text.formula,
                notes=list(text.notes),
                reasons=list(columns.reasons[1:]),
                reference=text.reference,
            )
        )
    return CatalogueAnswer(metrics=entries).model_dump_json()
