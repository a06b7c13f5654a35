"""Loaded by ``faust -A stream_app.main worker``; ``stream-app worker`` is the same with options and plain errors."""

from stream_app.bootstrap import build_worker
from stream_app.settings import Settings
from stream_app.warm_up import warm_up

settings = Settings()
settings.require_access()
app = build_worker(settings, warm_up()).engine.app
