"""Metrics to bytes."""
