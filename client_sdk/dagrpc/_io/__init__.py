"""gRPC as dagrpc uses it: loops, channels, servers, sessions, transfers. The only place that knows grpc's pitfalls."""

import os

# Without it gRPC's core prints a line for every connection that a peer closes. Read when grpc is first imported.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
