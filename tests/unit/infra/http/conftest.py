"""Workers' APIs on in-memory ports; requests go through ASGI, never over a network."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from stream_app.domain.catalogue import Catalogue
from stream_app.infra.http.api import ApiOptions, create_api
from stream_app.infra.http.deps import Services
from stream_app.infra.http.hops import HopKey
from stream_app.infra.http.ownership import HttpPeers
from stream_app.infra.row_messages import RowMessages
from stream_app.usecases.asset_lists import AssetLists
from stream_app.usecases.asset_views import AssetViews
from stream_app.usecases.fleet_changes import FleetChanges
from stream_app.usecases.fleet_index import FleetIndex
from stream_app.usecases.fleet_reading import FleetReader
from stream_app.usecases.fleet_summary import FleetSummaries
from stream_app.usecases.history_queries import HistoryQueries, known_metrics
from stream_app.usecases.keyed_requests import KeyedRequests
from stream_app.usecases.layouts import StoredLayouts
from stream_app.usecases.lookup import Lookup
from stream_app.usecases.posting import Posting
from stream_app.usecases.queries import Queries
from stream_app.usecases.rate_history import RateHistory
from stream_app.usecases.receipts import Receipts
from stream_app.usecases.rejected_rows import RejectedRows
from stream_app.usecases.running_uploads import RunningUploads
from stream_app.usecases.spans import KeptWindows
from stream_app.usecases.system import System
from stream_app.usecases.task_list import TaskLists
from stream_app.usecases.tasks import Tasks
from stream_app.usecases.temperature_queries import TemperatureQueries
from stream_app.usecases.uploads import Uploads
from tests.fake_history import FakeReads
from tests.fakes import PARTITIONS, START_US, FakeCluster, FakeLetters, FakeLog, FakeTables
from tests.unit.infra.http.keys import FOREIGN, MINE, Keys

OPTIONS = ApiOptions(max_upload_bytes=1_000_000, max_body_bytes=10_000)


class Network(httpx.AsyncBaseTransport):
    """Leads each host to its application; hosts that have none cannot be reached. ``seen`` lists all requests."""

    def __init__(self) -> None:
        self.apps: dict[str, FastAPI] = {}
        self.seen: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        if request.url.host not in self.apps:
            raise httpx.ConnectError("connection refused")
        return await httpx.ASGITransport(self.apps[request.url.host]).handle_async_request(request)


@dataclass
class Site:
    """One worker: its API, what stands behind it and a client."""

    name: str
    network: Network
    log: FakeLog
    options: ApiOptions = OPTIONS
    tables: FakeTables = field(default_factory=FakeTables)
    cluster: FakeCluster = field(default_factory=FakeCluster)
    letters: FakeLetters = field(default_factory=FakeLetters)
    history: FakeReads = field(default_factory=FakeReads)
    has_history: bool = True
    now_us: int = START_US
    rejected: RejectedRows = field(default_factory=lambda: RejectedRows(lambda: 0.0))

    def __post_init__(self) -> None:
        self.cluster.owners = dict.fromkeys(range(PARTITIONS), self.url)
        catalogue = Catalogue()
        key = HopKey(lambda: b"shared")
        self.peers = HttpPeers(key, timeout_s=2.0, transport=self.network)
        lookup = Lookup(
            tables=self.tables,
            cluster=self.cluster,
            log=self.log,
            views=AssetViews(catalogue, StoredLayouts(self.tables)),
            peers=self.peers,
            url=self.url,
            rejected=self.rejected,
        )
        self.places = lookup.places
        self.rows, self.now_s = 0.0, 1000.0
        self.rates = RateHistory(lookup, lambda: self.rows, lambda: self.now_s)
        self.running = RunningUploads()
        tasks = Tasks(lookup, self.running)
        keyed = KeyedRequests(tasks, self.running)
        self.uploads = Uploads(lookup, self.log, RowMessages(), ("1h", "1d"), self.running, keyed)
        self.uploads.answered_within_s = 60.0  # whatever the machine does
        reader = FleetReader(catalogue, StoredLayouts(self.tables))
        self.index = FleetIndex(self.tables, reader)
        lists = AssetLists(lookup, reader, self.index, lambda: self.now_us)
        services = Services(
            cluster=self.cluster,
            lookup=lookup,
            queries=Queries(lookup, windows=("1m", "15m"), kept_windows=KeptWindows({60: 20}, 100)),
            tasks=tasks,
            uploads=self.uploads,
            running=self.running,
            task_lists=TaskLists(lookup, tasks, self.uploads, self.running, self.log),
            posting=Posting(lookup, self.log, RowMessages(), ("1m", "15m"), Receipts(self.log, keyed, self.running)),
            catalogue=catalogue,
            hop_key=key,
            dead_letters=self.letters,
            history=HistoryQueries(self.history if self.has_history else None, known_metrics(catalogue)),
            assets=lists,
            fleet=FleetSummaries(lookup, self.index, lambda: self.now_us),
            changes=FleetChanges(lookup, lists),
            system=System(lookup, self.rates),
            temperatures=TemperatureQueries(lookup, ("1m", "15m")),
        )
        self.api = create_api(services, self.options)
        self.network.apps[self.name] = self.api
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(self.api), base_url=self.url)

    @property
    def url(self) -> str:
        """How others reach it."""
        return f"http://{self.name}:8000"


OpenSite = Callable[..., Site]


@pytest.fixture
async def open_site() -> AsyncIterator[OpenSite]:
    network, log, sites = Network(), FakeLog(), list[Site]()

    def open_one(name: str = "here", **members: Any) -> Site:
        sites.append(Site(name, network, log, **members))
        return sites[-1]

    yield open_one
    for site in sites:
        await site.client.aclose()
        await site.index.close()
        await site.peers.close()


@pytest.fixture
def site(open_site: OpenSite) -> Site:
    return open_site()


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def guarded(open_site: OpenSite, keys: Keys) -> Site:
    """A worker that asks for keys, with an asset that they all may see and one that some may not."""
    options = ApiOptions(max_upload_bytes=100_000, max_body_bytes=10_000, credentials=keys.credentials)
    site = open_site("here", options=options)
    for asset_id in (MINE, FOREIGN):
        site.tables.put(asset_id)
    return site
