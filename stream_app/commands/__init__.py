"""What each command of ``stream-app`` does, one module a command."""
