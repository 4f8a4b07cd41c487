"""The verbs of `dagrpc.Client`, by subject. `Client` binds them as its methods."""
