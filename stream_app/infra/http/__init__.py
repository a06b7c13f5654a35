"""The HTTP side of a worker: routes by noun, problems, forwarding to the owner, the server."""
