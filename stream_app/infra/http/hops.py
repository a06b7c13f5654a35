"""Questions of one worker to another: signed, so that nobody outside can pose as a worker.

The signature is an HMAC over the question and the time, by a key that all workers of a group have and nobody who can
reach HTTP alone: a secret of the deployment, or the id that Kafka gave the measurements topic.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Final

#: Marks a question of one worker to another: it is answered from the worker's own tables.
HOP_HEADER: Final = "X-Stream-App-Hop"
#: What the asker of such a question may do, as the first worker found out.
RIGHTS_HEADER: Final = "X-Stream-App-Rights"

#: How old a question may be; clocks of workers differ by less.
_BELIEVED_S: Final = 60.0


def target_of(raw_path: bytes) -> str:
    """Path and query of a question, without what a proxy may put before the API's root."""
    target = raw_path.decode("latin-1")
    return target[max(0, target.find("/api/v1/")) :]


class HopKey:
    """Signs questions, and tells signed ones.

    Parameters
    ----------
    secret
        What the workers share; None: it is not known yet, and nothing is signed or believed.
    clock
        Seconds since 1970.
    """

    def __init__(self, secret: Callable[[], bytes | None], clock: Callable[[], float] = time.time) -> None:
        self._secret, self._clock = secret, clock

    def sign(self, target: str, rights: str) -> str | None:
        """Value of the header for a question; ``target`` is its path with the query."""
        moment = f"{self._clock():.0f}"
        digest = self._digest(moment, target, rights)
        return None if digest is None else f"{moment}.{digest}"

    def verify(self, value: str, target: str, rights: str) -> bool:
        """Whether a header's value is a worker's, and new."""
        moment, _, digest = value.partition(".")
        if not (moment.isascii() and moment.isdecimal() and len(moment) < 16):
            return False
        expected = self._digest(moment, target, rights)
        is_new = abs(self._clock() - int(moment)) <= _BELIEVED_S
        return (
            expected is not None
            and is_new
            and hmac.compare_digest(expected.encode(), digest.encode("utf-8", "replace"))
        )

    def looks_signed(self, value: str) -> bool:
        """Whether a header's value is one a foreign worker's: of this minute, and as long as a signature."""
        moment, _, digest = value.partition(".")
        is_number = moment.isascii() and moment.isdecimal() and len(moment) < 16
        return is_number and len(digest) == 64 and abs(self._clock() - int(moment)) <= _BELIEVED_S

    def _digest(self, moment: str, target: str, rights: str) -> str | None:
        secret = self._secret()
        if secret is None:
            return None
        key = hashlib.sha256(b"stream-app hop\0" + secret).digest()
        return hmac.new(key, "\n".join((moment, target, rights)).encode("utf-8", "replace"), "sha256").hexdigest()
