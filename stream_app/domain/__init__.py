"""What the numbers mean: pure functions of arrays. No clock, no I/O, no logging."""
