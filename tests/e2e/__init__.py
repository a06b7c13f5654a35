"""Whole processes on a real Kafka, from outside."""
