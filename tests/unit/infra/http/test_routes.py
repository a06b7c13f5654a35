"""Each route: what it answers, in both slash forms where there are two, and what it does while Kafka is away."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel

from schemas.control import EndOfUpload
from schemas.fleet import AssetPage
from schemas.lookup import AssetAnswer, CatalogueAnswer, SpecAnswer, WindowsAnswer
from schemas.rejected import RejectCode
from schemas.task import TaskStatus
from stream_app.infra.kafka import reject_reports  # noqa: F401
from stream_app.usecases.asset_views import AssetViews
from stream_app.usecases.rejected_rows import Refused
from stream_app.wire.encode.updates import updates
from tests.fakes import CATALOGUE, partition_of

if TYPE_CHECKING:
    from tests.unit.infra.http.conftest import Site

Answer = TypeVar("Answer", bound=BaseModel)

TASK = str(uuid.UUID(int=1))
CSV = b"timestamp,current,voltage,soc\n" + b"4/13/2022 0:00,40,900,50\n" * 1500
ROW = {"asset_id": "a", "timestamp": 1649808002, "current": -40, "voltage": 890.5, "soc": 51}
FORM: dict[str, Any] = {
    "files": {"data": ("rows.csv", CSV, "text/csv")},
    "data": {"nominal_capacity": "94"},
}


def checked(model: type[Answer], answer: httpx.Response) -> Answer:
    """Check an answer by the model that describes it: every field is there that may not be missing, and no other."""
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    fields = [name for name, field in model.model_fields.items() if "not there" not in (field.description or "")]
    assert list(answer.json()) == fields
    return model.model_validate_json(answer.content)


@pytest.mark.parametrize("path", ["/api/v1/metrics", "/api/v1/metrics/"])
async def test_upload_is_accepted_with_its_task(site: Site, path: str) -> None:
    """Without a redirect, which clients would turn into a GET."""
    answer = await site.client.post(path, **FORM)
    assert answer.status_code == 202
    task_id = answer.json()["task_id"]
    assert answer.json() == {"task_id": task_id}
    assert answer.headers["location"] == f"/api/v1/metrics/{task_id}"
    assert uuid.UUID(task_id).version == 4
    assert len(site.log.values(f"upload-{task_id}")) == 4


@pytest.mark.parametrize("slash", ["", "/"])
async def test_task_is_polled_from_started_to_success(site: Site, slash: str) -> None:
    """Until then `data` is null."""
    asset_id = f"upload-{TASK}"
    partition = site.tables.put(asset_id)
    await site.log.append(b"x", [b"its end may be here"], partition)
    answer = await site.client.get(f"/api/v1/metrics/{TASK}{slash}")
    assert answer.status_code == 200
    assert answer.json() == {
        "task_id": TASK,
        "state": "STARTED",
        "data": None,
        "progress": {"rows_sent": None, "rows_applied": 5, "rows_rejected": 0},
        "error": None,
    }
    site.tables.put(asset_id, ended=EndOfUpload(asset_id=asset_id, rows=5), ended_timestamp_ms=1)
    status = checked(TaskStatus, await site.client.get(f"/api/v1/metrics/{TASK}{slash}"))
    assert status.state == "SUCCESS"
    assert status.data is not None
    metrics = status.data.metrics
    assert (status.data.rte, status.data.c_rate) == (metrics["rte_v1"].value, None)
    assert status.data.rte == pytest.approx(2 / 1 * 2 / 3)
    assert metrics["c_rate_v1"].reason == "capacity_missing"
    assert status.data.total_data_points == 5


async def test_task_that_failed_tells_why(site: Site) -> None:
    """FAILURE, with the error and no data."""
    asset_id = f"upload-{TASK}"
    ended = EndOfUpload(asset_id=asset_id, rows=5, error="sending broke off")
    site.tables.put(asset_id, ended=ended, ended_timestamp_ms=1)
    body = (await site.client.get(f"/api/v1/metrics/{TASK}")).json()
    assert (body["state"], body["data"], body["error"]) == ("FAILURE", None, "sending broke off")


@pytest.mark.parametrize("slash", ["", "/"])
async def test_unknown_task_is_pending_while_it_cannot_be_told_then_404(site: Site, slash: str) -> None:
    """The table has to pass what was in Kafka when it was asked for first."""
    partition = partition_of(f"upload-{TASK}".encode())
    await site.log.append(b"x", [b"1"], partition)
    answer = await site.client.get(f"/api/v1/metrics/{TASK}{slash}")
    assert (answer.status_code, answer.json()["state"]) == (200, "PENDING")
    site.tables.reach(partition, 1)
    answer = await site.client.get(f"/api/v1/metrics/{TASK}{slash}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_task")


@pytest.mark.parametrize("path", ["/api", "/api/"])
async def test_ping_is_ok_as_json(site: Site, path: str) -> None:
    """Whatever Kafka does."""
    site.cluster.phase = "starting"
    answer = await site.client.get(path)
    assert (answer.status_code, answer.json()) == (200, "OK")


async def test_asset_has_its_lifetime_open_windows_and_metadata(site: Site) -> None:
    """As the documented model."""
    partition = site.tables.put("a", seq=42, sizes=("1m", "15m"))
    site.cluster.lags[partition] = 3
    answer = await site.client.get("/api/v1/assets/a")
    assert answer.status_code == 200
    body = checked(AssetAnswer, answer)
    assert body.lifetime is not None
    assert [body.lifetime.window.size, *(w.window.size for w in body.open_windows)] == ["lifetime", "1m", "15m"]
    assert answer.json()["meta"] == {
        "owner": "http://here:8000",
        "partition": partition,
        "seq": 42,
        "rows": 5,
        "lag": 3,
        "stale": True,
        "also_in": [],
    }


async def test_asset_without_rows_has_no_lifetime(site: Site) -> None:
    """Its spec is known, and that is all."""
    site.tables.put("a", rows=0)
    body = checked(AssetAnswer, await site.client.get("/api/v1/assets/a"))
    assert (body.rows, body.lifetime, body.open_windows) == (0, None, [])


async def test_updates_are_those_of_the_metrics_topic(site: Site) -> None:
    """Byte for byte: look-ups and the metrics topic cannot differ."""
    partition = site.tables.put("a")
    readings = AssetViews(CATALOGUE, {}).asset("a", site.tables.assets[partition][b"a"]).readings
    assert readings is not None
    content = (await site.client.get("/api/v1/assets/a")).content
    published = updates(readings, dict.fromkeys(readings.windows.slot.tolist(), "a"), partition=partition)
    assert len(published) == 2
    assert all(update in content for update in published)


async def test_windows_are_paged(site: Site) -> None:
    """Page size and cursor reach the query."""
    site.tables.put("a")
    for minute in (-3, -2, -1):
        site.tables.close_window("a", "1m", 60 * minute)
    body = checked(WindowsAnswer, await site.client.get("/api/v1/assets/a/windows/1m?limit=2"))
    assert [w.final for w in body.windows] == [True, True, False]
    answer = await site.client.get(f"/api/v1/assets/a/windows/1m?limit=2&cursor={body.next_cursor}")
    body = checked(WindowsAnswer, answer)
    assert [w.window.start for w in body.windows] == ["2022-04-12T23:57:00Z"]


async def test_assets_are_listed(site: Site) -> None:
    """prefix, cursor and limit reach the query."""
    for asset_id in ("x-1", "x-2", "y-1"):
        site.tables.put(asset_id)
    page = checked(AssetPage, await site.client.get("/api/v1/assets?prefix=x-&limit=1"))
    assert ([item.asset_id for item in page.assets], page.next_cursor) == (["x-1"], "x-1")
    page = checked(AssetPage, await site.client.get("/api/v1/assets?prefix=x-&cursor=x-1"))
    assert ([item.asset_id for item in page.assets], page.next_cursor) == (["x-2"], None)
    assert page.meta.stale is False


async def test_spec_is_put_and_got(site: Site) -> None:
    """202 with where it stands; got once it has been applied."""
    answer = await site.client.put("/api/v1/assets/a/spec", json={"nominal_capacity_ah": 94, "windows": ["1m"]})
    assert answer.status_code == 202
    assert answer.json() == {"asset_id": "a", "partition": partition_of(b"a"), "offset": 0, "reset": []}
    (control,) = site.log.controls("a")
    assert (await site.client.get("/api/v1/assets/a/spec")).status_code == 404
    site.tables.put("a", rows=0, spec=control.spec)
    body = checked(SpecAnswer, await site.client.get("/api/v1/assets/a/spec"))
    assert body.spec.nominal_capacity_ah == 94


@pytest.mark.parametrize("wrapped", [False, True])
async def test_rows_are_posted(site: Site, wrapped: bool) -> None:
    """202 with their number; as an array or below `rows`."""
    rows = [ROW, ROW | {"asset_id": "b"}]
    answer = await site.client.post("/api/v1/measurements", json={"rows": rows} if wrapped else rows)
    assert (answer.status_code, answer.json()["accepted"]) == (202, 2)
    assert site.log.keys() == {"a", "b"}


async def test_catalogue_lists_metrics_whatever_kafka_does(site: Site) -> None:
    """Each with its unit and what it is."""
    site.cluster.phase = "starting"
    metrics = checked(CatalogueAnswer, await site.client.get("/api/v1/catalogue")).metrics
    assert [(entry.name, entry.unit, entry.version) for entry in metrics] == [
        (metric.name, metric.unit, metric.version) for metric in CATALOGUE.metrics
    ]
    assert all(entry.description for entry in metrics)
    assert any(entry.reference for entry in metrics)
    (rte,) = [entry for entry in metrics if entry.name == "rte_level"]
    assert rte.formula is not None
    assert "E_{out}" in rte.formula
    assert any("Levels stand every 5 % of SoC" in note for note in rte.notes)
    assert rte.reasons[-3:] == ["too_few_trips", "no_charge", "charge_unbalanced"]


async def test_worker_that_recovers_is_live_but_not_ready(site: Site) -> None:
    """The problem tells the phase and how far it is."""
    site.cluster.phase, site.cluster.detail = "recovering", "12 of 90 entries"
    live = await site.client.get("/health/live")
    assert (live.status_code, live.json()) == (200, {"phase": "recovering", "detail": "12 of 90 entries"})
    ready = await site.client.get("/health/ready")
    assert ready.status_code == 503
    assert ready.headers["retry-after"]
    assert (ready.json()["phase"], ready.json()["detail"]) == ("recovering", "12 of 90 entries")
    site.cluster.phase = "ready"
    assert (await site.client.get("/health/ready")).status_code == 200
    site.cluster.connected = False
    cut_off = await site.client.get("/health/ready")
    assert cut_off.status_code == 503
    assert "Kafka does not answer" in cut_off.json()["detail"]


KAFKA_ROUTES: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/api/v1/metrics", FORM),
    ("POST", "/api/v1/metrics/", FORM),
    ("GET", f"/api/v1/metrics/{TASK}", {}),
    ("GET", f"/api/v1/metrics/{TASK}/", {}),
    ("GET", "/api/v1/assets", {}),
    ("GET", "/api/v1/assets/a", {}),
    ("GET", "/api/v1/assets/a/windows/1m", {}),
    ("GET", "/api/v1/assets/a/spec", {}),
    ("PUT", "/api/v1/assets/a/spec", {"json": {}}),
    ("POST", "/api/v1/measurements", {"json": [ROW]}),
]


@pytest.mark.parametrize(("method", "path", "request_"), KAFKA_ROUTES)
async def test_route_that_needs_kafka_is_503_until_the_worker_is_ready(
    site: Site, method: str, path: str, request_: dict[str, Any]
) -> None:
    """With Retry-After, and before the body is looked at."""
    site.tables.put("a")
    site.cluster.phase = "waiting_for_broker"
    answer = await site.client.request(method, path, **request_)
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "not_ready"
    assert "waiting for broker" in answer.json()["detail"]
    assert int(answer.headers["retry-after"]) > 0
    assert site.log.appends == 0


async def test_figures_for_prometheus_are_there_whatever_kafka_does(site: Site) -> None:
    """The text format, read by Prometheus' own parser."""
    site.cluster.phase = "waiting_for_broker"
    answer = await site.client.get("/metrics")
    assert answer.status_code == 200
    families = {family.name for family in text_string_to_metric_families(answer.text)}
    assert {"process_cpu_seconds", "process_resident_memory_bytes", "python_info"} <= families


