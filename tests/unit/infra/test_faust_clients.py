"""How long the clients that Faust makes wait for an answer."""

from __future__ import annotations

from typing import cast

import pytest

from stream_app.infra.kafka.engine.app import StreamApp, request_timeout_s
from stream_app.infra.kafka.engine.coordination import Coordination
from stream_app.infra.kafka.lease import Lease
from stream_app.infra.kafka.member import MemberLife
from stream_app.settings import Settings


@pytest.mark.parametrize("session_timeout_s", [10.0, 60.0])
async def test_no_client_waits_longer_for_an_answer_than_the_group_may(session_timeout_s: float) -> None:
    settings = Settings.model_validate({"kafka": {"session_timeout_s": session_timeout_s}})
    app = StreamApp(settings, Lease(1.0), Coordination(settings.kafka, lambda _: None), cast(MemberLife, None))
    app.finalize()
    told = [app.conf.broker_request_timeout, app.conf.producer_request_timeout, app.producer.request_timeout]
    assert told == [request_timeout_s(settings.kafka)] * len(told)
