"""The scheduler of dagrpc: a pure core, a shell that drives it, and the gRPC services on top."""
