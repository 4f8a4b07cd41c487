"""gRPC as dagrpc uses it: channels, servers, statuses, limits. The only place that knows grpc's pitfalls."""
