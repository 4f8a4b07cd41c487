"""Small definitions that every part of dagrpc needs, one subject a file."""
