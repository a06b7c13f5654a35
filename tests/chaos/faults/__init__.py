"""Scripts of the named faults."""
