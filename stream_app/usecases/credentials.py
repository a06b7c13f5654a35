"""What somebody brings to prove who it is: a key, a token, or the session that was opened with one of them.

A session is for browsers, which cannot send headers with an event stream. Of a key it is the key's id and an end,
signed with the group's secret and what is kept of the key: no worker keeps anything, and it is revoked with the key.
Of a token it is the token.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from stream_app.usecases.api_keys import KeyRing
from stream_app.usecases.errors import InvalidError, UnavailableError
from stream_app.usecases.rights import Rights

_KEY_MARK: Final = "sk."
_SESSION_MARK: Final = "ss."
#: What browsers take of a cookie, with some room for its name and attributes.
_MOST_CHARACTERS: Final = 3800


@dataclass(frozen=True, slots=True)
class Session:
    """What a browser is given for a key or token.

    Parameters
    ----------
    value
        Secret.
    rights
        With the session's end.
    """

    value: str
    rights: Rights


class Credentials:
    """Tells what keys, tokens and sessions allow.

    Parameters
    ----------
    keys
        None: keys open nothing.
    tokens
        Rights of a token; None: tokens open nothing.
    secret
        What the workers of a group share; None: it is not known yet.
    session_s
        How long a session is valid at most [s].
    clock
        Seconds since 1970.
    """

    def __init__(
        self,
        *,
        keys: KeyRing | None,
        tokens: Callable[[str], Awaitable[Rights | None]] | None = None,
        secret: Callable[[], bytes | None],
        session_s: int,
        clock: Callable[[], float],
    ) -> None:
        self._keys, self._tokens, self._secret = keys, tokens, secret
        self._session_s, self._clock = session_s, clock

    async def rights(self, given: str) -> Rights | None:
        """What a key or token allows; None: it is none, or not valid.

        Raises
        ------
        UnavailableError
            The keys are not read yet.
        """
        if given.startswith(_KEY_MARK) and self._keys is not None:
            return self._ring(self._keys).rights(given, self._clock())
        return None if self._tokens is None else await self._tokens(given)

    async def open_session(self, given: str) -> Session | None:
        """Open a session with a key or token; None: it opens nothing.

        Raises
        ------
        InvalidError
            The token is too long for a cookie.
        UnavailableError
            The keys are not read yet, or the workers' secret is not known yet.
        """
        found = await self.rights(given)
        if found is None:
            return None
        end_s = int(self._clock()) + self._session_s
        if found.expires_s is not None:
            end_s = min(end_s, found.expires_s)
        rights = found.until(end_s)
        if not given.startswith(_KEY_MARK):
            if len(given) > _MOST_CHARACTERS:
                detail = f"the token has {len(given)} characters, a cookie holds {_MOST_CHARACTERS}: use an API key"
                raise InvalidError("bad_request_field", detail, column="key")
            return Session(given, rights)
        key_id = given.split(".")[1]
        return Session(f"{_SESSION_MARK}{key_id}.{end_s}.{self._signature(key_id, str(end_s))}", rights)

    async def rights_of_session(self, value: str) -> Rights | None:
        """What a session allows; None: it is none, or has ended. Errors as :meth:`open_session`."""
        if not value.startswith(_SESSION_MARK):
            return None if self._tokens is None else await self._tokens(value)
        key_id, _, rest = value.removeprefix(_SESSION_MARK).partition(".")
        end, _, signature = rest.partition(".")
        if self._keys is None or not (end.isascii() and end.isdecimal() and len(end) < 16):
            return None
        found = self._ring(self._keys).rights_of(key_id, self._clock())
        expected = self._signature(key_id, end)
        if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
            return None
        return None if found is None or self._clock() >= int(end) else found.until(int(end))

    def _ring(self, keys: KeyRing) -> KeyRing:
        if not keys.is_complete:
            raise UnavailableError("not_ready", "the API keys are not read yet: ask again")
        return keys

    def _signature(self, key_id: str, end: str) -> str:
        secret = self._secret()
        if secret is None:
            raise UnavailableError("not_ready", "the workers' secret is not known yet: ask again")
        record = None if self._keys is None else self._keys.records.get(key_id)
        kept = "" if record is None else record.sha256
        key = hashlib.sha256(b"stream-app session\0" + secret).digest()
        return hmac.new(key, f"{key_id}\n{end}\n{kept}".encode("utf-8", "replace"), "sha256").hexdigest()
