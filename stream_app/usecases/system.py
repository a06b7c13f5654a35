"""The workers of the group: what each of them does, how far its partitions are, and how that was in the last hour."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from schemas.system import (
    HistoryAnswer,
    HistoryStep,
    PartitionState,
    SystemAnswer,
    WorkerHistory,
    WorkerState,
)
from stream_app.usecases.lookup import Lookup
from stream_app.usecases.rate_history import STEP_S, RateHistory


class System:
    """Asks all workers; ``lookup`` knows them and this worker's tables."""

    def __init__(self, lookup: Lookup, history: RateHistory) -> None:
        self._lookup, self._history = lookup, history

    def here(self) -> SystemAnswer:
        """What this worker knows of itself."""
        lookup, status = self._lookup, self._lookup.cluster.status()
        owned = sorted(lookup.tables.partitions())
        steps, seen_s = self._history.steps, self._history.checkpoint_s
        rates = steps[-1].messages_per_s if steps else {}
        worker = WorkerState(
            url=lookup.url,
            phase=status.phase,
            detail=status.obstacle or status.detail,
            connected=status.connected,
            partitions=[
                PartitionState(
                    partition=p,
                    position=lookup.position(p),
                    lag=lookup.cluster.lag(p),
                    messages_per_s=rates.get(p),
                    checkpoint_time=_time(seen_s[p]) if p in seen_s else None,
                )
                for p in owned
            ],
            rows_per_s=steps[-1].rows_per_s if steps else None,
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

    def history_here(self) -> HistoryAnswer:
        """The last hour of this worker."""
        steps = [
            HistoryStep(
                time=_time(step.time_s),
                rows_per_s=step.rows_per_s,
                messages_per_s=step.messages_per_s,
                lag=step.lag,
            )
            for step in self._history.steps
        ]
        return HistoryAnswer(workers=[WorkerHistory(url=self._lookup.url, step_s=STEP_S, steps=steps)], unreachable=[])

    async def history(self) -> HistoryAnswer:
        """The last hour of all workers; UnavailableError while this one is not ready."""
        self._lookup.require_ready()
        peers = list(self._lookup.cluster.peers())
        answers = await asyncio.gather(*(self._lookup.ask(peer, "system/history") for peer in peers))
        workers, unreachable = self.history_here().workers, list[str]()
        for peer, answer in zip(peers, answers, strict=True):
            try:
                workers += HistoryAnswer.model_validate_json(b"" if answer is None else answer.body).workers
            except ValueError:
                unreachable.append(peer)
        return HistoryAnswer(workers=sorted(workers, key=lambda worker: worker.url), unreachable=unreachable)


def _time(moment_s: int) -> str:
    return f"{datetime.fromtimestamp(moment_s, UTC):%Y-%m-%dT%H:%M:%SZ}"
