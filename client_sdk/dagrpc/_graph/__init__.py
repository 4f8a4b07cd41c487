"""Dask graphs as tasks that can be sent. Knows nothing of connections."""
