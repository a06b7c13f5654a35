"""Records to be written, and where they were written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: Key, value and headers of a record.
Record = tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]
#: Names and values, or the bytes that a record has for them (KIP-82), where there are too many to write one by one.
Headers = list[tuple[str, bytes]] | bytes
#: A record that is to be written.
Outgoing = tuple[bytes | None, bytes | None, Headers]

#: The same list for all records without headers, of which there are many; nobody changes it.
NO_HEADERS: Final[list[tuple[str, bytes]]] = []


@dataclass(frozen=True, slots=True)
class Written:
    """Offsets that records got: ``first`` .. ``last``, and nothing else between them if ``whole``."""

    first: int
    last: int
    whole: bool
