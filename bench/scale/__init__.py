"""What this project does alone as its load grows: assets, workers, latency, look-ups, recovery, memory."""
