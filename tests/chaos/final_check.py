"""The end of a run: wait until every row is applied, then compare all that is visible from outside with the truth."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Any

import httpx
import orjson

from stream_app.domain.catalogue import Catalogue
from stream_app.domain.snapshot import Marker
from stream_app.domain.stored_layout import Layouts
from stream_app.domain.views import Readings
from stream_app.infra.kafka.log.topics import Topics
from stream_app.usecases.asset_views import AssetViews
from stream_app.usecases.ports import MARKER_KEY
from stream_app.wire.encode.updates import updates as updates_of
from tests.chaos import checks
from tests.chaos.checks import Updates
from tests.chaos.findings import Findings
from tests.chaos.lab import Lab
from tests.chaos.truth import Record, Truth
from tests.chaos.uploads import check_task
from tests.integration.kafka.running import ends, read

DRAIN_TIMEOUT_S = 90.0
_ANSWERS_TIMEOUT_S = 15.0
_LIST_LIMIT = 1000
#: Owners look for late entries every five seconds.
_REPAIRED_TIMEOUT_S = 30.0


async def drain_and_check(
    lab: Lab,
    *,
    timeout_s: float = DRAIN_TIMEOUT_S,
    records: Sequence[Record] | None = None,
    truth: Truth | None = None,
    regular: bool = True,
    sampled: int = 4,
) -> float:
    """Wait for lag 0 and compare; returns the seconds that the wait took. All faults must have ended.

    Parameters
    ----------
    records, truth
        For runs whose measurements topic no longer holds every row that was applied.
    regular
        Whether all steps of an asset have the same length except for gaps, as the quick sums assume.
    sampled
        Number of assets whose every metric is compared.
    """
    began = time.monotonic()
    if records is None:
        records = await read(lab.kafka, lab.kafka.measurements_topic)
    if truth is None:
        truth = Truth().take(records)
        truth.ends |= await ends(lab.kafka, lab.kafka.measurements_topic)
    lab.findings.rows = truth.rows
    await _drained(lab, truth, timeout_s)
    took_s = time.monotonic() - began
    lab.note_deaths()
    lab.history.add("drained", seconds=round(took_s, 1), rows=truth.rows)
    values = {(record.partition, record.offset): record.value for record in records}
    checks.check_acks(lab.acked, values, lab.findings)
    updates = checks.read_updates(await read(lab.kafka, lab.kafka.metrics_topic), lab.findings)
    checks.check_updates(updates, truth, lab.findings, regular=regular, sampled=sampled)
    letters = await read(lab.kafka, lab.kafka.dead_letter_topic)
    checks.check_dead_letters(letters, truth, values, lab.findings)
    lab.history.add("topics checked")
    await check_state(lab, truth, updates)
    lab.history.add("state checked")
    await check_answers(lab, truth, updates)
    return took_s


async def _drained(lab: Lab, truth: Truth, timeout_s: float) -> None:
    """Wait until every live worker counts every row; the checks find any row that is still missing."""
    due = {asset.asset_id: asset.known for asset in truth.assets.values()}
    waiting, deadline = lab.alive(), time.monotonic() + timeout_s
    found: dict[str, int] = {}
    while waiting and time.monotonic() < deadline:
        lab.note_deaths()
        page = await lab.get(waiting[0], "/api/v1/assets", limit=_LIST_LIMIT)
        found = {item["asset_id"]: item["rows"] for item in page["assets"]} if page else {}
        if page and found == due and page["meta"]["lag"] == 0:
            waiting.pop(0)
        else:
            await asyncio.sleep(0.2)
            waiting = [slot for slot in waiting if slot in lab.alive()]
    if waiting or not lab.alive():
        wrong = {name: (found.get(name), count) for name, count in due.items() if found.get(name) != count}
        shown = dict(list(wrong.items())[:5])
        lab.findings.contradict(f"not drained in {timeout_s:.0f} s: worker {waiting[:1]}, {len(wrong)} assets: {shown}")


async def check_state(lab: Lab, truth: Truth, updates: Updates) -> None:
    """The state a recovery would read, assets and kept windows, equals the last updates of the topic bit for bit."""
    names, findings = Topics.of(lab.kafka), lab.findings
    assets, windows = await _repaired(lab, names.assets_changelog), await _repaired(lab, names.windows_changelog)
    markers = {partition: Marker.load(value) for (partition, key), value in assets.items() if key == MARKER_KEY}
    for partition, end in truth.ends.items():
        position = markers[partition].position if partition in markers else 0
        if position != end:
            findings.contradict(f"state: partition {partition} stands at {position}, the topic ends at {end}")
    catalogue = Catalogue()
    views = AssetViews(catalogue, _layouts(markers.values()))
    found: dict[str, int] = {}
    for (partition, key), value in assets.items():
        if key == MARKER_KEY:
            continue
        view = views.asset(key.decode(), value)
        summary = view.summary
        found[summary.asset_id] = summary.rows
        if summary.asset_id in truth.assets and truth.assets[summary.asset_id].partition != partition:
            findings.contradict(f"state: {summary.asset_id} is in partition {partition}")
        said = _written(view.readings, summary.asset_id, partition, final=summary.ended is not None)
        _same(said, [updates.raw.get(_place(s)) for s in said], f"state of {summary.asset_id}", findings)
    for asset_id in truth.assets.keys() | found.keys():
        due = truth.assets[asset_id].known if asset_id in truth.assets else 0
        findings.count("state", asset_id, due, found.get(asset_id, 0))
    kept: dict[tuple[str, str], list[str]] = {}
    for (partition, key), value in windows.items():
        asset_id, size_s = key.split(b"\0")[0].decode(), int(key.split(b"\0")[1])
        said = _written(views.windows(asset_id, size_s, [(key, value)]), asset_id, partition, final=True)
        place = _place(said[0])
        kept.setdefault(place[:2], []).append(place[2])
        _same(said, [updates.raw.get(place)], f"closed window {place}", findings)
    finals: dict[tuple[str, str], list[str]] = {}
    for (asset_id, size, start), update in updates.newest.items():
        if update["final"] and size != "lifetime":
            finals.setdefault((asset_id, size), []).append(start)
    for place2, starts in finals.items():
        held = sorted(kept.get(place2, []))
        if not held or held != sorted(starts)[-len(held) :]:
            findings.contradict(f"state: of {place2} are kept {held[:4]}..., the newest are {sorted(starts)[-4:]}")


def _written(readings: Readings | None, asset_id: str, partition: int, *, final: bool) -> list[bytes]:
    """Updates as a worker would publish them."""
    if readings is None:
        return []
    asset_ids = dict.fromkeys(readings.windows.slot.tolist(), asset_id)
    return updates_of(readings, asset_ids, partition=partition, closed=final)


async def _repaired(lab: Lab, changelog: str) -> dict[tuple[int, bytes], bytes]:
    """State in a changelog, once its owners have repaired entries that arrived late."""
    deadline = time.monotonic() + _REPAIRED_TIMEOUT_S
    while True:
        found = Findings()
        state = checks.fold(await read(lab.kafka, changelog), found)
        if found.ok or time.monotonic() > deadline:
            lab.findings.notes.update(found.notes)
            lab.findings.contradictions += found.contradictions
            return state
        await asyncio.sleep(0.5)  # a changelog gives no event to wait for


def _layouts(markers: Iterable[Marker]) -> Layouts:
    return {name: fields for marker in markers for name, fields in marker.layouts.items()}


def _place(said: bytes) -> checks.Window:
    update = orjson.loads(said)
    return update["asset_id"], update["window"]["size"], update["window"]["start"]


def _same(said: list[bytes], topic: list[bytes | None], what: str, findings: Findings) -> None:
    for own, there in zip(said, topic, strict=True):
        if own != there:
            findings.contradict(f"state: {what} says {own!r}, the topic {there!r}")


async def check_answers(lab: Lab, truth: Truth, updates: Updates) -> None:
    """Every live worker answers with the state of every asset, and with SUCCESS for every upload."""
    async with httpx.AsyncClient(timeout=_ANSWERS_TIMEOUT_S) as client:
        await asyncio.gather(*(_check_worker(client, url, lab, truth, updates) for url in lab.urls()))


async def _check_worker(client: httpx.AsyncClient, url: str, lab: Lab, truth: Truth, updates: Updates) -> None:
    deadline = time.monotonic() + _ANSWERS_TIMEOUT_S
    for asset in truth.assets.values():
        body = await _asked(client, f"{url}/api/v1/assets/{asset.asset_id}", deadline, lab.findings)
        if body is not None:
            checks.check_answer(url, body, asset, updates, lab.findings)
    for upload in lab.uploader.accepted:
        body = await _asked(client, f"{url}/api/v1/metrics/{upload.task_id}", deadline, lab.findings)
        if body is not None:
            check_task(url, upload, body, lab.findings)


async def _asked(client: httpx.AsyncClient, url: str, deadline: float, findings: Findings) -> Any | None:
    """Body of an answer; a busy worker may answer 503, or with an unknown lag."""
    while True:
        try:
            answer = await client.get(url)
            found = answer.text[:200]
        except httpx.TransportError as error:
            answer, found = None, repr(error)
        late = time.monotonic() > deadline
        if answer is not None and answer.status_code == 200:
            body = answer.json()
            if late or body.get("meta", {}).get("lag", 0) is not None:
                return body
        elif late or (answer is not None and answer.status_code != 503):
            findings.contradict(f"answers: {url}: {found}")
            return None
        await asyncio.sleep(0.25)
