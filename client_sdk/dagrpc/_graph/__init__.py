"""Lowers dask graphs to tasks that can be sent. No I/O."""
