"""What each command of ``stream-app`` does, one module a command.

A command imports what it needs when it runs: ``stream-app --help`` and ``query`` shall not wait for numba, pyarrow and
Kafka's libraries.
"""
