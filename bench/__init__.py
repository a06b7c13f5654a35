"""The benchmark, this project beside its peers: the same rows, the same broker, the same clock. ``make bench``."""
