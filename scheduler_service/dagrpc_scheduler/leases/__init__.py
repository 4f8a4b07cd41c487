"""Leases: what programs without a session want, and for how long. Pure: no I/O, clocks or protobuf."""
