"""Where an asset lives: in a partition of this worker, at another worker, nowhere, or not known now.

Producers choose partitions as they like (murmur2, CRC32, anything), so the key does not tell the partition: the asset
is looked for in every partition, at home first, then at the owner of its murmur2 partition, then at all others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from stream_app.domain.snapshot import Marker
from stream_app.usecases.asset_views import AssetSummary, AssetView, AssetViews
from stream_app.usecases.errors import NotFoundError, UnavailableError
from stream_app.usecases.places import Places
from stream_app.usecases.ports import MARKER_KEY, Cluster, MeasurementLog, PeerAnswer, Peers, Tables
from stream_app.usecases.rejected_rows import AssetRejects, RejectedRows


@dataclass(frozen=True, slots=True)
class Freshness:
    """How fresh an answer is and which worker gave it, as :class:`schemas.lookup.AnswerMeta` describes."""

    owner: str
    seq: int | None
    lag: int | None
    stale: bool


@dataclass(frozen=True, slots=True)
class AssetFreshness(Freshness):
    """The same of one asset, as :class:`schemas.lookup.AssetMeta` describes."""

    partition: int
    rows: int
    also_in: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Local:
    """An asset in a partition of this worker."""

    partition: int
    view: AssetView

    @property
    def summary(self) -> AssetSummary:
        """What is known of it beside its metrics."""
        return self.view.summary


@dataclass(frozen=True, slots=True)
class _NotHere:
    partitions: frozenset[int]
    detail: str


@dataclass(frozen=True, slots=True)
class _There:
    answer: PeerAnswer
    rows: int | None  # None: a problem with an asset that exists


class _Meta(msgspec.Struct):
    rows: int


class _Answer(msgspec.Struct):
    """All that is read of another worker's answer before it is passed on."""

    meta: _Meta


class _Problem(msgspec.Struct):
    """All that is read of another worker's problem."""

    code: str
    detail: str = ""
    partitions: frozenset[int] | None = None


def given(**params: str | None) -> dict[str, str]:
    """Parameters of a question, without those that were not given."""
    return {name: value for name, value in params.items() if value is not None}


