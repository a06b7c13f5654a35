"""Random records among good rows: whatever others write to the topic, good rows count and the rest is told."""
