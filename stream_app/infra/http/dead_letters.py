"""What was not applied, and why."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from typing import Annotated, Final, get_args

from fastapi import APIRouter, Path, Query

from schemas.asset import ASSET_ID_MAX_LENGTH, ASSET_ID_PATTERN
from schemas.dead_letter import DeadLetterItem, DeadLettersAnswer
from schemas.rejected import HEADER_PREFIX, RejectCode
from stream_app.infra.http.deps import Limit, ReadyRoute, ServicesDep
from stream_app.infra.http.problems import describe
from stream_app.usecases.errors import NotFoundError
from stream_app.usecases.letters import StoredLetter
from stream_app.usecases.rights import Rights, current_rights

_LOOKED_AT: Final = 1000
_VALUE_CHARACTERS: Final = 2000
_LETTER_ID: Final = re.compile("([0-9]{1,6})-([0-9]{1,18})", re.ASCII)
_CODES: Final = frozenset(get_args(RejectCode))

router = APIRouter(tags=["system"], route_class=ReadyRoute, responses=describe(422, 503))


@router.get("/api/v1/dead-letters", response_model=DeadLettersAnswer)
async def list_dead_letters(
    services: ServicesDep,
    code: Annotated[RejectCode | None, Query(description="Only letters with this code")] = None,
    asset_id: Annotated[
        str | None,
        Query(max_length=ASSET_ID_MAX_LENGTH, pattern=ASSET_ID_PATTERN, description="Only letters under this key"),
    ] = None,
    limit: Limit = 100,
) -> DeadLettersAnswer:
    """List the newest dead letters, of the newest 1000 of each partition of their topic."""
    rights = current_rights()
    found = [_item(letter) for letter in await services.dead_letters.newest(_LOOKED_AT) if _is_seen(rights, letter)]
    chosen = [i for i in found if code in (None, i.code) and asset_id in (None, i.key)]
    chosen.sort(key=lambda item: (item.time, item.partition, item.offset), reverse=True)
    return DeadLettersAnswer(letters=chosen[:limit], by_code=Counter(item.code or "unknown" for item in found))


@router.get("/api/v1/dead-letters/{letter_id}", response_model=DeadLetterItem, responses=describe(404))
async def get_dead_letter(
    letter_id: Annotated[
        str, Path(max_length=40, description="Partition and offset in the dead-letter topic", examples=["0-17"])
    ],
    services: ServicesDep,
) -> DeadLetterItem:
    """Return one dead letter with the whole of its original value, as text."""
    unknown = NotFoundError(
        "unknown_dead_letter", f"there is no dead letter {letter_id!r}: it never was, or is too old"
    )
    match = _LETTER_ID.fullmatch(letter_id)
    if match is None:
        raise unknown
    letter = await services.dead_letters.one(int(match[1]), int(match[2]))
    if letter is None or not _is_seen(current_rights(), letter):
        raise unknown
    return _item(letter, whole=True)


def _is_seen(rights: Rights, letter: StoredLetter) -> bool:
    """Whether the letter's asset exists for the asker; letters of no asset are for those who see all."""
    return rights.sees((letter.key or b"").decode(errors="replace"))


def _item(letter: StoredLetter, *, whole: bool = False) -> DeadLetterItem:
    told = {
        name.removeprefix(HEADER_PREFIX): (value or b"").decode(errors="replace")
        for name, value in letter.headers
        if name.startswith(HEADER_PREFIX)
    }
    code = told.get("code")
    moment = datetime.fromtimestamp(max(0, letter.timestamp_ms) / 1000, UTC)
    value = None
    if letter.value is not None:
        value = letter.value.decode(errors="replace") if whole else _beginning(letter.value)
    return DeadLetterItem(
        id=f"{letter.partition}-{letter.offset}",
        partition=letter.partition,
        offset=letter.offset,
        time=moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        key=None if letter.key is None else letter.key.decode(errors="replace"),
        code=code if code in _CODES else None,
        message=told.get("message", ""),
        source_partition=_number(told.get("partition")),
        source_offset=_number(told.get("offset")),
        rows=told.get("row"),
        value=value,
    )


def _beginning(value: bytes) -> str:
    return value[: 4 * _VALUE_CHARACTERS].decode(errors="replace")[:_VALUE_CHARACTERS]


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdecimal() else None
