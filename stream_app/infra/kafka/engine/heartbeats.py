"""The lease follows the heartbeats of aiokafka's group coordinator, as far as their answers prove a membership.

A coordinator that loads the group, after a restart or a change of leader, accepts every heartbeat, whoever sent it: the
group may have forgotten this member, and others may be given its partitions. So after a heartbeat that failed, and
after the lease, the coordinator is asked first whether it is loading.
"""

from __future__ import annotations

from typing import Any

from aiokafka.errors import GroupLoadInProgressError, KafkaError
from aiokafka.protocol.admin import DescribeGroupsRequest

from stream_app.infra.kafka.lease import Lease


def renew_by_heartbeats(lease: Lease, coordinator: Any) -> None:
    """Renew the lease with each heartbeat that is accepted, and end it when the membership is over."""
    send, reset, is_known = coordinator._do_heartbeat, coordinator.reset_generation, False

    async def renewing() -> bool:
        nonlocal is_known
        was_known, is_known = is_known, False
        if not (was_known and lease.remaining_s() > 0) and await _is_loading(coordinator):
            return False
        member, sent_at = (coordinator.generation, coordinator.member_id), lease.now()
        accepted: bool = await send()
        if accepted and member == (coordinator.generation, coordinator.member_id):
            is_known = True
            lease.renew(sent_at)
        return accepted

    def resetting() -> None:
        """Any answer may say that the group does not know this member: also one to a commit."""
        lease.void()
        reset()

    coordinator._do_heartbeat, coordinator.reset_generation = renewing, resetting


async def _is_loading(coordinator: Any) -> bool:
    """Whether the coordinator may accept a heartbeat without knowing the member."""
    try:
        answer = await coordinator._send_req(DescribeGroupsRequest([coordinator.group_id]))
    except KafkaError:
        return True
    return any(group[0] == GroupLoadInProgressError.errno for group in answer.groups)
