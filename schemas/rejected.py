"""A message, or rows of one, that could not be applied: the headers of its dead-letter record say why."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

#: Prefix of the headers that a dead-letter record has in addition to the original key, value and headers.
HEADER_PREFIX = "__stream_app.errors."

#: Prefix of the headers that a replayed message has in addition to the original ones.
REPLAY_PREFIX = "__stream_app.replay."
#: How often the message was replayed.
ATTEMPT_HEADER = REPLAY_PREFIX + "attempt"
#: Positions of the rows that count, such as ``3,17-20``: its others counted when the message first came. Else all do.
ROWS_HEADER = REPLAY_PREFIX + "rows"

RejectCode = Literal[
    "bad_json",
    "bad_arrow",
    "bad_row",
    "bad_timestamp",
    "out_of_range",
    "bad_control",
    "empty_message",
    "key_mismatch",
    "late",
    "implausible_time",
    "too_many_assets",
    "wrong_partition",
    "unexpected",
]


class RejectedRow(BaseModel):
    """Headers of a dead-letter record, each named with :data:`HEADER_PREFIX`. The value is the original message.

    A record that would be too large is cut, as ``cut`` tells: topic, partition and offset are where the original is.
    """

    model_config = ConfigDict(frozen=True)

    code: RejectCode
    message: str = Field(description="What is wrong, in which column, and what to send instead")
    topic: str
    partition: int
    offset: int
    row: str | None = Field(default=None, description="Positions in the message, such as 0 or 3,17-20; null: all of it")
    cut: str | None = Field(
        default=None, description="Parts of the original that are not whole here: value, key, headers, row; null: none"
    )
    value_bytes: int | None = Field(default=None, description="Size of the original value, if it is cut")
    value_sha256: str | None = Field(default=None, description="SHA-256 of the original value, if it is cut (hex)")
    key_bytes: int | None = Field(default=None, description="Size of the original key, if it is cut")
    key_sha256: str | None = Field(default=None, description="SHA-256 of the original key, if it is cut (hex)")
    headers_left_out: int | None = Field(default=None, description="Original headers that are not here, if any")
    timestamp: int | None = Field(default=None, description="Kafka timestamp of the original record [ms]")
