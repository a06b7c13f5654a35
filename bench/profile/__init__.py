"""A profile of the worker: CPU seconds by step."""
