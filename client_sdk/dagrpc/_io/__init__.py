"""gRPC as dagrpc uses it: loops, channels, servers, sessions, transfers. The only place that knows grpc's pitfalls."""
