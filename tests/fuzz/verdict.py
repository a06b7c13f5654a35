"""Compares what a worker made of the records with what is due."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from stream_app.wire.batch import Batch, Fetch, Headers, header_name
from stream_app.wire.decode import Decoder
from tests.chaos import checks
from tests.chaos.checks import Updates
from tests.chaos.findings import Findings
from tests.chaos.truth import Truth
from tests.fuzz.batches import FuzzRecord
from tests.fuzz.sending import Places

_ERRORS = "__stream_app.errors."


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter."""

    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def told(self) -> dict[str, str]:
        """What it tells beside the original record: the last headers, since a stranger's may have the same names."""
        own = self.headers[self.first_own :]
        return {name.removeprefix(_ERRORS): (value or b"").decode() for name, value in own}

    @property
    def first_own(self) -> int:
        """Where the headers begin that the worker has added, ``code`` first."""
        return max(i for i, (name, _) in enumerate(self.headers) if name == f"{_ERRORS}code")

    @property
    def place(self) -> tuple[int, int]:
        """Partition and offset of the record."""
        return int(self.told["partition"]), int(self.told["offset"])


@dataclass(frozen=True, slots=True)
class Record:
    """A record of the measurements topic as :class:`Truth` reads it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: tuple[tuple[str, bytes], ...] = ()


def letters_of(fetches: Iterable[Fetch]) -> list[Letter]:
    """All letters of fetches."""
    return [
        Letter(key, value, list(headers))
        for fetch in fetches
        for key, value, headers in zip(fetch.keys, fetch.values, fetch.headers, strict=True)
    ]


def truth_of(places: Places) -> Truth:
    """Expected state of the fleet, by plain code."""
    good = sorted((place, record) for place, record in places.items() if record.good)
    return Truth().take(Record("", *place, record.key, record.value, record.time_ms) for place, record in good)


def check(
    visible: Places,
    aborted: Places,
    letters: Iterable[Letter],
    updates: Updates,
    rows: Mapping[str, int],
    findings: Findings,
) -> Counter[str]:
    """Compare everything; returns how many letters there are of each code.

    Parameters
    ----------
    rows
        Rows by asset as a worker answers.
    """
    truth = truth_of(visible)
    fleet = {asset.asset_id for asset in truth.assets.values()}
    checks.check_updates(
        Updates(
            {window: each for window, each in updates.newest.items() if window[0] in fleet},
            {window: each for window, each in updates.raw.items() if window[0] in fleet},
        ),
        truth,
        findings,
        sampled=10,
    )
    by_place: defaultdict[tuple[int, int], dict[str, Letter]] = defaultdict(dict)
    for letter in letters:
        place, code = letter.place, letter.told["code"]
        if code in by_place[place] and not _is_of_held_row(letter):
            findings.contradict(f"letters: {place} has two of {code}")
        by_place[place][code] = letter
    rejects: defaultdict[tuple[int, int], set[str]] = defaultdict(set)
    for partition, offset, code in truth.rejects:
        rejects[partition, offset].add(code)
    due = {asset.asset_id: len(asset.rows) for asset in truth.assets.values()}
    for place, record in visible.items():
        found = by_place.pop(place, {})
        for letter in found.values():
            _check_content(place, record, letter, findings)
        if record.good:
            if rejects[place] != found.keys():
                findings.contradict(f"letters: {place} of the fleet has {sorted(found)}, not {sorted(rejects[place])}")
        else:
            _check_other(place, record, found, due, findings)
    for place, codes in by_place.items():
        what = f"{aborted[place].kind}, which was aborted," if place in aborted else "a record that does not exist"
        findings.contradict(f"letters: {place}, {what} has {sorted(codes)}")
    for asset_id in due.keys() | rows.keys():
        valid, counted = due.get(asset_id, 0), rows.get(asset_id, 0)
        # Of strangers' rows some leap: such a row is held, and refused when the next one is back.
        findings.count("answers", asset_id, valid if asset_id in fleet else min(valid, counted), counted)
    findings.rows = sum(due.values())
    return Counter(letter.told["code"] for letter in letters)


def _check_other(
    place: tuple[int, int], record: FuzzRecord, found: Mapping[str, Letter], due: dict[str, int], findings: Findings
) -> None:
    """A record is refused as it is when it stands alone; what of it is valid counts, or is late."""
    alone = _alone(place, record)
    codes = {reject.code for reject in alone.rejects}
    text = f"{place} ({record.kind}) has {sorted(found)}, alone it is refused as {sorted(codes)}"
    if not codes <= found.keys() or not found.keys() - codes <= {"late", "bad_control", "implausible_time"}:
        findings.contradict(f"letters: {text}")
    if "unexpected" in found or "unexpected" in codes:
        findings.contradict(f"unexpected: {text}: {found['unexpected'].told if 'unexpected' in found else ''}")
    if not (len(alone) or alone.controls or codes):
        findings.contradict(f"vanished: {place} ({record.kind}) is neither refused nor read")
    if record.hopeless and (len(alone) or alone.controls):
        findings.contradict(
            f"read: {place} ({record.kind}) is to be refused, but is read: {(record.value or b'')[:200]!r}"
        )
    if len(alone) and record.key is not None:
        late = checks.positions(found["late"].told.get("row")) if "late" in found else frozenset()
        lost = len(alone) if late is None else len(late)
        due[record.key.decode()] = due.get(record.key.decode(), 0) + len(alone) - lost


def _is_of_held_row(letter: Letter) -> bool:
    """Whether it is of a row that leapt ahead and was refused later, when its record was not at hand any more."""
    return letter.told["code"] == "implausible_time" and "timestamp" not in letter.told


def _alone(place: tuple[int, int], record: FuzzRecord) -> Batch:
    partition, offset = place
    return Decoder().decode(
        Fetch(
            topic="",
            partition=partition,
            start=offset,
            end=offset + 1,
            offsets=[offset],
            keys=[record.key],
            values=[record.value],
            timestamps_ms=[record.time_ms],
            headers=[()],
        )
    )


def _check_content(place: tuple[int, int], record: FuzzRecord, letter: Letter, findings: Findings) -> None:
    """A letter has key, value and headers of the record, or says what is cut, with the digest of the whole."""
    told, cut = letter.told, letter.told.get("cut", "").split(",")
    if _is_of_held_row(letter):
        return  # the letter has the row alone
    whole: dict[str, tuple[Any, Any]] = {"key": (letter.key, record.key), "value": (letter.value, record.value)}
    for name, (got, due) in whole.items():
        if name in cut:
            digest = hashlib.sha256(due or b"").hexdigest()
            same = due is not None and due.startswith(got) and told[f"{name}_sha256"] == digest
        else:
            same = got == due
        if not same:
            findings.contradict(f"letters: {name} of {place} ({record.kind}) is not the original's")
    own = [(header_name(name), value) for name, value in record.headers]
    if "headers" not in cut and list(letter.headers[: letter.first_own]) != own:
        findings.contradict(f"letters: headers of {place} ({record.kind}) are not the original's")
    if told["timestamp"] != str(record.time_ms):
        findings.contradict(f"letters: {place} ({record.kind}) has timestamp {told['timestamp']}, not {record.time_ms}")
