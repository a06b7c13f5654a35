"""JSON Web Tokens of an identity provider (OIDC), checked by its published keys."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

import jwt
from jwt import PyJWKClient

from stream_app.http_settings import JwtSettings
from stream_app.usecases.rights import SCOPES, Rights

log = logging.getLogger(__name__)

_LEEWAY_S: Final = 30
_REQUIRED: Final = ["exp", "iat", "iss", "aud", "sub"]
_JWKS_TIMEOUT_S: Final = 5


class Tokens:
    """Tells what a token allows.

    Parameters
    ----------
    settings
        Issuer, audience and algorithms are fixed: a token cannot choose them.
    signing_key
        Key of a token; by default that of the provider's JWKS, which is cached.
    """

    def __init__(self, settings: JwtSettings, signing_key: Callable[[str], Any] | None = None) -> None:
        self._settings = settings
        if signing_key is None:
            client = PyJWKClient(str(settings.jwks_url), cache_keys=True, timeout=_JWKS_TIMEOUT_S)
            signing_key = client.get_signing_key_from_jwt
        self._signing_key = signing_key

    async def rights(self, token: str) -> Rights | None:
        """What a token allows; None: it is none, or not for this service."""
        return await asyncio.to_thread(self._rights, token)  # keys are fetched with a blocking client

    def _rights(self, token: str) -> Rights | None:
        settings = self._settings
        try:
            claims = jwt.decode(
                token,
                self._signing_key(token),
                algorithms=list(settings.algorithms),
                audience=settings.audience,
                issuer=settings.issuer,
                leeway=_LEEWAY_S,
                options={"require": _REQUIRED},
            )
        except jwt.PyJWKClientConnectionError as error:
            log.warning("the keys of %s cannot be fetched: %s", settings.jwks_url, error)
            return None
        except jwt.PyJWTError:
            return None
        granted = claims.get(settings.scope_claim, ())
        words = granted.split() if isinstance(granted, str) else granted
        if not isinstance(words, list | tuple):
            return None
        prefix = "" if settings.prefix_claim is None else claims.get(settings.prefix_claim)
        if not isinstance(prefix, str):
            return None  # a token that names no assets where it has to is for none
        mark = settings.scope_prefix
        return Rights(
            f"token {claims['sub']}", frozenset(s for s in SCOPES if mark + s in words), prefix, int(claims["exp"])
        )
