"""Values, errors and tasks as bytes. Knows Python's pickle; knows nothing of connections."""
