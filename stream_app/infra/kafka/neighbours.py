"""Whether the workers of the group can tell each other apart by their URLs, and reach each other."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from stream_app.infra.kafka.errors import BrokerError, SharedUrlError
from stream_app.infra.kafka.member import GroupMember, Member

_log = logging.getLogger(__name__)

_PERIOD_S: Final = 1.0
#: Of two workers that have started at the same time one ends after a session, the other only if that has not helped.
_SESSIONS_OF_THE_FIRST: Final = 3
_CURE: Final = (
    "give each worker a URL of its own that the others reach: stream-app worker --advertise auto, or "
    "STREAM_HTTP__ADVERTISED_URL=http://HOST:PORT"
)


class Neighbours:
    """Compares this worker with the others at each generation of the group.

    Parameters
    ----------
    described
        Own id in the group, and its members; BrokerError: the coordinator does not tell.
    session_timeout_s
        A worker that was there before has this long to be gone: then the last to come ends.
    """

    def __init__(
        self,
        member: Member,
        described: Callable[[], Awaitable[tuple[str, Collection[GroupMember]]]],
        session_timeout_s: float,
    ) -> None:
        self._member, self._described, self._session_timeout_s = member, described, session_timeout_s
        #: Why the others cannot use this worker's URL; "" while they can.
        self.conflict = ""
        self._was_alone = False  # under its URL, in a generation before

    async def run(self) -> None:
        """Look at the group until the worker stops; fail the worker that came last with a URL that cannot be used."""
        checked: int | None = None
        since = 0.0
        while not self._member.stopping:
            await asyncio.sleep(_PERIOD_S)
            generation = self._member.generation
            if self._member.lease.remaining_s() <= 0 or (generation == checked and not self.conflict):
                continue
            try:
                own_id, members = await self._described()
            except (BrokerError, TimeoutError) as error:
                _log.debug("the coordinator does not tell the members of the group: %s", error)
                continue
            own = next((each for each in members if each.member_id == own_id), None)
            if own is None:
                continue  # a rebalance is under way
            checked = generation
            conflict, is_first = conflict_of(own, members)
            if not conflict:
                self.conflict, self._was_alone = "", True
                continue
            if not self.conflict:
                since = time.monotonic()
                _log.error("%s; %s", conflict, _CURE)
            self.conflict = conflict
            patience_s = self._session_timeout_s * (_SESSIONS_OF_THE_FIRST if is_first else 1)
            if not self._was_alone and time.monotonic() - since > patience_s:
                self._member.fail(SharedUrlError(f"{conflict}; {_CURE}"))
                return


def conflict_of(own: GroupMember, members: Collection[GroupMember]) -> tuple[str, bool]:
    """Why others cannot use a worker's URL ("": they can), and whether its id is the first of those concerned."""
    others = [each for each in members if each.member_id != own.member_id]
    same = [each for each in others if each.url == own.url]
    if same:
        where = ", ".join(sorted({each.host for each in same}))
        return (
            f"{len(same) + 1} workers of the group have the URL {own.url} (this one is connected from {own.host}, the "
            f"other from {where}): questions for one reach the other"
        ), own.member_id < min(each.member_id for each in same)
    if _is_loopback(urlsplit(own.url).hostname):
        far = [each for each in others if not _is_near(own, each)]
        if far:
            return (
                f"this worker's URL {own.url} is good for its own host only, and the group has a worker elsewhere "
                f"({far[0].url}, connected from {far[0].host})"
            ), own.member_id < min(each.member_id for each in far)
    return "", False


def _is_near(own: GroupMember, other: GroupMember) -> bool:
    on_one_host = own.host == other.host or (_is_loopback(own.host) and _is_loopback(other.host))
    return on_one_host and _is_loopback(urlsplit(other.url).hostname)


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False
