"""Service processes: their start, options, logs and child processes."""
