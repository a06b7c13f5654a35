"""Streaming processor for battery telemetry."""

__version__ = "0.1.0"
