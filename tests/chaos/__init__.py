"""The fault suite: ``python -m tests.chaos`` puts real workers and a real broker under faults and counts every row."""
