"""Dead letters as the API shows them: what was not applied, and why."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from schemas.rejected import RejectCode


class DeadLetterItem(BaseModel):
    """One record of the dead-letter topic."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(description="Partition and offset in the dead-letter topic", examples=["0-17"])
    partition: int = Field(description="Of the dead-letter topic")
    offset: int = Field(description="Of the dead-letter topic")
    time: str = Field(description="When it was written; ISO 8601, UTC")
    key: str | None = Field(description="The original key: an asset id, if it is one; null: there was none")
    code: RejectCode | None = Field(description="Null where the record is not this program's")
    message: str = Field(description="What is wrong, and what to send instead")
    source_partition: int | None = Field(description="Partition of the measurements topic where the original stands")
    source_offset: int | None
    rows: str | None = Field(description="Positions in the message, such as 3,17-20; null: all of it")
    value: str | None = Field(description="The original value as text; in a list its beginning")


class DeadLettersAnswer(BaseModel):
    """The newest dead letters, newest first."""

    model_config = ConfigDict(frozen=True)

    letters: list[DeadLetterItem]
    by_code: dict[str, int] = Field(description="Letters by code, of the newest 1000 of each partition")
