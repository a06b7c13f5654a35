"""Offsets of the group that somebody else has set while no worker ran: they decide nothing, and that is told."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping

from stream_app.infra.kafka.errors import BrokerError
from stream_app.infra.kafka.member import CommittedOffset, Offsets
from stream_app.infra.kafka.topic_partition import TopicPartition

_log = logging.getLogger(__name__)

Committed = Callable[[Collection[TopicPartition]], Awaitable[Mapping[TopicPartition, CommittedOffset]]]


class ForeignOffsets:
    """Compares the group's offsets with the positions of the states, and tells each difference once.

    A worker signs what it commits, so an offset that merely lags behind the state, as after a crash, is not told.
    """

    def __init__(self, committed: Committed) -> None:
        self._committed = committed
        self._told: set[tuple[TopicPartition, int]] = set()

    async def compare(self, positions: Offsets) -> None:
        """Warn of each partition whose offset was set by another tool and is not the position of its state."""
        try:
            committed = await self._committed(list(positions))
        except (BrokerError, TimeoutError) as error:
            _log.debug("the coordinator does not tell the group's offsets: %s", error)
            return
        for tp, position in positions.items():
            found = committed.get(tp)
            if found is None or found.by_worker or found.offset == position or (tp, found.offset) in self._told:
                continue
            self._told.add((tp, found.offset))
            _log.warning(
                "%s[%d]: the group's offset is %d, set by another tool, but the state is at offset %d, and the state "
                "decides: rows are read on from %d; to compute anew from the topic's beginning, start with another "
                "STREAM_KAFKA__APP_ID",
                *(*tp, found.offset, position, position),
            )
