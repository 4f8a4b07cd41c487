"""Calls to workers, retirement, scaling and work stealing."""
