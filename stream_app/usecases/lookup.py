"""Where an asset lives: in a partition of this worker, at another worker, nowhere, or not known now.

Producers choose partitions as they like (murmur2, CRC32, anything), so the key does not tell the partition: the asset
is looked for in every partition, at home first, then at the owner of its murmur2 partition, then at all others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError

from schemas.lookup import AssetMeta
from schemas.problem import Problem
from stream_app.usecases.asset_views import AssetSummary, Presenter
from stream_app.usecases.errors import NotFoundError, UnavailableError
from stream_app.usecases.ports import Cluster, MeasurementLog, PeerAnswer, Peers, Tables


@dataclass(frozen=True, slots=True)
class Local:
    """An asset in a partition of this worker."""

    partition: int
    value: bytes
    summary: AssetSummary


@dataclass(frozen=True, slots=True)
class _NotHere:
    partitions: frozenset[int]


@dataclass(frozen=True, slots=True)
class _There:
    answer: PeerAnswer
    rows: int | None  # None: an answer about an existing asset that is no AssetMeta, such as a problem


class _Answer(BaseModel):
    meta: AssetMeta


class Lookup:
    """Finds the one place that may answer for an asset.

    Parameters
    ----------
    tables, cluster, log, presenter, peers
        The ports; ``peers`` asks other workers, never more than one hop.
    url
        This worker's URL, as ``cluster`` names it.
    """

    def __init__(
        self, *, tables: Tables, cluster: Cluster, log: MeasurementLog, presenter: Presenter, peers: Peers, url: str
    ) -> None:
        self.tables, self.cluster, self.log, self.presenter = tables, cluster, log, presenter
        self.url = url
        self._peers = peers

    def require_ready(self) -> None:
        """UnavailableError unless the worker has all its state."""
        status = self.cluster.status()
        if status.phase != "ready":
            detail = f"the worker is {status.phase.replace('_', ' ')}"
            raise UnavailableError("not_ready", f"{detail}: {status.detail}" if status.detail else detail)

    def stored(self, key: bytes) -> list[tuple[int, bytes]]:
        """Partitions of this worker that have an asset, and its value there."""
        partitions = self.tables.partitions()
        return [(p, value) for p in partitions if (value := self.tables.asset(p, key)) is not None]

    def here(self, asset_id: str) -> Local | None:
        """Return the asset as this worker has it; of several partitions the one with most rows."""
        found = [
            Local(partition, value, self.presenter.summary(asset_id, value))
            for partition, value in self.stored(asset_id.encode())
        ]
        return max(found, key=lambda local: local.summary.rows, default=None)

    async def find(
        self, asset_id: str, path: str, params: Mapping[str, str] | None = None, *, hop: bool = False
    ) -> Local | PeerAnswer:
        """Find the asset here, or let the worker that has it answer ``path``.

        A place with rows is the answer; one that knows only a spec is it when no other place can have rows.

        Raises
        ------
        NotFoundError
            Every partition was looked through by a worker that is ready (with ``hop``: every one of this worker).
        UnavailableError
            Some partition could not be asked about.
        """
        self.require_ready()
        covered = frozenset(self.tables.partitions())
        local = self.here(asset_id)
        if local is not None and (hop or local.summary.rows):
            return local
        fallback: Local | PeerAnswer | None = local
        missing = set() if hop else set(range(self.cluster.partition_count())) - covered
        for workers in self._by_likelihood(asset_id) if missing else ():
            tasks = [asyncio.ensure_future(self._ask(worker, path, params or {})) for worker in workers]
            try:
                for task in asyncio.as_completed(tasks):
                    match await task:
                        case _NotHere(partitions):
                            missing -= partitions
                        case _There(answer, rows) if rows != 0:
                            return answer
                        case _There(answer):
                            fallback = fallback or answer
                            missing -= self._owned_by(answer.worker)
                        case None:
                            pass
            finally:
                for pending in tasks:
                    pending.cancel()
        if missing:
            raise self.unanswered(missing)
        if fallback is not None:
            return fallback
        raise NotFoundError(
            "unknown_asset", f"no row of asset {asset_id!r} has been processed; check the id", partitions=covered
        )

    async def ask(self, worker: str, path: str, params: Mapping[str, str] | None = None) -> PeerAnswer | None:
        """Ask one worker; None when it could not tell."""
        answer = await self._peers.get(worker, path, params or {})
        return None if answer is None or answer.status >= 500 else answer

    async def ask_all(self, path: str, params: Mapping[str, str]) -> Sequence[PeerAnswer]:
        """Ask every other worker at once; those that could not tell are left out."""
        answers = await asyncio.gather(*(self.ask(worker, path, params) for worker in self.cluster.peers()))
        return [answer for answer in answers if answer is not None]

    def unanswered(self, partitions: set[int]) -> UnavailableError:
        """Return the error for partitions that nobody answered for."""
        names = ", ".join(map(str, sorted(partitions)))
        return UnavailableError(
            "owner_unreachable", f"the owner of partition {names} is not known or does not answer: ask again"
        )

    def meta(self, local: Local) -> AssetMeta:
        """How fresh an answer from here is."""
        lag = self.cluster.lag(local.partition)
        return AssetMeta(
            owner=self.url,
            partition=local.partition,
            seq=local.summary.seq,
            rows=local.summary.rows,
            lag=lag,
            stale=lag != 0,
        )

    def _by_likelihood(self, asset_id: str) -> Sequence[Sequence[str]]:
        peers = self.cluster.peers()
        owner = self.cluster.owner(self.log.partition_of(asset_id.encode()))
        likely = [peer for peer in peers if peer == owner]
        return [group for group in (likely, [peer for peer in peers if peer != owner]) if group]

    async def _ask(self, worker: str, path: str, params: Mapping[str, str]) -> _NotHere | _There | None:
        answer = await self.ask(worker, path, params)
        if answer is None:
            return None
        try:
            if answer.status == 200:
                return _There(answer, _Answer.model_validate_json(answer.body).meta.rows)
            problem = Problem.model_validate_json(answer.body)
        except ValidationError:
            return None  # not one of us
        return _There(answer, None) if problem.partitions is None else _NotHere(frozenset(problem.partitions))

    def _owned_by(self, worker: str) -> frozenset[int]:
        return frozenset(p for p in range(self.cluster.partition_count()) if self.cluster.owner(p) == worker)
