"""What decides who may use the HTTP API, as the settings want it; built beside the composition root."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stream_app.errors import ExpectedError
from stream_app.infra.kafka.log.key_topic import KeyTopic
from stream_app.settings import Settings
from stream_app.usecases.api_keys import KeyRing
from stream_app.usecases.credentials import Credentials

if TYPE_CHECKING:
    from stream_app.infra.http.rates import Rates
    from stream_app.infra.http.tokens import Tokens
    from stream_app.infra.kafka.log.measurements import MeasurementTopic

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BuiltAccess:
    """Access control, and what keeps it up to date.

    Parameters
    ----------
    credentials
        None: everybody may do everything.
    rates
        None: there are no limits.
    keys
        Keys and the topic that they are read from; None: there are no keys.
    """

    credentials: Credentials | None
    rates: Rates | None
    keys: tuple[KeyTopic, KeyRing] | None = None

    async def run(self) -> None:
        """Follow the keys, until cancelled."""
        if self.keys is not None:
            topic, ring = self.keys
            await topic.follow(ring)


def build_access(settings: Settings, secret: Callable[[], bytes | None]) -> BuiltAccess:
    """Build what the settings want; a worker without access control says so.

    Parameters
    ----------
    secret
        What the workers share: it signs sessions.
    """
    security = settings.security
    is_open = not (security.has_keys or security.has_tokens)
    rates: Rates | None = None
    if security.rate_limit is not None or not is_open:
        from stream_app.infra.http.rates import Rates  # noqa: PLC0415  # an open worker does without the library

        rates = Rates(security.rate_limit)
    if is_open:
        if not settings.http.is_loopback:
            log.warning(
                "everybody who reaches %s may read, write and delete everything: STREAM_SECURITY__MODE is none",
                settings.http.url,
            )
        return BuiltAccess(None, rates)
    keys = (KeyTopic(settings.kafka), KeyRing()) if security.has_keys else None
    tokens: Tokens | None = None
    if security.has_tokens:
        from stream_app.infra.http.tokens import Tokens  # noqa: PLC0415  # as above

        tokens = Tokens(security.jwt)

    credentials = Credentials(
        keys=None if keys is None else keys[1],
        tokens=None if tokens is None else tokens.rights,
        secret=secret,
        session_s=security.session_s,
        clock=time.time,
    )
    return BuiltAccess(credentials, rates, keys)


def shared_secret(settings: Settings, measurements: MeasurementTopic) -> Callable[[], bytes | None]:
    """What the workers of a group know, and nobody who reaches HTTP alone.

    Raises
    ------
    ExpectedError
        The file of the secret is empty.
    """
    file = settings.http.secret_file
    if file is not None:
        secret = file.read_bytes().strip()
        if len(secret) < 16:
            msg = f"STREAM_HTTP__SECRET_FILE={file} has a secret of {len(secret)} bytes: write 16 or more"
            raise ExpectedError(msg)
        return lambda: secret

    def topic_id() -> bytes | None:
        identity = measurements.identity
        return None if identity is None or identity.topic_id is None else identity.topic_id.encode()

    return topic_id
