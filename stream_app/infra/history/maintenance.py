"""Sorts the tables of months that are over by asset, so that a long chart reads few pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from stream_app.history_settings import HistorySettings
from stream_app.infra.history.database import connected
from stream_app.infra.history.store import bounds_of, months

#: What comes late has come by then.
_SETTLED: Final = timedelta(days=2)


async def maintain(settings: HistorySettings, now: datetime, told: Callable[[str], None]) -> None:
    """Sort each month that has been over for two days and was not sorted yet; ``told`` gets the name of its table.

    While a table is sorted, questions to it and late windows of it wait.

    Raises
    ------
    UnavailableError
        The database is away.
    """
    async with connected(settings) as connection:
        for month in await months(connection):
            key = await connection.fetchrow(
                "select indexrelid::regclass::text as name, indisclustered as is_sorted from pg_index "
                "where indrelid = $1::text::regclass and indisprimary",
                month,
            )
            if key["is_sorted"] or bounds_of(month)[1] > now - _SETTLED:
                continue
            await connection.execute(f"cluster {month} using {key['name']}")
            await connection.execute(f"analyze {month}")
            told(month)
