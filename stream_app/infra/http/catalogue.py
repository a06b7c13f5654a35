"""What is computed."""

from __future__ import annotations

from fastapi import APIRouter

from schemas.lookup import Catalogue
from stream_app.infra.http.deps import ServicesDep

router = APIRouter(tags=["catalogue"])


@router.get("/api/v1/catalogue", response_model=Catalogue)
async def catalogue(services: ServicesDep) -> Catalogue:
    """List every metric: its name, unit, formula and source."""
    return Catalogue.model_validate({"metrics": services.presenter.catalogue()})