async def test_an_asset_shows_the_share_of_its_rejected_rows(site: Site) -> None:
    """By code, since the first of them, with the last reason."""
    site.tables.put("a")
    assert checked(AssetAnswer, await site.client.get("/api/v1/assets/a")).rejected is None
    site.rejected.take(partition_of(b"a"), 0, [Refused("a", "bad_row", 15, "soc must be a number", 0)])
    answer = checked(AssetAnswer, await site.client.get("/api/v1/assets/a")).rejected
    assert answer is not None
    assert (answer.rows, answer.share, answer.by_code) == (15, 0.75, {"bad_row": 15})
    assert (answer.reason, answer.since) == ("soc must be a number", "1970-01-01T00:00:00Z")


async def test_readiness_repeats_what_somebody_should_look_at(site: Site) -> None:
    """A worker that is ready may have something to say."""
    site.cluster.detail = "500 of 500 rows were rejected"
    answer = await site.client.get("/health/ready")
    assert (answer.status_code, answer.json()["detail"]) == (200, "500 of 500 rows were rejected")


async def test_each_code_of_a_reject_is_counted_from_0(site: Site) -> None:
    """An alert sees the first one."""
    text = (await site.client.get("/metrics")).text
    found = {f.name: f for f in text_string_to_metric_families(text)}["stream_rejected_rows"]
    assert {s.labels["code"] for s in found.samples if s.name.endswith("_total")} == set(get_args(RejectCode))
