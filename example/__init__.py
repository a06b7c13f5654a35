"""Simulated telemetry with its known truth, and small programs that send it and read the metrics back."""
