"""The scheduler's HTTP port: health, metrics, JSON and pages, over the same views that the gRPC services use."""
