"""The workers of the group: what each of them does, and how far its partitions are."""

from __future__ import annotations

import asyncio

from schemas.system import PartitionState, SystemAnswer, WorkerState
from stream_app.usecases.lookup import Lookup


class System:
    """Asks all workers; ``lookup`` knows them and this worker's tables."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def here(self) -> SystemAnswer:
        """What this worker knows of itself."""
        lookup, status = self._lookup, self._lookup.cluster.status()
        owned = sorted(lookup.tables.partitions())
        worker = WorkerState(
            url=lookup.url,
            phase=status.phase,
            detail=status.obstacle or status.detail,
            connected=status.connected,
            partitions=[
                PartitionState(partition=p, position=lookup.position(p), lag=lookup.cluster.lag(p)) for p in owned
            ],
        )
        return SystemAnswer(workers=[worker], unreachable=[], without_owner=[])

    async def everywhere(self) -> SystemAnswer:
        """All workers of the group; UnavailableError while this one is not ready."""
        self._lookup.require_ready()
        peers = list(self._lookup.cluster.peers())
        answers = await asyncio.gather(*(self._lookup.ask(peer, "system") for peer in peers))
        workers, unreachable = self.here().workers, list[str]()
        for peer, answer in zip(peers, answers, strict=True):
            try:
                workers += SystemAnswer.model_validate_json(b"" if answer is None else answer.body).workers
            except ValueError:
                unreachable.append(peer)
        owned = {each.partition for worker in workers for each in worker.partitions}
        return SystemAnswer(
            workers=sorted(workers, key=lambda worker: worker.url),
            unreachable=unreachable,
            without_owner=sorted(set(range(self._lookup.cluster.partition_count())) - owned),
        )
