"""Compare state, metrics topic, dead letters and answers with the truth. Pure: bytes in, findings out."""

from __future__ import annotations

import json
import struct
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from tests.chaos.asset_truth import AssetTruth
from tests.chaos.findings import Findings
from tests.chaos.truth import Record, Rejects, Truth
from tests.oracle import Expected, Nameplate, expected, plain_values

SIZES = {"1m": 60, "15m": 900, "1h": 3600, "1d": 86_400}  # by name, in seconds
_HEADER = struct.Struct(">Bq")
_ERRORS = "__stream_app.errors."
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Window = tuple[str, str, str]  # asset id, size, start


@dataclass
class Updates:
    """The metrics topic as read by a consumer that keeps the highest seq per window."""

    newest: dict[Window, dict[str, Any]] = field(default_factory=dict)
    raw: dict[Window, bytes] = field(default_factory=dict)

    def lifetime(self, asset_id: str) -> dict[str, Any] | None:
        """The newest update of an asset's lifetime."""
        found = [update for (asset, size, _), update in self.newest.items() if (asset, size) == (asset_id, "lifetime")]
        return max(found, key=lambda update: update["seq"], default=None)


def read_updates(records: Iterable[Record], findings: Findings) -> Updates:
    """Check that a window and seq always mean the same bytes, and that a final update comes once and last.

    A replay after a crash between output and state may be split into other batches, and so write an older seq after a
    newer one. Such an update is correct as of its seq, and a reader that keeps the highest seq ignores it: a note.
    """
    updates = Updates()
    said: dict[tuple[Window, int], bytes] = {}
    finals: dict[Window, int] = {}
    last: dict[Window, int] = {}
    for record in records:
        value = record.value or b""
        update = orjson.loads(value)
        seq, window = update["seq"], (update["asset_id"], update["window"]["size"], update["window"]["start"])
        if record.key != update["asset_id"].encode():
            findings.contradict(f"metrics: an update of {window} has the key {record.key!r}")
        before = said.get((window, seq))
        said[window, seq] = value
        if before is not None:
            findings.notes["repeated updates"] += 1
            if before != value:
                findings.contradict(f"metrics: {window} seq {seq} said two things:\n  {before!r}\n  {value!r}")
        elif seq < last.get(window, -1):
            findings.notes["overtaken updates"] += 1
        last[window] = max(seq, last.get(window, -1))
        if update["final"] and finals.setdefault(window, seq) != seq:
            findings.contradict(f"metrics: {window} was final at seq {finals[window]} and at {seq}")
        if window not in updates.newest or seq >= updates.newest[window]["seq"]:
            updates.newest[window], updates.raw[window] = update, value
    for window, seq in finals.items():
        if updates.newest[window]["seq"] != seq:
            findings.contradict(f"metrics: {window} was final at seq {seq}, then came {updates.newest[window]['seq']}")
    return updates


