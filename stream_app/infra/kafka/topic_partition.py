"""A partition of a topic."""

from __future__ import annotations

from typing import NamedTuple


class TopicPartition(NamedTuple):
    """A partition of a topic; as a dictionary's key it equals Faust's and aiokafka's types of the same shape."""

    topic: str
    partition: int
