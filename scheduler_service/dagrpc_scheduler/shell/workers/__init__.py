"""Calls to workers, restarts, retirement, scaling and work stealing."""
