"""Runs the coordination primitives, shuffles and topics of `dagrpc_scheduler.coordination`."""
