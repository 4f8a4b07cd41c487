"""The exceptions of dagrpc, which users import from `dagrpc.exceptions`."""
