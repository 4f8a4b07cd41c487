"""Drives coordination primitives, shuffles and topics: the shell of `dagrpc_scheduler.coordination`."""
