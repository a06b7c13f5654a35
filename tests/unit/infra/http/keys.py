"""A ring with a key of each kind, and a worker that asks for keys."""

from __future__ import annotations

import time
from typing import Any, Final

from stream_app.usecases.api_keys import KeyRing, new_key
from stream_app.usecases.credentials import Credentials
from stream_app.usecases.rights import SCOPES

MINE, FOREIGN = "mine-1", "foreign-1"
NOW_S: Final = int(time.time())


class Keys:
    """A ring with a key of each kind."""

    def __init__(self) -> None:
        self.ring = KeyRing()
        self.ring.is_complete = True
        self.admin = self.add(SCOPES)
        self.mine = self.add(SCOPES, prefix="mine-")
        self.reader = self.add(["read"])
        self.writer = self.add(["write"])
        self.expired = self.add(SCOPES, valid_s=-1)
        self.revoked = self.add(SCOPES, revoked_s=NOW_S)

    def add(self, scopes: Any, *, prefix: str = "", valid_s: int | None = None, revoked_s: int | None = None) -> str:
        key, record = new_key("test", scopes, prefix, NOW_S, valid_s)
        self.ring.take(record.model_copy(update={"revoked_s": revoked_s}).model_dump_json().encode())
        return key

    @property
    def credentials(self) -> Credentials:
        return Credentials(keys=self.ring, secret=lambda: b"shared", session_s=3600, clock=time.time)
