"""Pauses between fetches that bring nothing.

A broker is to hold a fetch until there are data or the asked wait is over. One that answers at once would be asked
again some thousand times a second.
"""

from __future__ import annotations

from typing import Any, Final

_FIRST_PAUSE_S: Final = 0.001
_LONGEST_PAUSE_S: Final = 0.05


class EmptyAnswers:
    """The pauses of one consumer, which grow as long as a node answers too soon and with nothing."""

    def __init__(self) -> None:
        self._pause_s: dict[int, float] = {}

    def pause_s(self, node_id: int, response: Any, left_s: float) -> float:
        """How long to wait before the node is asked again.

        Parameters
        ----------
        node_id
            Node that answered.
        response
            Its answer, of which each partition ends with the bytes of its records.
        left_s
            Part of the asked wait that the node did not use. Nobody waits for longer than that.
        """
        if left_s <= 0 or any(part[-1] for _, parts in response.topics for part in parts):
            self._pause_s.pop(node_id, None)
            return 0.0
        pause_s = self._pause_s.get(node_id, _FIRST_PAUSE_S)
        self._pause_s[node_id] = min(2 * pause_s, _LONGEST_PAUSE_S)
        return min(pause_s, left_s)
