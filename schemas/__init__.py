"""The wire contract of the battery telemetry processor: all that a producer or a consumer needs to import."""