class Lookup:
    """Finds the one place that may answer for an asset.

    Parameters
    ----------
    tables, cluster, log, peers
        The ports; ``peers`` asks other workers, never more than one hop.
    views
        Reads what the tables hold.
    url
        This worker's URL, as ``cluster`` names it.
    rejected
        Rows that this worker refuses.
    """

    def __init__(
        self,
        *,
        tables: Tables,
        cluster: Cluster,
        log: MeasurementLog,
        views: AssetViews,
        peers: Peers,
        url: str,
        rejected: RejectedRows,
    ) -> None:
        self.tables, self.cluster, self.log, self.views = tables, cluster, log, views
        self.url = url
        self.places = Places(tables, cluster, self.ask)
        self._peers, self._rejected = peers, rejected

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

    def position(self, partition: int) -> int:
        """Next source offset that the tables do not include."""
        marker = self.tables.asset(partition, MARKER_KEY)
        return 0 if marker is None else Marker.load(marker).position

    def here(self, asset_id: str, *, with_metrics: bool = False) -> Local | None:
        """Return the asset as this worker has it; of several partitions the one with most rows."""
        found = [
            Local(partition, self.views.asset(asset_id, value, wanted=lambda _: with_metrics))
            for partition, value in self.stored(asset_id.encode())
        ]
        return max(found, key=lambda local: local.summary.rows, default=None)

    async def find(
        self,
        asset_id: str,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        hop: bool = False,
        with_metrics: bool = False,
    ) -> Local | PeerAnswer:
        """Find the asset here, or let the worker that has it answer ``path``.

        A place with rows is the answer; a place that knows only a spec is, when no other place can have rows.

        Raises
        ------
        NotFoundError
            Every partition was looked through by a worker that is ready (with ``hop``: by this one, its own).
        UnavailableError
            Some partition could not be asked about.
        """
        self.require_ready()
        covered = self.places.looked_through()
        local = self.here(asset_id, with_metrics=with_metrics)
        if local is not None and (hop or local.summary.rows):
            return local
        fallback: Local | PeerAnswer | None = local
        details = [self._unknown(asset_id)]
        missing = set() if hop else set(range(self.cluster.partition_count())) - covered
        for workers in self._by_likelihood(asset_id) if missing else ():
            tasks = [asyncio.ensure_future(self._ask(worker, path, params or {})) for worker in workers]
            try:
                for task in asyncio.as_completed(tasks):
                    match await task:
                        case _NotHere(partitions, detail):
                            missing -= partitions
                            details.append(detail)
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
        # The worker that rejected rows of the asset says more than the others.
        raise self.unknown(asset_id, max(details, key=len), covered)

    async def ask(self, worker: str, path: str, params: Mapping[str, str] | None = None) -> PeerAnswer | None:
        """Ask one worker; None when it could not tell."""
        answer = await self._peers.get(worker, path, params or {})
        return None if answer is None or answer.status >= 500 else answer

    async def ask_all(self, path: str, params: Mapping[str, str]) -> Sequence[PeerAnswer]:
        """Ask every other worker at once; those that could not tell are left out."""
        answers = await asyncio.gather(*(self.ask(worker, path, params) for worker in self.cluster.peers()))
        return [answer for answer in answers if answer is not None]

    def rejected(self, local: Local) -> AssetRejects | None:
        """Rows of an asset that were refused since this worker counts them; None: none were."""
        return self._rejected.of(local.partition, local.summary.asset_id)

    def progress(self, asset_id: str, partition: int) -> int:
        """Rows of an asset in a partition of this worker, without loading its state."""
        value = self.tables.asset(partition, asset_id.encode())
        return 0 if value is None else self.views.progress(asset_id, value).rows

    def unknown(self, asset_id: str, detail: str = "", covered: frozenset[int] = frozenset()) -> NotFoundError:
        """Return the error for an asset that no partition has; ``covered``: those that this worker looked through."""
        return NotFoundError("unknown_asset", detail or self._unknown(asset_id), partitions=covered)

    def _unknown(self, asset_id: str) -> str:
        unknown = f"no row of asset {asset_id!r} has been processed"
        for partition in self.tables.partitions():
            if rejects := self._rejected.of(partition, asset_id):
                codes = ", ".join(f"{code} {rows}" for code, rows in rejects.by_code.items())
                return f"{unknown}: {rejects.rows} were rejected ({codes}), the last for: {rejects.reason}"
        return f"{unknown}; check the id"

    def unanswered(self, partitions: set[int]) -> UnavailableError:
        """Return the error for partitions that nobody answered for."""
        names = ", ".join(map(str, sorted(partitions)))
        return UnavailableError(
            "owner_unreachable", f"the owner of partition {names} is not known or does not answer: ask again"
        )

    def freshness(self, local: Local) -> AssetFreshness:
        """How fresh an answer from here about one asset is."""
        lag = self.cluster.lag(local.partition)
        return AssetFreshness(
            owner=self.url,
            seq=local.summary.seq,
            lag=lag,
            stale=lag != 0,
            partition=local.partition,
            rows=local.summary.rows,
            also_in=self.places.also_in(local.summary.asset_id, local.partition),
        )

    def freshness_of_all(self, lags: Sequence[int | None]) -> Freshness:
        """How fresh an answer that spans partitions is, given their lags."""
        lag = None if None in lags else sum(lag for lag in lags if lag is not None)
        return Freshness(owner=self.url, seq=None, lag=lag, stale=lag != 0)

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
                return _There(answer, msgspec.json.decode(answer.body, type=_Answer).meta.rows)
            problem = msgspec.json.decode(answer.body, type=_Problem)
        except msgspec.MsgspecError:
            return None  # not a worker of this program
        return _There(answer, None) if problem.partitions is None else _NotHere(problem.partitions, problem.detail)

    def _owned_by(self, worker: str) -> frozenset[int]:
        return frozenset(p for p in range(self.cluster.partition_count()) if self.cluster.owner(p) == worker)
