"""Every error of the HTTP API: RFC 9457 problem details, sent as ``application/problem+json``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ProblemError(BaseModel):
    """One of several things that are wrong with a request."""

    model_config = ConfigDict(frozen=True)

    field: str | None = Field(default=None, description="Form field, parameter or column", examples=["voltage"])
    row: int | None = Field(default=None, description="Row it concerns, counted as `row` of the problem is")
    message: str = Field(examples=["Input should be greater than 0"])


class Problem(BaseModel):
    """What happened, where, and the cure. Programs read ``code``; people read ``detail``."""

    model_config = ConfigDict(frozen=True)

    type: str = Field(description="Where the code is explained", examples=["/problems#bad_row"])
    title: str = Field(description="The status in words", examples=["Unprocessable Entity"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["row 17, column voltage: 'n/a' is not a number; send a number, or leave it empty"])
    instance: str = Field(description="Path of the request", examples=["/api/v1/metrics"])
    code: str = Field(description="Stable name of the kind of problem", examples=["bad_row"])
    row: int | None = Field(
        default=None, description="First row at fault; rows of a file count from 1 (0: the header), of an array from 0"
    )
    column: str | None = Field(default=None, description="Column at fault")
    errors: list[ProblemError] | None = Field(default=None, description="Everything that is wrong, where it is known")
    partitions: list[int] | None = Field(
        default=None, description="Between workers: the partitions in which the worker looked without finding the asset"
    )
    phase: str | None = Field(default=None, description="What the worker is doing, where it is not ready")
