"""What the group's coordinator says to this worker's consumer, which aiokafka keeps to itself.

aiokafka gives an error of the coordinator to the next poll, and waits until then. Faust polls only when it has
partitions, so a worker that the group does not let in would wait for ever.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.protocol import ConsumerProtocol
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import DescribeGroupsRequest
from faust.assignor.client_assignment import ClientMetadata

from stream_app.infra.kafka.errors import GroupRefusedError
from stream_app.infra.kafka.log.access import find_again
from stream_app.infra.kafka.member import GroupMember
from stream_app.settings import KafkaSettings

_log = logging.getLogger(__name__)

_AGAIN_S: Final = 1.0
#: Errors that go on until somebody acts, by their names in aiokafka, which wraps some of them in others.
_CURES: Final[Mapping[str, str]] = {
    "InconsistentGroupProtocolError": (
        "a consumer of another kind is in the group: end it (kafka-consumer-groups.sh --describe --members names it), "
        "or set another STREAM_KAFKA__APP_ID"
    ),
    "InvalidSessionTimeoutError": (
        "STREAM_KAFKA__SESSION_TIMEOUT_S={session_timeout_s:g} is outside the broker's limits, "
        "group.min.session.timeout.ms and group.max.session.timeout.ms (6 s and 30 min unless they are set): set it "
        "within them"
    ),
    "InvalidGroupIdError": "set STREAM_KAFKA__APP_ID to a name that the broker takes",
    "GroupAuthorizationFailedError": "grant Read on the group to this worker's user",
    "TopicAuthorizationFailedError": "grant Read and Write on the topics to this worker's user",
}


@dataclass(frozen=True, slots=True)
class _Refusal:
    words: str
    cure: str | None  # None: waiting may help


class Coordination:
    """Hooks into the consumer of a member of the group.

    Parameters
    ----------
    refused
        Called, in the consumer's thread, when waiting is of no use any more.
    """

    def __init__(self, kafka: KafkaSettings, refused: Callable[[Exception], None]) -> None:
        self.kafka, self._refused = kafka, refused
        self._consumer: AIOKafkaConsumer | None = None
        #: The last words of the coordinator by which it did not let this worker in; "" when it did since.
        self.words = ""
        #: Since when the group has refused this worker, monotonic; None: not since it joined.
        self._refused_since: float | None = None

    def attach(self, consumer: AIOKafkaConsumer) -> None:
        """Hook into a consumer that has just started, in its thread."""
        self._consumer = consumer
        coordinator = consumer._coordinator
        find_again(consumer._client, self.kafka)
        coordinator._push_error_to_user = self._heard
        coordinator._coordination_task.add_done_callback(self._ended)
        joined = coordinator._on_join_complete

        async def joining(*args: Any) -> None:
            self.words, self._refused_since = "", None
            await joined(*args)

        coordinator._on_join_complete = joining

    def _heard(self, error: Exception) -> Awaitable[Any]:
        """Take an error that the coordination stops for; it goes on when what is returned is done."""
        coordinator = self._consumer._coordinator  # type: ignore[union-attr]  # attached
        refusal = self._refusal(error)
        self.words = refusal.words
        if refusal.cure is None:
            _log.warning("the group %r does not let this worker in, trying again: %s", self.kafka.app_id, refusal.words)
        else:
            refused = GroupRefusedError(self.kafka.app_id, refusal.words, refusal.cure)
            now, limit_s = time.monotonic(), self.kafka.refusal_limit_s
            if self._refused_since is None:
                self._refused_since = now
                _log.error("%s. Trying again for %.0f s, then the worker ends", refused, limit_s)
            if now >= self._refused_since + limit_s:
                self._refused(refused)
                return asyncio.wait([coordinator._closing])
            self.words = f"{refusal.words}; {refusal.cure}"
        coordinator.request_rejoin()  # a heartbeat that has failed begins again with the next generation only
        return asyncio.wait([coordinator._closing], timeout=_AGAIN_S)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """End the worker when nobody looks after its membership any more."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.words = self._refusal(error).words
            cure = "start the worker again; if this comes back, it is a bug: report it with the log"
            self._refused(GroupRefusedError(self.kafka.app_id, self.words, cure))

    def _refusal(self, error: BaseException) -> _Refusal:
        said = str(error)
        name = type(error).__name__
        words = said if name in said else f"{name}: {said}"
        for final, cure in _CURES.items():
            if final in words:
                description = getattr(error, "description", "")
                return _Refusal(
                    f"{words} ({description})" if description and description not in words else words,
                    cure.format(session_timeout_s=self.kafka.session_timeout_s),
                )
        return _Refusal(words, None)

    async def members(self) -> tuple[str, Collection[GroupMember]]:
        """Own id, and the members of the group; KafkaError: the coordinator does not tell. In the consumer's thread."""
        coordinator = self._consumer._coordinator  # type: ignore[union-attr]  # attached
        answer = await coordinator._send_req(DescribeGroupsRequest([self.kafka.app_id]))
        found = [
            GroupMember(member_id, _url(metadata), host.removeprefix("/"))
            for group in answer.groups
            for member_id, _, host, metadata, _ in group[5]
            if metadata  # none in the middle of a rebalance
        ]
        return coordinator.member_id, found


def _url(metadata: bytes) -> str:
    try:
        return str(ClientMetadata.loads(ConsumerProtocol.METADATA.decode(metadata).user_data).url)
    except Exception as error:  # a stranger's: whatever it holds
        msg = "a member of the group is not a worker"
        raise KafkaError(msg) from error
