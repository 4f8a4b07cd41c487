"""dagrpc runs Python task graphs on a cluster of gRPC services."""
