"""One row of battery telemetry, as producers publish it. Its readings are the lines of :mod:`schemas.columns`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from schemas.asset import AssetId
from schemas.columns import COLUMNS, FIRST_RELEASE, Column


class _Row(BaseModel):
    """One row: what an asset's sensors read at one moment.

    ``null`` means "not measured": the row still counts, and metrics that need the reading leave it out. Columns that
    are not named here are allowed and ignored.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    asset_id: AssetId
    timestamp: str | int | float = Field(
        description="ISO 8601 (without offset: UTC), month/day/year H:M[:S], or epoch s, ms, us or ns by magnitude",
        examples=["2022-04-13T00:00:02Z", "4/13/2022 0:00", 1649808002],
    )


def _field(column: Column) -> tuple[Any, Any]:
    """Type and description of a reading, as pydantic wants them."""
    reading = Annotated[float, Field(ge=column.low, le=column.high, allow_inf_nan=False)]
    since = "" if column.since == FIRST_RELEASE else f" (since {column.since})"
    return reading | None, Field(
        default=... if column.required else None,
        description=column.description + since,
        examples=None if column.example is None else [column.example],
    )


_FIELDS: dict[str, Any] = {column.wire_name: _field(column) for column in COLUMNS}

#: A row with a field for every column of the table.
Measurement: type[_Row] = create_model(
    "Measurement", __base__=_Row, __doc__=_Row.__doc__, __module__=__name__, **_FIELDS
)
