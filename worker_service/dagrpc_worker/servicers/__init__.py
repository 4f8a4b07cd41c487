"""The gRPC services of a worker."""
