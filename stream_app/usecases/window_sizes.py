"""Window sizes that are asked for by name."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.asset import window_size_s
from stream_app.usecases.errors import InvalidError, NotFoundError


def asked_size_s(size: str, column: str = "size") -> int:
    """Seconds of a size; InvalidError, which names the ``column`` of the question, when it is not one."""
    try:
        return window_size_s(size)
    except ValueError as error:
        raise InvalidError("bad_window_size", str(error), column=column) from None


def require_size(asset_id: str, size: str, sizes: Sequence[str]) -> None:
    """Raise NotFoundError when an asset with windows of these ``sizes`` has none of this one."""
    if window_size_s(size) not in map(window_size_s, sizes):
        detail = f"asset {asset_id!r} has no {size} windows, but {', '.join(sizes)}"
        raise NotFoundError("unknown_window_size", detail)
