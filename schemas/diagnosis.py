"""What a file of measurements is and how it is read, as ``stream-app doctor`` and ``POST /api/v1/doctor`` tell it."""

from __future__ import annotations

from pydantic import BaseModel, Field


class ColumnFound(BaseModel):
    """A column that is read."""

    title: str = Field(description="In the file")
    name: str = Field(description="Ours")
    unit: str | None = Field(description="Of our column; null where it has none")
    scale: float = Field(description="Our reading is that of the file times scale plus offset")
    offset: float
    missing: float | None = Field(description="Share of the rows in which it was not measured; null for times and ids")


class TimesFound(BaseModel):
    """Times of an asset's rows."""

    asset_id: str | None = Field(description="As the file names it; null where it names none")
    rows: int
    first: str
    last: str
    repeats: int = Field(description="Rows whose stamp is that of the row before")
    step_median_s: float
    step_p95_s: float
    step_longest_s: float
    coverage: float = Field(description="Share of the time in steps that are no gaps")


class Diagnosis(BaseModel):
    """Findings about a file."""

    kind: str = Field(description="What the file is")
    whole: bool = Field(description="Whether all of it was looked at; else its beginning")
    profile: str | None = Field(description="Which device or program writes such titles, where they tell")
    columns: list[ColumnFound]
    not_read: list[str] = Field(description="Titles of the other columns")
    stamps: str = Field(description="How the times are written")
    times: list[TimesFound]
    soc_low: float | None = Field(description="Lowest SoC as the file has it [%]")
    soc_high: float | None
    assets: list[str] = Field(description="That the file names")
    rows: int = Field(description="Rows that count")
    left_out: int = Field(description="Rows that cannot be read")
    notes: list[str] = Field(description="How the file is read, and what is left out")
    warnings: list[str] = Field(description="What is suspicious, each with its cure")
    command: str = Field(description="Reads the file with all of the cures")
