"""What the history costs: ``python -m tests.history_scale`` runs it on a real Kafka and PostgreSQL, with kills."""
