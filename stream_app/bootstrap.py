"""The composition root: the only place that sees every layer at once."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING

from prometheus_client import REGISTRY

from schemas.asset import window_size_s
from stream_app.access import build_access, shared_secret
from stream_app.domain.catalogue import Catalogue
from stream_app.infra.foreign_rows import ForeignRows
from stream_app.infra.http.api import ApiOptions, create_api
from stream_app.infra.http.deps import Services
from stream_app.infra.http.hops import HopKey
from stream_app.infra.http.monitoring import create_monitoring
from stream_app.infra.http.ownership import HttpPeers
from stream_app.infra.http.server import HttpServer
from stream_app.infra.http.upload_space import use_folder
from stream_app.infra.kafka.figures import WorkerFigures
from stream_app.infra.kafka.log.letter_reader import LetterReader
from stream_app.infra.kafka.reject_reports import rows_applied, split_assets
from stream_app.infra.kafka.worker import Worker
from stream_app.infra.row_messages import RowMessages
from stream_app.infra.traces import Traces, use_traces
from stream_app.settings import Settings
from stream_app.usecases.admission import AdmissionRules
from stream_app.usecases.asset_lists import AssetLists
from stream_app.usecases.asset_views import AssetViews
from stream_app.usecases.fleet_changes import FleetChanges
from stream_app.usecases.fleet_index import FleetIndex
from stream_app.usecases.fleet_reading import FleetReader
from stream_app.usecases.fleet_summary import FleetSummaries
from stream_app.usecases.history_queries import HistoryQueries, known_metrics
from stream_app.usecases.ingest import Ingest
from stream_app.usecases.keyed_requests import KeyedRequests
from stream_app.usecases.layouts import StoredLayouts
from stream_app.usecases.lookup import Lookup
from stream_app.usecases.ports import Tables
from stream_app.usecases.posting import Posting
from stream_app.usecases.queries import Queries
from stream_app.usecases.rate_history import RateHistory
from stream_app.usecases.receipts import Receipts
from stream_app.usecases.retention import UploadRetention
from stream_app.usecases.running_uploads import RunningUploads
from stream_app.usecases.silence import SilentAssets
from stream_app.usecases.spans import KeptWindows
from stream_app.usecases.splits import SplitAssets
from stream_app.usecases.system import System
from stream_app.usecases.task_list import TaskLists
from stream_app.usecases.tasks import Tasks
from stream_app.usecases.temperature_queries import TemperatureQueries
from stream_app.usecases.uploads import Uploads
from stream_app.wire.encode.updates import UpdateForm

if TYPE_CHECKING:
    from stream_app.infra.history.reads import PostgresReads


def build_worker(
    settings: Settings,
    catalogue: Catalogue,
    listener: socket.socket | None = None,
    monitoring: socket.socket | None = None,
) -> Worker:
    """Build a worker: Kafka in, state and metrics out, and the HTTP server beside it.

    Parameters
    ----------
    catalogue
        Its metrics, compiled before (:func:`stream_app.warm_up.warm_up`): a member of the group that compiles keeps
        its partitions still.
    listener, monitoring
        The HTTP port and that for monitoring, if they are open already.
    """
    if settings.tracing:
        use_traces(Traces(settings.kafka.app_id))
    if settings.http.upload_dir is not None:
        use_folder(settings.http.upload_dir)
    is_strict = settings.kafka.partitioner == "murmur2"

    translator = ForeignRows()

    def home(key: bytes) -> int:
        return worker.measurements.partition_of(key)

    def new_ingest(tables: Tables) -> Ingest:
        return Ingest(
            tables=tables,
            catalogue=catalogue,
            window_sizes_s=settings.window_sizes_s,
            lateness_s=settings.allowed_lateness_s,
            max_ahead_s=settings.max_ahead_s,
            duplicates=settings.duplicates,
            emit_interval_s=settings.emit_interval_s,
            update_form=UpdateForm(
                has_metrics=settings.output.format != "flat",
                has_values=settings.output.format != "nested",
                keyed_by_window=settings.kafka.metrics_key == "window",
                event_source=f"/{settings.kafka.app_id}" if settings.output.cloudevents else "",
            ),
            admission=AdmissionRules(
                in_all=settings.max_assets,
                per_minute=settings.max_new_assets_per_min,
                home=home if is_strict else None,
            ),
            kept_windows=_kept_windows(settings),
            translator=translator,
        )

    async def serve() -> None:
        await _serve(settings, catalogue, worker, listener, monitoring)

    worker = Worker(settings, new_ingest, serve)
    return worker


def _kept_windows(settings: Settings) -> KeptWindows:
    by_size_s = {window_size_s(size): count for size, count in settings.keep_windows.items()}
    return KeptWindows(by_size_s, settings.keep_windows_default)


async def _serve(
    settings: Settings,
    catalogue: Catalogue,
    worker: Worker,
    listener: socket.socket | None,
    monitoring: socket.socket | None,
) -> None:
    """Answer HTTP, forget old uploads, close windows of silent assets and look for split ones, until cancelled."""
    layouts = StoredLayouts(worker.tables)
    views = AssetViews(catalogue, layouts, settings.allowed_lateness_s)
    secret = shared_secret(settings, worker.measurements)
    hop_key = HopKey(secret)
    peers = HttpPeers(hop_key, settings.http.forward_timeout_s, cafile=settings.http.tls_cafile)
    access = build_access(settings, secret)
    lookup = Lookup(
        tables=worker.tables,
        cluster=worker,
        log=worker.measurements,
        views=views,
        peers=peers,
        url=settings.http.url,
        rejected=worker.rejected,
    )
    rows = RowMessages()
    reads = _history_reads(settings)
    reader = FleetReader(catalogue, layouts)
    index = FleetIndex(worker.tables, reader)
    rates = RateHistory(lookup, rows_applied, time.time)
    running = RunningUploads()
    tasks = Tasks(lookup, running)
    keyed = KeyedRequests(tasks, running)
    uploads = Uploads(lookup, worker.measurements, rows, settings.upload_windows, running, keyed)
    lists = AssetLists(lookup, reader, index, _now_us)
    services = Services(
        cluster=worker,
        lookup=lookup,
        queries=Queries(lookup, settings.windows, _kept_windows(settings)),
        tasks=tasks,
        uploads=uploads,
        running=running,
        task_lists=TaskLists(lookup, tasks, uploads, running, worker.measurements),
        posting=Posting(
            lookup,
            worker.measurements,
            rows,
            settings.windows,
            Receipts(worker.measurements, keyed, running),
            at_home=settings.kafka.partitioner == "murmur2",
        ),
        catalogue=catalogue,
        hop_key=hop_key,
        dead_letters=LetterReader(settings.kafka),
        history=HistoryQueries(reads, known_metrics(catalogue)),
        assets=lists,
        fleet=FleetSummaries(lookup, index, _now_us),
        changes=FleetChanges(lookup, lists),
        system=System(lookup, rates),
        temperatures=TemperatureQueries(lookup, settings.windows),
    )
    http = settings.http
    options = ApiOptions(
        max_upload_bytes=http.max_upload_bytes,
        max_body_bytes=http.max_body_bytes,
        cors_origins=http.cors_origins,
        cors_credentials=http.cors_credentials,
        allowed_hosts=http.hosts,
        credentials=access.credentials,
        rates=access.rates,
        tls=http.tls_certfile is not None,
        upload_quota_bytes=http.upload_quota,
        has_figures=http.monitoring_port is None,
    )
    server = HttpServer(create_api(services, options), http.host, http.port, listener, http.tls)
    servers = [server]
    if http.monitoring_port is not None:
        app = create_monitoring(services, http.hosts)
        servers.append(HttpServer(app, http.monitoring_host, http.monitoring_port, monitoring))
    retention = UploadRetention(
        tables=worker.tables,
        cluster=worker,
        measurements=worker.measurements,
        views=views,
        retention_s=settings.upload_retention_s,
        now_ms=lambda: time.time_ns() // 1_000_000,
    )
    silence = SilentAssets(
        tables=worker.tables,
        cluster=worker,
        measurements=worker.measurements,
        views=views,
        idle_close_s=settings.idle_close_s,
        ttl_s=settings.asset_ttl_s,
        now_us=_now_us,
    )
    splits = SplitAssets(
        tables=worker.tables,
        cluster=worker,
        measurements=worker.measurements,
        places=lookup.places,
        on_split=split_assets.inc,
        source=settings.kafka.measurements_topic,
        clock=time.monotonic,
    )
    figures = WorkerFigures(worker)
    REGISTRY.register(figures)
    for each in servers:
        await each.start()
    try:
        await asyncio.gather(
            retention.run(),
            silence.run(),
            splits.run(),
            index.run(),
            access.run(),
            rates.run(),
            server.renew_certificate(),
        )
    finally:
        REGISTRY.unregister(figures)
        for each in servers:
            await asyncio.shield(each.stop())
        await asyncio.shield(uploads.close())
        await index.close()
        await peers.close()
        if reads is not None:
            await reads.close()


def _history_reads(settings: Settings) -> PostgresReads | None:
    if settings.history.url is None:
        return None
    from stream_app.infra.history.reads import PostgresReads  # noqa: PLC0415  # a worker without history needs none

    return PostgresReads(settings.history)


def _now_us() -> int:
    return time.time_ns() // 1_000
