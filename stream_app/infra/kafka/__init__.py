"""The worker's side of Kafka. Only ``engine`` imports Faust, and only ``engine`` and ``log`` import aiokafka."""
