"""Adapters: Kafka, HTTP, JSON, files. The only layer that touches the outside."""
