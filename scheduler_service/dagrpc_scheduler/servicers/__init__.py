"""The scheduler's gRPC services: they decode requests, call parts of the shell, and encode responses."""
