"""Records to be written, and where they were written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stream_app.wire.batch import Headers

#: Key, value and headers of a record.
Record = tuple[bytes | None, bytes | None, Headers]

#: The same list for all records without headers, of which there are many; nobody changes it.
NO_HEADERS: Final[Headers] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """Offsets that records got: ``first`` .. ``last``, and nothing else between them if ``whole``."""

    first: int
    last: int
    whole: bool
