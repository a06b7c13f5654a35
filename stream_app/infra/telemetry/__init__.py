"""What a process tells of itself: its log, and figures of its HTTP requests."""

from stream_app.infra.telemetry.logs import configure_logging
from stream_app.infra.telemetry.requests import REQUEST_ID_HEADER, RequestLog, expect_requests, request_id

__all__ = ["REQUEST_ID_HEADER", "RequestLog", "configure_logging", "expect_requests", "request_id"]
