"""The contract with producers and consumers, both ways: bytes to columns, metrics to bytes. No I/O."""
