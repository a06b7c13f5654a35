"""The fault suite: ``python -m tests.chaos`` injects faults into real workers and a broker and counts every row."""
