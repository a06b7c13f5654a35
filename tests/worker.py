"""One worker's look-ups on in-memory ports, with others around it."""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.asset import AssetSpec
from schemas.lookup import AssetMeta, SpecAnswer
from schemas.problem import Problem
from stream_app.usecases.asset_lists import AssetLists
from stream_app.usecases.asset_views import AssetViews
from stream_app.usecases.fleet_index import FleetIndex
from stream_app.usecases.fleet_reading import FleetReader
from stream_app.usecases.fleet_summary import FleetSummaries
from stream_app.usecases.layouts import StoredLayouts
from stream_app.usecases.lookup import Lookup
from stream_app.usecases.queries import Queries
from stream_app.usecases.rejected_rows import RejectedRows
from stream_app.usecases.running_uploads import RunningUploads
from stream_app.usecases.spans import KeptWindows
from stream_app.usecases.tasks import Tasks
from tests.fakes import CATALOGUE, PARTITIONS, START_US, FakeCluster, FakeLog, FakePeers, FakeTables

HERE, THERE, ELSEWHERE = "http://here", "http://there", "http://elsewhere"


@dataclass
class Worker:
    """A worker that owns all partitions, until a test says otherwise."""

    tables: FakeTables = field(default_factory=FakeTables)
    cluster: FakeCluster = field(default_factory=FakeCluster)
    log: FakeLog = field(default_factory=FakeLog)
    peers: FakePeers = field(default_factory=FakePeers)
    now_us: int = START_US
    rejected: RejectedRows = field(default_factory=lambda: RejectedRows(lambda: 0.0))

    def __post_init__(self) -> None:
        self.cluster.owners = dict.fromkeys(range(PARTITIONS), HERE)
        self.lookup = Lookup(
            tables=self.tables,
            cluster=self.cluster,
            log=self.log,
            views=AssetViews(CATALOGUE, StoredLayouts(self.tables)),
            peers=self.peers,
            url=HERE,
            rejected=self.rejected,
        )
        self.queries = Queries(self.lookup, windows=("1m", "15m"), kept_windows=KeptWindows({60: 20}, 4))
        self.running = RunningUploads()
        self.tasks = Tasks(self.lookup, self.running)
        reader = FleetReader(CATALOGUE, StoredLayouts(self.tables))
        self.index = FleetIndex(self.tables, reader)
        self.lists = AssetLists(self.lookup, reader, self.index, lambda: self.now_us)
        self.summaries = FleetSummaries(self.lookup, self.index, lambda: self.now_us)

    def give_away(self, *partitions: int, to: str = THERE) -> None:
        """Let another worker own some partitions."""
        self.tables.owned -= set(partitions)
        self.cluster.owners |= dict.fromkeys(partitions, to)
        if to not in self.cluster.others:
            self.cluster.others.append(to)

    def found_at(self, worker: str, asset_id: str, *, rows: int = 5, partition: int = 0) -> bytes:
        """Let another worker have an asset; returns its answer."""
        meta = AssetMeta(owner=worker, partition=partition, seq=3, rows=rows, lag=0, stale=False)
        body = SpecAnswer(asset_id=asset_id, spec=AssetSpec(), meta=meta).model_dump_json().encode()
        self.peers.answers[worker] = (200, body)
        return body

    def not_found_at(self, worker: str, *partitions: int) -> None:
        """Let another worker have looked through some partitions in vain."""
        self.peers.answers[worker] = (404, problem(404, "unknown_asset", partitions=list(partitions)))


def problem(status: int, code: str, partitions: list[int] | None = None) -> bytes:
    """Body of a problem."""
    return (
        Problem(type="t", title="t", status=status, detail="d", instance="/", code=code, partitions=partitions)
        .model_dump_json()
        .encode()
    )
