"""How long an asset's rows are waited for: a fixed time, or one that the asset's own order teaches.

An asset in order waits for nothing, so its windows are final with the next row. One whose rows have lately come out of
order waits the whole :data:`CAP_US`: rows that come so much later lose nothing. A new asset waits as well, until enough
rows have come in order. All this follows from the order of the asset's rows alone, however they were cut into fetches.
"""

from __future__ import annotations

from typing import Final

from stream_app.columns.compiled import borrowing

#: As a fixed lateness: there is none, the asset's order teaches it.
LEARNED: Final = -1
#: Rows of an asset in disorder may be this far behind its newest stamp; it covers retries and threads of a gateway.
CAP_US: Final = 10_000_000
#: An asset counts as one in order after so many rows, and so much time, from its beginning ...
FIRST_ROWS: Final = 30
FIRST_SPAN_US: Final = 60_000_000
#: ... and after so many rows since the last one that came out of order.
ORDERED_ROWS: Final = 10_000


@borrowing
def lateness_us(fixed_us: int, unordered_rows: int) -> int:
    """How far behind the newest stamp a row may be: the fixed time, else by the rows that must still come in order."""
    if fixed_us != LEARNED:
        return fixed_us
    return CAP_US if unordered_rows > 0 else 0