def check_updates(
    updates: Updates, truth: Truth, findings: Findings, *, regular: bool = True, sampled: int = 4
) -> None:
    """Compare the newest updates with the truth: rows per size, sums per asset, every metric of some assets."""
    rows = check_rows(updates, truth, findings)
    with_rows = [asset for asset in truth.assets.values() if asset.rows]
    for asset in with_rows:
        life = updates.lifetime(asset.asset_id)
        if life is None:
            continue  # counted as lost
        if life["seq"] != asset.seq:
            findings.contradict(f"metrics: lifetime of {asset.asset_id} ends at seq {life['seq']}, not {asset.seq}")
        if regular:
            check_sums(life, asset, findings)
    for asset in with_rows[:: max(1, len(with_rows) // sampled)][:sampled]:
        plate = Nameplate(asset.spec.get("nominal_capacity_ah"))
        plain = expected(asset.rows, plate, ended=asset.ended is not None, known_us=asset.watermark_us)
        if (life := updates.lifetime(asset.asset_id)) is not None:
            check_metrics(life, asset, plain, findings)
        for size in asset.spec.get("windows") or SIZES:
            check_windows(size, rows[asset.asset_id, size], asset, plain, findings)


def check_rows(updates: Updates, truth: Truth, findings: Findings) -> dict[tuple[str, str], Counter[int]]:
    """Compare the row counts of each size; returns the rows of each window by asset, size and start [us]."""
    rows: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)  # by start of the window
    for (asset_id, size, start), update in updates.newest.items():
        rows[asset_id, size][_time_us(start)] = update["metrics"]["total_data_points"]["value"]
    for asset in truth.assets.values():
        life = updates.lifetime(asset.asset_id)
        told = life["metrics"]["total_data_points"]["value"] if life else 0
        findings.count("metrics lifetime", asset.asset_id, len(asset.rows), told)
        if (starts := len(rows.pop((asset.asset_id, "lifetime"), ()))) > 1:
            findings.notes["moved starts"] += starts - 1
            if not truth.lateness_s:  # otherwise a row older than the first one may come
                findings.contradict(f"metrics: the lifetime of {asset.asset_id} has {starts} starts")
        for size in asset.spec.get("windows") or SIZES:
            until_us = asset.open_until_us(SIZES[size] * 1_000_000)
            due = sum(row["time_us"] < until_us for row in asset.rows)
            found = rows[asset.asset_id, size]
            for start_us in [start_us for start_us in found if start_us >= until_us]:
                del found[start_us]  # published for rows that were waiting, before an older one came
            findings.count(f"metrics {size}", asset.asset_id, due, found.total())
    for (asset_id, size), found in rows.items():
        known = truth.assets.get(asset_id)
        if known is None or size not in (known.spec.get("windows") or SIZES):
            findings.count(f"metrics {size}", f"{asset_id}, which does not exist,", 0, found.total())
    return rows


def check_sums(life: Mapping[str, Any], asset: AssetTruth, findings: Findings) -> None:
    """Compare energies and charges with plain sums."""
    for name, due in asset.sums().items():
        got = life["metrics"][name]["value"]
        if got is None or got != pytest.approx(due, rel=1e-9, abs=1e-12):
            findings.contradict(f"metrics: {name} of {asset.asset_id} is {got}, plain sums give {due}")


def check_metrics(life: Mapping[str, Any], asset: AssetTruth, plain: Expected, findings: Findings) -> None:
    """Compare every metric with the plain computation."""
    for name, due in plain_values(plain.lifetime()).items():
        got = life["metrics"][name]["value"]
        same = got is None if due is None else got is not None and got == pytest.approx(due, rel=1e-9, abs=1e-12)
        if not same:
            findings.contradict(f"metrics: {name} of {asset.asset_id} is {got}, the plain computation gives {due}")


def check_windows(size: str, found: Counter[int], asset: AssetTruth, plain: Expected, findings: Findings) -> None:
    """Compare the rows of each window of a size, by its start, with the plain computation."""
    size_us = SIZES[size] * 1_000_000
    until_us = asset.open_until_us(size_us)
    due = Counter(row.time_us // size_us * size_us for row in plain.rows if row.time_us < until_us)
    for start_us in due.keys() | found.keys():
        if due[start_us] != found[start_us]:
            text = f"{asset.asset_id} has {found[start_us]} rows, {due[start_us]} are due"
            findings.contradict(f"metrics: the window of {size} from {start_us} us of {text}")


def _time_us(text: str) -> int:
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)


def fold(records: Iterable[Record], findings: Findings) -> dict[tuple[int, bytes], bytes]:
    """State as a recovery reads it: the newest entry of a key, which must also be the last, as compaction keeps it.

    A worker that was paused or cut off may write an old entry late; the owner then writes the newer one again.
    """
    newest: dict[tuple[int, bytes], tuple[int, bytes | None]] = {}
    last: dict[tuple[int, bytes], tuple[int, str]] = {}
    for record in records:
        place, offset = (record.partition, record.key or b""), _as_of(record)
        last[place] = offset, record.topic
        if place in newest and offset < newest[place][0]:
            findings.notes["overtaken entries"] += 1
        else:
            newest[place] = offset, record.value
    for place, (offset, topic) in last.items():
        if offset < newest[place][0]:
            findings.contradict(f"{topic}: {place} went back from source offset {newest[place][0]} to {offset}")
    return {place: value for place, (_, value) in newest.items() if value is not None}


def _as_of(record: Record) -> int:
    """Source offset of an entry; a deletion has it in a header."""
    if record.value is not None:
        offset: int = _HEADER.unpack_from(record.value)[1]
        return offset
    return next((int(value) for name, value in record.headers if name == "offset"), sys.maxsize)


def check_dead_letters(records: Iterable[Record], truth: Truth, values: Mapping[tuple[int, int], bytes | None],
                       findings: Findings) -> None:  # fmt: skip
    """The dead-letter topic holds each rejected row with its reason and the original bytes, and nothing else."""
    found: Rejects = {}
    for record in records:
        headers = {n[len(_ERRORS) :]: v.decode() for n, v in record.headers if n.startswith(_ERRORS)}
        place = int(headers["partition"]), int(headers["offset"])
        rows = positions(headers.get("row"))
        if truth.rejects.get((*place, headers["code"]), ()) is None and rows in (None, frozenset((0,))):
            rows = None  # a dead letter of a single row may name it or not
        if (*place, headers["code"]) in found:
            findings.notes["repeated dead letters"] += 1
            if found[*place, headers["code"]] != rows:
                findings.contradict(f"dead letters: {place} {headers['code']} names two sets of rows")
        found[*place, headers["code"]] = rows
        if (record.value or None) != (values.get(place) or None):
            findings.contradict(f"dead letters: {place} does not hold the original bytes")
    for key in truth.rejects.keys() - found.keys():
        findings.lost["dead letters"] += len(truth.rejects[key] or (0,))
        findings.contradict(f"dead letters: {key} {truth.rejects[key] or 'all'} is missing")
    for key in found.keys() - truth.rejects.keys():
        findings.contradict(f"dead letters: {key} should not be there")
    for key in found.keys() & truth.rejects.keys():
        if found[key] != truth.rejects[key]:
            findings.contradict(f"dead letters: {key} names rows {found[key]}, due are {truth.rejects[key]}")


def positions(text: str | None) -> frozenset[int] | None:
    """Rows that a dead letter names, such as ``3,17-20``."""
    if text is None:
        return None
    spans = [[int(end) for end in part.split("-")] for part in text.split(",")]
    return frozenset(i for span in spans for i in range(span[0], span[-1] + 1))


def check_answer(
    worker: str, answer: Mapping[str, Any], asset: AssetTruth, updates: Updates, findings: Findings
) -> None:
    """A worker's answer about an asset equals the last updates of the metrics topic bit for bit."""
    who = f"{worker} {asset.asset_id}"
    findings.count(f"answers of {worker}", asset.asset_id, asset.known, answer["rows"])
    meta = answer["meta"]
    facts = {"rows_rejected": (answer["rows_rejected"], asset.late), "seq": (meta["seq"], asset.seq)}
    facts |= {"rows_held": (answer["rows_held"], len(asset.arrivals.held))}
    facts |= {"lag": (meta["lag"], 0), "stale": (meta["stale"], False)}
    facts |= {"partition": (meta["partition"], asset.partition)}
    for name, (got, due) in facts.items():
        if got != due:
            findings.contradict(f"answers: {name} of {who} is {got}, not {due}")
    said = [answer["lifetime"], *answer["open_windows"]] if answer["lifetime"] else []
    for update in said:
        window = (asset.asset_id, update["window"]["size"], update["window"]["start"])
        if update != updates.newest.get(window):
            findings.contradict(f"answers: {who} says {json.dumps(update)}, the topic {updates.newest.get(window)}")


def check_acks(acked: Mapping[tuple[int, int], bytes | None], values: Mapping[tuple[int, int], bytes | None],
               findings: Findings) -> None:  # fmt: skip
    """Every message that the broker acked is in the topic."""
    gone: Sequence[tuple[int, int]] = [p for p, value in acked.items() if p not in values or values[p] != value]
    if gone:
        findings.lost["acked by the broker"] += len(gone)
        findings.contradict(f"acked messages are not in the topic: {gone[:5]}")
