"""Small helpers that more than one part of dagrpc needs, one subject a file."""
